import AsyncHTTPClient
import ChatTemplate
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
public import QwenVL

/// A model behind an OpenAI-compatible server, asked in the same way as an ``Engine`` in this process.
///
/// ```swift
/// let model = RemoteModel("http://127.0.0.1:8080")
/// let answer = try await model.reply(to: [.user(.image(path: "cat.jpg"), .text("What is this?"))])
/// ```
/// Files that messages name are read here and sent along: the server need not see them. With servers other than
/// `qwenvl serve`, token ids and sizes of pictures may be missing from the answers.
public struct RemoteModel: ChatModel {
    /// Where there is no server, that is the answer: nothing is tried again.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private let address: String
    private let name: String
    private let key: String?
    private let timeout: TimeAmount

    /// - Parameters:
    ///   - address: the server's address without `/v1`: `http://127.0.0.1:8080`.
    ///   - model: the name of the model there; empty for the server's only one.
    ///   - key: the key that the server asks for.
    ///   - timeout: seconds that an answer may take.
    public init(_ address: String, model: String = "", key: String? = nil, timeout: Double = 1800) {
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
        name = model
        self.key = key
        self.timeout = .milliseconds(Int64(timeout * 1000))
    }

    /// Whether the server is there and has its model loaded.
    public func isReady() async -> Bool {
        let request = HTTPClientRequest(url: address + "/health")
        let response = try? await Self.client.execute(request, timeout: .seconds(10))
        return response?.status == .ok
    }

    /// Answers one conversation, piece by piece. Ending the iteration ends the request, and so the work.
    /// - Returns: throws ``QwenVLError``: `remote` for what the server says.
    public func stream(
        _ messages: [ChatMessage], tools: [JSONValue], options: GenerationOptions
    ) -> AsyncThrowingStream<GenerationEvent, any Error> {
        AsyncThrowingStream { output in
            let task = Task {
                do {
                    let body = try RemoteRequest(model: name, messages: messages, tools: tools, options: options).json
                    try await answer(body, to: output)
                    output.finish()
                } catch {
                    output.finish(throwing: Self.described(error))
                }
            }
            output.onTermination = { _ in task.cancel() }
        }
    }

    private func answer(
        _ body: TemplateValue, to output: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    ) async throws {
        var request = HTTPClientRequest(url: address + "/v1/chat/completions")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        request.body = .bytes(ByteBuffer(string: body.serialized(.compact)))
        let response = try await Self.client.execute(request, timeout: timeout)
        guard response.status == .ok else {
            let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
            throw RemoteAnswer.failure(status: Int(response.status.code), body: text)
        }
        var answer = RemoteAnswer()
        var rest = ByteBuffer()
        for try await part in response.body {
            rest.writeImmutableBuffer(part)
            while let event = rest.readEvent() {
                for event in try answer.take(event) { output.yield(event) }
            }
            rest.discardReadBytes()
        }
        output.yield(.finished(try answer.completion()))
    }

    private static func described(_ error: any Error) -> any Error {
        switch error {
        case is CancellationError, is QwenVLError: error
        case let error as InputError: QwenVLError.input(error)
        case let error as HTTPClientError where error == .cancelled: CancellationError()
        default: QwenVLError.remote(status: 0, reason: "\(error)")
        }
    }
}

extension ByteBuffer {
    /// The data of the next whole server-sent event; nil when there is none yet.
    fileprivate mutating func readEvent() -> String? {
        let bytes = readableBytesView
        guard
            let end = zip(bytes.indices, bytes.indices.dropFirst()).first(where: { bytes[$0] == 10 && bytes[$1] == 10 })
        else { return nil }
        guard let text = readString(length: end.1 - readerIndex + 1) else { return nil }
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("data: ") }.map { $0.dropFirst(6) }
        return lines.joined(separator: "\n")
    }
}
