import ChatTemplate
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import QwenVL

/// What belongs to one request.
struct ServerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    let received = ContinuousClock.now
    /// Shown in the log and in the reply's `x-request-id`.
    var requestID = uniqueName("req_")
    /// Who asks: the key's place in the list, or the address. Places in the batch are dealt out by it.
    var client: String

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        client = source.channel.remoteAddress?.ipAddress ?? "local"
    }
}

extension Request {
    /// The body as a JSON document, within the limits of size and time.
    /// - Throws: ``APIError``, `InputError`.
    func json(_ options: ServerOptions, context: ServerContext) async throws -> JSONField {
        if let type = headers[.contentType], !type.lowercased().contains("json") {
            // Browsers send forms and plain text anywhere unasked, JSON only where they are allowed to.
            throw APIError(
                .unsupportedMediaType, "Content-Type: expected application/json, found \(type.prefix(80))",
                code: "unsupported_media_type")
        }
        if let encoding = headers[.contentEncoding], encoding.lowercased() != "identity" {
            throw APIError(
                .unsupportedMediaType, "Content-Encoding: expected none, found \(encoding.prefix(80))",
                code: "unsupported_media_type")
        }
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > options.maximumBodyBytes {
            context.closeSoon()
            throw APIError.bodyTooLarge
        }
        let body: ByteBuffer
        do {
            body = try await within(seconds: options.bodyTimeout, or: APIError.bodyTimedOut) {
                try await self.body.collect(upTo: options.maximumBodyBytes)
            }
        } catch {
            // What is left of the body will not be read.
            context.closeSoon()
            if error is APIError || error is NIOTooManyBytesError { throw error }
            // The connection broke, or what came over it is no HTTP.
            throw APIError(.badRequest, "The request's body did not arrive whole.", code: "broken_body")
        }
        return JSONField(try JSON.parse(body.readableBytesView, named: "the request's body"), path: "")
    }
}

extension ServerContext {
    /// Closes the connection once the reply has had time to leave.
    func closeSoon() {
        let channel = channel
        channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
    }
}

/// Runs `body`, for so long at most.
func within<Value: Sendable>(
    seconds: Double, or timeout: some Error, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .seconds(seconds))
            throw timeout
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw timeout }
        return value
    }
}
