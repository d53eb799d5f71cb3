import Synchronization

/// Where an engine puts what it makes of one conversation: in order, from its own thread, without waiting.
package struct GenerationSink: Sendable {
    let put: @Sendable (GenerationEvent) -> Void
    let end: @Sendable ((any Error)?) -> Void

    /// - Parameters:
    ///   - put: takes an event; should be quick, as the model's next step waits for it.
    ///   - end: nothing more comes; the error is why, or nil after `finished`.
    package init(
        put: @escaping @Sendable (GenerationEvent) -> Void, end: @escaping @Sendable ((any Error)?) -> Void
    ) {
        self.put = put
        self.end = end
    }

    init(_ output: AsyncThrowingStream<GenerationEvent, any Error>.Continuation) {
        put = { output.yield($0) }
        end = { output.finish(throwing: $0) }
    }
}

/// Told by a caller that nobody waits any more; looked at once a step.
package final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)
    var isCancelled: Bool { flag.load(ordering: .relaxed) }

    package init() {}
    package func cancel() { flag.store(true, ordering: .relaxed) }
}
