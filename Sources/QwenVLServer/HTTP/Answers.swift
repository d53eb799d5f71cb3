import Hummingbird
import Logging
import NIOCore
import QwenVL
import Synchronization

/// What comes while the answers to one request are made.
enum AnswerEvent: Sendable {
    /// Something of one of the choices.
    case choice(Int, GenerationEvent)
    /// Nothing came for a while; whoever streams says so, and proxies keep the connection.
    case pause
}

/// Whose request it is, how long it may take, and who wants to know how long it took.
struct AnswerScope: Sendable {
    let context: ServerContext
    let connections: Connections
    let metrics: ServerMetrics
    let timeout: Double
    /// Held until the reply has been written.
    let place: Admission.Place
}

/// The answers to one request, side by side. The sequence ends early, and with it the work, when the client goes or
/// the time is up.
typealias Answers = AsyncThrowingStream<AnswerEvent, any Error>

extension AnswerScope {
    /// Proxies commonly close what has been silent for a minute or half of one.
    private static let pause = Duration.seconds(15)

    /// Queues a prompt once for each of the options.
    /// - Throws: what the engine throws when it does not take it, `ClientGone`.
    func start(_ engine: Engine, _ prompt: PreparedPrompt, options: [GenerationOptions]) async throws -> Answers {
        try await start(engine, [(prompt: prompt, options: options)])
    }

    /// Queues several prompts, each once for each of its options. Choices are numbered through.
    func start(
        _ engine: Engine, _ work: [(prompt: PreparedPrompt, options: [GenerationOptions])]
    ) async throws -> Answers {
        let (answers, output) = Answers.makeStream()
        let forwarding = Forwarding()
        let context = context
        let token = connections.onClose(of: context.channel) { output.finish(throwing: ClientGone()) }
        output.onTermination = { [connections] _ in
            connections.forget(token, of: context.channel)
            forwarding.end()
        }
        do {
            var streams: [AsyncThrowingStream<GenerationEvent, any Error>] = []
            for (prompt, options) in work {
                streams += try await engine.start(prompt, options: options, client: context.client)
            }
            forwarding.begin(Task { [streams] in await forward(streams, to: output) })
        } catch {
            output.finish(throwing: error)
            throw error
        }
        return answers
    }

    private func forward(
        _ streams: [AsyncThrowingStream<GenerationEvent, any Error>], to output: Answers.Continuation
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for (choice, stream) in streams.enumerated() {
                group.addTask {
                    do {
                        var clock = TokenClock(received: context.received, metrics: metrics)
                        for try await event in stream {
                            clock.note(event)
                            if case .finished(let completion) = event { log(completion, clock) }
                            output.yield(.choice(choice, event))
                        }
                    } catch {
                        output.finish(throwing: error)
                    }
                }
            }
            // Ends with the others: it is cancelled when they are done.
            let watch = Task {
                let end = context.received.advanced(by: .seconds(timeout))
                while ContinuousClock.now < end {
                    try await Task.sleep(until: min(end, .now.advanced(by: Self.pause)))
                    output.yield(.pause)
                }
                output.finish(throwing: APIError.timedOut)
            }
            await group.waitForAll()
            watch.cancel()
        }
        output.finish()
    }

    private func log(_ completion: Completion, _ clock: TokenClock) {
        context.logger.info(
            "answer",
            metadata: [
                "prompt_tokens": "\(completion.usage.promptTokens)",
                "cached_tokens": "\(completion.usage.cachedTokens)",
                "completion_tokens": "\(completion.usage.completionTokens)",
                "finish_reason": "\(completion.finishReason.rawValue)",
                "first_token_seconds": "\((clock.untilFirst * 1000).rounded() / 1000)",
            ])
    }

    /// The task that forwards, which may have to end before it is known.
    private final class Forwarding: Sendable {
        private let state = Mutex<(task: Task<Void, Never>?, isOver: Bool)>((nil, false))

        func begin(_ task: Task<Void, Never>) {
            let isOver = state.withLock { state in
                state.task = task
                return state.isOver
            }
            if isOver { task.cancel() }
        }

        func end() {
            let task = state.withLock { state in
                state.isOver = true
                return state.task
            }
            task?.cancel()
        }
    }
}

/// Times of an answer's tokens.
private struct TokenClock {
    let received: ContinuousClock.Instant
    let metrics: ServerMetrics
    private var last: ContinuousClock.Instant?
    private(set) var untilFirst = 0.0

    init(received: ContinuousClock.Instant, metrics: ServerMetrics) {
        self.received = received
        self.metrics = metrics
    }

    mutating func note(_ event: GenerationEvent) {
        guard case .text(let delta) = event, !delta.tokenIDs.isEmpty else { return }
        let now = ContinuousClock.now
        if let last {
            metrics.nextToken(seconds: last.duration(to: now).inSeconds)
        } else {
            untilFirst = received.duration(to: now).inSeconds
            metrics.firstToken(seconds: untilFirst)
        }
        last = now
    }
}

extension Answers {
    /// All answers whole.
    func completions(_ count: Int) async throws -> [Completion] {
        var completions = [Completion?](repeating: nil, count: count)
        for try await case .choice(let index, .finished(let completion)) in self { completions[index] = completion }
        let whole = completions.compactMap { $0 }
        // An engine whose answers end without a word has been cancelled.
        guard whole.count == count else { throw CancellationError() }
        return whole
    }
}
