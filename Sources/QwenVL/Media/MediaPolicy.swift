/// Which pictures and videos a conversation may name, and what they may cost before they are refused.
///
/// Set it on ``ProcessorOptions/media``. Whatever it refuses is an error of ``QwenVLError/mediaRefused(field:reason:)``.
public struct MediaPolicy: Sendable, Hashable {
    /// Which files may be read.
    public enum Files: Sendable, Hashable {
        /// No path and no `file://` URL.
        case none
        /// Every file that the process may read.
        case anywhere
        /// Files that lie in one of these directories once symbolic links are followed.
        case under([String])
    }

    /// Which hosts may be asked.
    public enum Hosts: Sendable, Hashable {
        /// No `http://` and no `https://` URL.
        case none
        /// Every host, as far as ``MediaPolicy/allowsPrivateAddresses`` goes.
        case any
        /// These names and no others; `*.example.com` stands for every name below example.com.
        case only([String])
    }

    /// Which files may be read.
    public var files: Files
    /// Which hosts may be asked, by name.
    public var hosts: Hosts
    /// Whether a host may have an address that is not public: loopback, private, link-local and the like. Looked at
    /// after the name is resolved, on every redirect; the connection goes to the address that was looked at.
    public var allowsPrivateAddresses: Bool
    /// Whether `data:` URIs and bytes may be given.
    public var allowsData = true
    /// Whether PDF and SVG files, whose parsers are the largest, are read.
    public var allowsDocuments = true

    /// Bytes of one picture or document, as a file.
    public var maxBytes = 256 << 20
    /// Bytes of one video, as a file. One from the network is kept in a temporary file.
    public var maxVideoBytes = 64 << 30
    /// Pixels of one picture or frame as stored; the default is where Pillow sees a decompression bomb.
    public var maxPixels = 178_956_970
    /// Pages taken of one document.
    public var maxPages = 256
    /// Frames sampled of one video, and pictures in a list of frames.
    public var maxFrames = 4096
    /// Seconds that a video may last.
    public var maxDuration = 24 * 3600.0
    /// Pictures, pages and videos of one conversation.
    public var maxItems = 1024
    /// Redirects followed for one URL.
    public var maxRedirects = 5
    /// Seconds that one URL may take, redirects and transfer included.
    public var timeout = 300.0
    /// Seconds that a video's decoder may work without giving a frame.
    public var decodingTimeout = 60.0

    /// A policy with the default limits.
    public init(files: Files, hosts: Hosts, allowsPrivateAddresses: Bool) {
        self.files = files
        self.hosts = hosts
        self.allowsPrivateAddresses = allowsPrivateAddresses
    }

    /// For programs that act for the person at the machine: every file, every host.
    public static let local = MediaPolicy(files: .anywhere, hosts: .any, allowsPrivateAddresses: true)

    /// For requests of strangers: no file, public hosts only, and limits for one request of many.
    public static let server: MediaPolicy = {
        var policy = MediaPolicy(files: .none, hosts: .any, allowsPrivateAddresses: false)
        policy.maxBytes = 32 << 20
        policy.maxVideoBytes = 256 << 20
        policy.maxPixels = 89_478_485
        policy.maxPages = 32
        policy.maxFrames = 768
        policy.maxDuration = 2 * 3600
        policy.maxItems = 64
        policy.maxRedirects = 3
        policy.timeout = 30
        policy.decodingTimeout = 20
        return policy
    }()

    func validate() throws(InputError) {
        let counts = [
            ("max_bytes", maxBytes), ("max_video_bytes", maxVideoBytes), ("max_pixels", maxPixels),
            ("max_pages", maxPages), ("max_frames", maxFrames), ("max_items", maxItems),
        ]
        for (name, value) in counts where value < 1 {
            throw InputError(field: "media.\(name)", expected: "a positive integer", found: "\(value)")
        }
        for (name, value) in [
            ("max_duration", maxDuration), ("timeout", timeout), ("decoding_timeout", decodingTimeout),
        ] where !(value > 0) {
            throw InputError(field: "media.\(name)", expected: "a positive number", found: "\(value)")
        }
        if maxRedirects < 0 {
            throw InputError(field: "media.max_redirects", expected: "0 or more", found: "\(maxRedirects)")
        }
    }
}
