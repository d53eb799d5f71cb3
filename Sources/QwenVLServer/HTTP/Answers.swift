import Hummingbird
import Logging
import NIOCore
package import QwenVL
import Synchronization

/// What comes while the answers to one request are made.
package enum AnswerEvent: Sendable {
    /// Something of one of the choices.
    case choice(Int, GenerationEvent)
    /// Nothing came for a while; whoever streams says so, and proxies keep the connection.
    case pause

    var isText: Bool {
        guard case .choice(_, .text) = self else { return false }
        return true
    }
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

extension AnswerScope {
    /// Proxies commonly close what has been silent for a minute or half of one.
    private static let pause = Duration.seconds(15)

    /// Queues a prompt once for each of the options.
    /// - Throws: what the engine throws when it does not take it.
    func start(_ engine: Engine, _ prompt: PreparedPrompt, options: [GenerationOptions]) async throws -> Answers {
        try await start(engine, [(prompt: prompt, options: options)])
    }

    /// Queues several prompts, each once for each of its options. Choices are numbered through.
    func start(
        _ engine: Engine, _ work: [(prompt: PreparedPrompt, options: [GenerationOptions])]
    ) async throws -> Answers {
        let clocks = work.flatMap(\.options).map { _ in TokenClock(received: context.received, metrics: metrics) }
        let answers = Answers(clocks, logger: context.logger)
        let mailbox = answers.mailbox
        let cancellation = Cancellation()
        let watch = watch(mailbox)
        let channel = context.channel
        let token = connections.onClose(of: channel) { mailbox.end(.failure(ClientGone())) }
        mailbox.whenOver { [connections] in
            connections.forget(token, of: channel)
            cancellation.cancel()
            watch.cancel()
        }
        try await engine.start(work, client: context.client, cancellation: cancellation) { number in
            GenerationSink(
                put: { event in
                    clocks[number].note(event)
                    mailbox.put(.choice(number, event))
                },
                end: { error in
                    // An answer's last event ends it; what is told here is that one came to no end.
                    if let error { mailbox.end(.failure(error)) }
                })
        }
        return answers
    }

    /// Says that the work goes on where nothing comes, and ends what takes too long.
    private func watch(_ mailbox: AnswerMailbox) -> Task<Void, any Error> {
        let end = context.received.advanced(by: .seconds(timeout))
        return Task {
            while ContinuousClock.now < end {
                try await Task.sleep(until: min(end, .now.advanced(by: Self.pause)))
                mailbox.put(.pause)
            }
            mailbox.end(.failure(APIError.timedOut))
        }
    }
}

/// The answers to one request, side by side. The work ends when the client goes, when the time is up, and when nobody
/// holds this any more.
final class Answers: Sendable {
    let mailbox = AnswerMailbox()
    private let clocks: [TokenClock]
    private let finished = Mutex(0)
    private let logger: Logger

    /// - Parameter clocks: one for each answer.
    fileprivate init(_ clocks: [TokenClock], logger: Logger) {
        self.clocks = clocks
        self.logger = logger
    }

    deinit { mailbox.end(.success(())) }

    /// What has come since the last call, at least one event; nil when all answers are whole.
    /// - Throws: why they will not be.
    func next() async throws -> [AnswerEvent]? {
        guard finished.withLock({ $0 < clocks.count }), let events = try await mailbox.next() else { return nil }
        for case .choice(let number, .finished(let completion)) in events {
            finished.withLock { $0 += 1 }
            log(completion, clocks[number])
        }
        return events
    }

    /// All answers whole.
    func completions() async throws -> [Completion] {
        var completions = [Completion?](repeating: nil, count: clocks.count)
        while let events = try await next() {
            for case .choice(let index, .finished(let completion)) in events { completions[index] = completion }
        }
        return completions.compactMap { $0 }
    }

    private func log(_ completion: Completion, _ clock: TokenClock) {
        logger.info(
            "answer",
            metadata: [
                "prompt_tokens": "\(completion.usage.promptTokens)",
                "cached_tokens": "\(completion.usage.cachedTokens)",
                "completion_tokens": "\(completion.usage.completionTokens)",
                "finish_reason": "\(completion.finishReason.rawValue)",
                "first_token_seconds": "\((clock.untilFirst * 1000).rounded() / 1000)",
            ])
    }
}

/// Times of an answer's tokens, as the engine makes them.
private final class TokenClock: Sendable {
    private let received: ContinuousClock.Instant
    private let metrics: ServerMetrics
    private let tokens = Mutex<(first: ContinuousClock.Instant, last: ContinuousClock.Instant)?>(nil)

    init(received: ContinuousClock.Instant, metrics: ServerMetrics) {
        self.received = received
        self.metrics = metrics
    }

    /// Seconds from the request to its first token.
    var untilFirst: Double { tokens.withLock { $0.map { received.duration(to: $0.first).inSeconds } ?? 0 } }

    func note(_ event: GenerationEvent) {
        guard case .text(let delta) = event, !delta.tokenIDs.isEmpty else { return }
        let now = ContinuousClock.now
        let before = tokens.withLock { tokens in
            defer { tokens = (tokens?.first ?? now, now) }
            return tokens?.last
        }
        if let before {
            metrics.nextToken(seconds: before.duration(to: now).inSeconds)
        } else {
            metrics.firstToken(seconds: received.duration(to: now).inSeconds)
        }
    }
}
