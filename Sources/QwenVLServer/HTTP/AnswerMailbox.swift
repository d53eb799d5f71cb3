import QwenVL
import Synchronization

/// What waits between the engine and the one who writes to the client.
///
/// The engine never waits. A reader that does not keep up, or rests, finds the pieces of text that came meanwhile joined to
/// one: fewer events to write, and fewer for the client to read, exactly when everybody is busy.
package final class AnswerMailbox: Sendable {
    fileprivate struct State {
        var events: [AnswerEvent] = []
        var reader: CheckedContinuation<Void, Never>?
        /// The reader that waits for the end of its rest, and of which rest.
        var resting: (CheckedContinuation<Void, Never>, rest: Int)?
        var rests = 0
        /// How it ended, once it has.
        var end: Result<Void, any Error>?
        var whenOver: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    package init() {}

    /// Adds an event; after the end it is dropped.
    package func put(_ event: AnswerEvent) {
        let reader = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.end == nil else { return nil }
            state.add(event)
            if case .choice(_, .finished) = event { return state.awake() }
            return state.reader.take()
        }
        reader?.resume()
    }

    /// Nothing more comes; what is there can still be read. Only the first call counts.
    package func end(_ result: Result<Void, any Error>) {
        let (reader, whenOver) = state.withLock { state in
            if state.end == nil { state.end = result }
            return (state.awake(), state.whenOver.take())
        }
        whenOver?()
        reader?.resume()
    }

    /// Does `action` at the end, at once if it is past.
    package func whenOver(_ action: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if state.end == nil { state.whenOver = action }
            return state.end != nil
        }
        if isOver { action() }
    }

    /// Waits until `schedule` calls what it is given, or an answer ends: what comes meanwhile makes one piece. For the
    /// reader.
    package func rest(_ schedule: (_ wake: @escaping @Sendable () -> Void) -> Void) async {
        await withCheckedContinuation { continuation in
            let rest = state.withLock { state -> Int? in
                guard state.end == nil else { return nil }
                state.rests += 1
                state.resting = (continuation, state.rests)
                return state.rests
            }
            guard let rest else { return continuation.resume() }
            schedule { self.endRest(rest) }
        }
    }

    private func endRest(_ rest: Int) {
        let reader = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let resting = state.resting, resting.rest == rest else { return nil }
            state.resting = nil
            return resting.0
        }
        reader?.resume()
    }

    /// All events since the last call, in order within each choice; nil at the end. For one reader.
    /// - Throws: what the mailbox was ended with, `CancellationError`.
    package func next() async throws -> [AnswerEvent]? {
        while true {
            let (events, end) = state.withLock { state in
                let events = state.events
                state.events = []
                return (events, state.end)
            }
            if !events.isEmpty { return events }
            if let end {
                try end.get()
                return nil
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isNews = state.withLock { state in
                        let isNews = !state.events.isEmpty || state.end != nil
                        if !isNews { state.reader = continuation }
                        return isNews
                    }
                    if isNews { continuation.resume() }
                }
            } onCancel: {
                self.end(.failure(CancellationError()))
            }
        }
    }
}

extension AnswerMailbox.State {
    /// Whoever waits, for news or for the end of its rest.
    fileprivate mutating func awake() -> CheckedContinuation<Void, Never>? {
        defer { resting = nil }
        return resting?.0 ?? reader.take()
    }

    fileprivate mutating func add(_ event: AnswerEvent) {
        guard case .choice(let number, .text(let delta)) = event,
            let last = events.lastIndex(where: { $0.number == number }),
            case .choice(_, .text(var joined)) = events[last]
        else {
            events.append(event)
            return
        }
        joined.text += delta.text
        joined.tokenIDs += delta.tokenIDs
        joined.logprobs += delta.logprobs
        events[last] = .choice(number, .text(joined))
    }
}

extension AnswerEvent {
    /// Whose it is; nil for a pause.
    fileprivate var number: Int? {
        guard case .choice(let number, _) = self else { return nil }
        return number
    }
}
