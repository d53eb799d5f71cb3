/// How a server listens, whom it lets in, and what one request may ask for.
public struct ServerOptions: Sendable {
    /// The certificate chain and its key, both PEM files.
    public struct TLSFiles: Sendable, Hashable {
        /// The path of the certificate chain.
        public var certificate: String
        /// The path of the key.
        public var key: String
        /// Both paths.
        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    // MARK: Listening

    /// The address to listen on.
    public var host = "127.0.0.1"
    /// The port; 0 for any that is free.
    public var port = 8080
    /// Encrypts, when set.
    public var tls: TLSFiles?
    /// Whether the page is served at `/`.
    public var servesPage = true

    // MARK: Who is let in

    /// Keys of which a request must bring one; none means that everybody may ask.
    public var apiKeys: [String] = []
    /// Origins of pages that may call from a browser (`*` for all). The server's own page needs none.
    public var allowedOrigins: [String] = []

    // MARK: The model

    /// Names that requests may give the model; the first is the one that replies show. `*` lets any name pass.
    public var modelNames: [String] = ["qwen2.5-vl"]

    // MARK: Limits

    /// Bytes of a request's body: some large pictures in Base64.
    public var maximumBodyBytes = 64 << 20
    /// Seconds in which a request must have arrived.
    public var bodyTimeout = 60.0
    /// Seconds that a request may take altogether.
    public var requestTimeout = 1800.0
    /// Seconds after which a connection without a request is closed.
    public var idleTimeout = 75.0
    /// Seconds that running requests are given when the server is told to end.
    public var shutdownTimeout = 60.0
    /// Requests that wait for a place; one more is refused with status 503.
    public var maximumWaiting = 64
    /// Conversations that run through the model together.
    public var maximumBatch = 16
    /// Answers to one request (`n`).
    public var maximumChoices = 8
    /// Messages of one request.
    public var maximumMessages = 2048
    /// Pictures, videos and frames of one request.
    public var maximumMedia = 128
    /// Whether messages may name files of this machine, as far as the engine's ``MediaPolicy`` goes.
    public var readsFiles = false
    /// Tokens of one answer; nil for what the context leaves.
    public var maximumAnswerTokens: Int?

    /// The defaults.
    public init() {}
}
