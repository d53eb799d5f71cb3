import ChatTemplate
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Server-sent events: what streams to the client, piece by piece.
enum ServerSentEvent {
    static func data(_ value: JSON) -> ByteBuffer { data(value.serialized(.compact)) }

    /// - Parameter json: on one line.
    static func data(_ json: String) -> ByteBuffer { ByteBuffer(string: "data: \(json)\n\n") }

    static func named(_ name: String, _ value: JSON) -> ByteBuffer {
        ByteBuffer(string: "event: \(name)\ndata: \(value.serialized(.compact))\n\n")
    }

    /// A comment, which clients skip.
    static let pause = ByteBuffer(string: ": waiting\n\n")
    static let done = ByteBuffer(string: "data: [DONE]\n\n")

    /// A reply of events.
    /// - Parameters:
    ///   - scope: held until the last event is written.
    ///   - render: what each event becomes; called with nil at the end.
    ///   - failure: what an error becomes.
    static func response(
        _ answers: Answers, scope: AnswerScope,
        render: @escaping @Sendable () -> (AnswerEvent?) -> [ByteBuffer],
        failure: @escaping @Sendable (APIError) -> [ByteBuffer]
    ) -> Response {
        let body = ResponseBody { writer in
            defer { withExtendedLifetime(scope) {} }
            let loop = EventLoopExecutor(scope.context.channel.eventLoop)
            do {
                try await withTaskExecutorPreference(loop) {
                    try await write(answers, to: &writer, render()) { wake in
                        scope.context.channel.eventLoop.scheduleTask(in: gathering, wake)
                    }
                }
            } catch {
                if error is ClientGone { throw error }
                scope.context.logger.warning("answer broken off", metadata: ["error": "\(error)"])
                try await writer.write(contentsOf: failure(APIError(error)))
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache",
                .accelBuffering: "no",
            ], body: body)
    }

    /// After each piece of text the next waits so long for company: nobody sees the difference, and a model that is faster than a
    /// thousand tokens a second does not spend half of the machine on writing them one by one.
    private static let gathering = TimeAmount.milliseconds(5)

    private static func write(
        _ answers: Answers, to writer: inout any ResponseBodyWriter, _ render: (AnswerEvent?) -> [ByteBuffer],
        rest: (_ wake: @escaping @Sendable () -> Void) -> Void
    ) async throws {
        while let events = try await answers.next() {
            var text = ByteBuffer()
            for event in events {
                if case .pause = event {
                    text.writeImmutableBuffer(pause)
                } else {
                    for buffer in render(event) { text.writeImmutableBuffer(buffer) }
                }
            }
            if text.readableBytes > 0 { try await writer.write(text) }
            if events.contains(where: \.isText) { await answers.mailbox.rest(rest) }
        }
        try await writer.write(contentsOf: render(nil))
    }
}

extension HTTPField.Name {
    /// Tells nginx not to gather what streams.
    static let accelBuffering = HTTPField.Name("X-Accel-Buffering") ?? .date
}
