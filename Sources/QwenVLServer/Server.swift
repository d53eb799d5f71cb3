import ChatTemplate
import CoreMetrics
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Logging
import NIOCore
import NIOPosix
import NIOSSL
public import QwenVL
import ServiceLifecycle
import Synchronization
public import UnixSignals

/// An OpenAI-compatible server for one model.
public struct Server: Sendable {
    private let options: ServerOptions
    private let host: ModelHost
    private let load: (@Sendable (@escaping @Sendable (LoadProgress) -> Void) async throws -> Engine)?
    private let logger: Logging.Logger
    private let registry: PrometheusRegistry

    /// A server that loads its model while it is listening already; until then it answers that it is loading.
    public init(
        _ options: ServerOptions, logger: Logging.Logger,
        load: @escaping @Sendable (_ progress: @escaping @Sendable (LoadProgress) -> Void) async throws -> Engine
    ) {
        self.options = options
        self.logger = logger
        self.load = load
        host = ModelHost()
        registry = PrometheusRegistry()
    }

    /// A server for an engine that is there.
    public init(_ options: ServerOptions, logger: Logging.Logger, engine: Engine) {
        self.options = options
        self.logger = logger
        load = nil
        host = ModelHost(engine)
        registry = PrometheusRegistry()
    }

    /// Serves until the task is cancelled or one of the signals comes; then takes nothing new and finishes what runs.
    /// - Parameters:
    ///   - signals: what ends it.
    ///   - stop: what else ends it.
    ///   - onRunning: told the port once it is listening.
    /// - Throws: when the port is taken, a certificate cannot be read, or the model cannot be loaded.
    public func run(
        signals: [UnixSignal] = [.sigterm, .sigint], stop: Switch? = nil,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws {
        let application = try application(onRunning: onRunning)
        let model = ModelService(host: host, load: load, logger: logger)
        var configuration = ServiceGroupConfiguration(
            services: [
                // The one that is started last is ended first: connections, then the model.
                .init(service: model, successTerminationBehavior: .gracefullyShutdownGroup),
                .init(service: application, successTerminationBehavior: .gracefullyShutdownGroup),
            ], gracefulShutdownSignals: signals, logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(options.shutdownTimeout)
        let group = ServiceGroup(configuration: configuration)
        stop?.connect { await group.triggerGracefulShutdown() }
        try await group.run()
    }

    /// Ends a server from within the program, as a signal does from outside.
    public final class Switch: Sendable {
        private let state = Mutex<(action: (@Sendable () async -> Void)?, isOff: Bool)>((nil, false))

        /// Not connected yet.
        public init() {}

        /// Ends the server: it takes nothing new and finishes what runs.
        public func stop() {
            let action = state.withLock { state in
                state.isOff = true
                return state.action
            }
            if let action { Task { await action() } }
        }

        fileprivate func connect(_ action: @escaping @Sendable () async -> Void) {
            let isOff = state.withLock { state in
                state.action = action
                return state.isOff
            }
            if isOff { Task { await action() } }
        }
    }

    private func application(onRunning: @escaping @Sendable (Int) async -> Void) throws -> some ApplicationProtocol {
        let connections = Connections()
        let service = AnswerService(
            options: options, host: host, metrics: ServerMetrics(registry),
            admission: Admission(limit: options.maximumBatch + options.maximumWaiting), connections: connections)
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [connections.makeHandler()],
            idleTimeout: .milliseconds(Int64(options.idleTimeout * 1000)))
        var builder = HTTPServerBuilder.http1(configuration: channel)
        if let files = options.tls { builder = try .tls(builder, tlsConfiguration: Self.tls(files)) }
        return Application(
            router: router(service), server: builder,
            configuration: ApplicationConfiguration(
                address: .hostname(options.host, port: options.port), serverName: "qwenvl"),
            onServerRunning: { await onRunning($0.localAddress?.port ?? options.port) }, logger: logger)
    }

    private static func tls(_ files: ServerOptions.TLSFiles) throws -> TLSConfiguration {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map {
                NIOSSLCertificateSource.certificate($0)
            }
            let key = try NIOSSLPrivateKey(file: files.key, format: .pem)
            return TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
        } catch {
            throw InputError(
                field: "tls", expected: "a certificate chain and a key, both PEM files",
                found: "\(files.certificate), \(files.key): \(error)")
        }
    }

    /// Method and path of every route, as the OpenAPI document writes them.
    package static func routes(of options: ServerOptions) -> [String] {
        let service = AnswerService(
            options: options, host: ModelHost(), metrics: ServerMetrics(PrometheusRegistry()),
            admission: Admission(limit: 1), connections: Connections())
        let server = Server(options, logger: Logging.Logger(label: "routes")) { _ in throw CancellationError() }
        return server.router(service).routes.map { route in
            // Hummingbird writes captures as `{name}` too.
            let path = "\(route.path)"
            return "\(route.method.rawValue) \(path.hasPrefix("/") ? path : "/" + path)"
        }
    }

    func router(_ service: AnswerService) -> Router<ServerContext> {
        let router = Router(context: ServerContext.self)
        router.add(middleware: RequestMiddleware(metrics: service.metrics))
        router.add(middleware: OriginMiddleware(allowed: options.allowedOrigins))
        // Whoever looks after the server has no key of its users; the page asks for one.
        let operation = OperationRoutes(service: service, registry: registry)
        router.get("health", use: operation.health)
        router.get("openapi.json", use: operation.openAPI)
        if options.servesPage {
            let page = PageRoutes()
            router.get("/", use: page.html)
            router.get("page.css", use: page.style)
            router.get("page.js", use: page.script)
        }
        let guarded = router.group().add(middleware: KeyMiddleware(options.apiKeys))
        guarded.get("metrics", use: operation.metrics)
        let models = ModelRoutes(service: service)
        guarded.get("v1/models", use: models.list)
        guarded.get("v1/models/:model", use: models.one)
        guarded.post("v1/chat/completions", use: ChatRoute(service: service).handle)
        guarded.post("v1/completions", use: CompletionRoute(service: service).handle)
        guarded.post("v1/responses", use: ResponsesRoute(service: service).handle)
        let tokens = TokenRoutes(service: service)
        guarded.post("tokenize", use: tokens.tokenize)
        guarded.post("detokenize", use: tokens.detokenize)
        return router
    }
}
