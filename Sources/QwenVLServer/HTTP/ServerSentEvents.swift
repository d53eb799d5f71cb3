import ChatTemplate
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Server-sent events: what streams to the client, piece by piece.
enum ServerSentEvent {
    static func data(_ value: JSON) -> ByteBuffer { ByteBuffer(string: "data: \(value.serialized(.compact))\n\n") }

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
            let render = render()
            do {
                for try await event in answers {
                    if case .pause = event {
                        try await writer.write(pause)
                    } else {
                        let buffers = render(event)
                        if !buffers.isEmpty { try await writer.write(contentsOf: buffers) }
                    }
                }
                try await writer.write(contentsOf: render(nil))
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
}

extension HTTPField.Name {
    /// Tells nginx not to gather what streams.
    static let accelBuffering = HTTPField.Name("X-Accel-Buffering") ?? .date
}
