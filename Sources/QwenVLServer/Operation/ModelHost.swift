import Foundation
import Logging
import QwenVL
import ServiceLifecycle
import Synchronization

/// The model's way from a directory to an engine, and whether requests may come.
final class ModelHost: Sendable {
    enum State: Sendable {
        case loading(Double)
        case ready(Engine)
        case stopping(Engine?)
    }

    private let state: Mutex<State>
    /// Seconds since 1970.
    let created = unixTime()

    init() { state = Mutex(.loading(0)) }
    init(_ engine: Engine) { state = Mutex(.ready(engine)) }

    var current: State { state.withLock { $0 } }

    /// The engine, when it can be asked.
    /// - Throws: ``APIError`` while the model is loading and when the server ends.
    func engine() throws -> Engine {
        switch current {
        case .ready(let engine): return engine
        case .loading(let fraction): throw APIError.loading(fraction)
        case .stopping: throw APIError.stopping
        }
    }

    /// The engine if there is one, for figures.
    var loaded: Engine? {
        switch current {
        case .ready(let engine): engine
        case .loading: nil
        case .stopping(let engine): engine
        }
    }

    fileprivate func report(_ fraction: Double) {
        state.withLock { if case .loading = $0 { $0 = .loading(fraction) } }
    }

    fileprivate func finish(_ engine: Engine) {
        state.withLock { if case .loading = $0 { $0 = .ready(engine) } }
    }

    fileprivate func stop() {
        state.withLock { state in
            switch state {
            case .ready(let engine): state = .stopping(engine)
            case .loading: state = .stopping(nil)
            case .stopping: break
            }
        }
    }
}

/// Loads the model while the server is listening already, then waits for the end.
struct ModelService: Service {
    let host: ModelHost
    /// Nil when the engine is there from the start.
    let load: (@Sendable (_ progress: @escaping @Sendable (LoadProgress) -> Void) async throws -> Engine)?
    let logger: Logger

    func run() async throws {
        try await withGracefulShutdownHandler {
            if let load {
                let start = ContinuousClock.now
                let engine = try await load { host.report($0.fraction) }
                host.finish(engine)
                logger.info(
                    "ready",
                    metadata: ["load_seconds": "\(String(format: "%.2f", start.duration(to: .now).inSeconds))"])
            }
            try await gracefulShutdown()
        } onGracefulShutdown: {
            // Those who come now over connections that stay open are told; those under way are served.
            host.stop()
        }
    }
}
