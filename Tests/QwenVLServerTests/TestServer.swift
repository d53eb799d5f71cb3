import AsyncHTTPClient
import ChatTemplate
import Foundation
import Logging
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOSSL
import QwenVL
import Testing

import QwenVLServer

/// A server on a free port of this machine, with the smallest of the library's test checkpoints.
final class TestServer: Sendable {
    private let loaded: Engine?
    /// The engine, where it was there from the start.
    var engine: Engine {
        get throws { try #require(loaded) }
    }
    let port: Int
    private let task: Task<Void, any Error>
    private let group: Server.Switch

    var url: String { "http://127.0.0.1:\(port)" }

    /// One directory of weights and tokenizer, shared with the library's own tests.
    static let checkpoint: Result<String, any Error> = Result {
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "QwenVLTests/Fixtures")
        let target = FileManager.default.temporaryDirectory.appending(path: "qwenvl-server-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
        for folder in ["Tokenizer", "Checkpoints/tied-bfloat16"] {
            let source = fixtures.appending(path: folder)
            for file in try FileManager.default.contentsOfDirectory(atPath: source.path) {
                try FileManager.default.createSymbolicLink(
                    at: target.appending(path: file), withDestinationURL: source.appending(path: file))
            }
        }
        return target.path
    }

    /// A picture of the library's tests, as clients send it.
    static func picture() throws -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "QwenVLTests/Fixtures/Pictures")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".png") }
        let name = try #require(names.sorted().first)
        return folder.appending(path: name).path
    }

    static func engine(_ change: (inout EngineOptions) -> Void = { _ in }) async throws -> Engine {
        var options = EngineOptions()
        options.weights = .float32
        options.cacheTokens = 4096
        options.processor.media = .local
        change(&options)
        return try await Engine.load(checkpoint.get(), options: options)
    }

    convenience init(_ change: (inout ServerOptions) -> Void = { _ in }) async throws {
        try await self.init(change, loading: nil)
    }

    /// A server that loads its model while it is listening.
    convenience init(loading: @escaping @Sendable () async throws -> Engine) async throws {
        try await self.init({ _ in }, loading: loading)
    }

    private init(
        _ change: (inout ServerOptions) -> Void, loading: (@Sendable () async throws -> Engine)?
    ) async throws {
        loaded = loading == nil ? try await Self.engine() : nil
        var options = ServerOptions()
        options.port = 0
        options.modelNames = ["tiny"]
        options.shutdownTimeout = 20
        change(&options)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let group = Server.Switch()
        self.group = group
        let logger = LogFormat.text.logger("test", level: .critical)
        let server =
            if let loaded {
                Server(options, logger: logger, engine: loaded)
            } else {
                Server(options, logger: logger) { _ in
                    guard let loading else { throw CancellationError() }
                    return try await loading()
                }
            }
        task = Task {
            defer { continuation.finish() }
            try await server.run(signals: [], stop: group) { continuation.yield($0) }
        }
        var first: Int?
        for await port in ports {
            first = port
            break
        }
        guard let first else {
            try await task.value
            throw CancellationError()
        }
        port = first
    }

    deinit { task.cancel() }

    /// Ends the server as a cancelled task does.
    func stop() async {
        task.cancel()
        _ = await task.result
    }

    /// Ends the server as a signal does.
    func shutDown() async {
        group.stop()
        _ = await task.result
    }

    /// The status of `/health` over TLS.
    func healthOverTLS(trusting certificate: String) async throws -> Int {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(certificate)
        let client = HTTPClient(configuration: .init(tlsConfiguration: tls))
        do {
            let request = HTTPClientRequest(url: "https://localhost:\(port)/health")
            let response = try await client.execute(request, timeout: .seconds(10))
            _ = try await response.body.collect(upTo: 1 << 20)
            try await client.shutdown()
            return Int(response.status.code)
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    // MARK: Requests

    struct Reply {
        let status: Int
        let headers: [(String, String)]
        let text: String

        func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
        var json: TemplateValue { get throws { try TemplateValue(json: text) } }
        var error: TemplateValue? { (try? json)?["error"] }

        /// The data of each server-sent event.
        var events: [TemplateValue] {
            get throws {
                try text.split(separator: "\n").filter { $0.hasPrefix("data: ") && $0 != "data: [DONE]" }
                    .map { try TemplateValue(json: $0.dropFirst(6).utf8) }
            }
        }
    }

    func send(
        _ method: String, _ path: String, body: String? = nil, headers: [(String, String)] = []
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: url + path)
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body {
            if request.headers["Content-Type"].isEmpty {
                request.headers.add(name: "Content-Type", value: "application/json")
            }
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let text = String(buffer: try await response.body.collect(upTo: 64 << 20))
        return Reply(
            status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) }, text: text)
    }

    func post(_ path: String, _ body: TemplateValue) async throws -> Reply {
        try await send("POST", path, body: body.serialized(.compact))
    }
}

extension TemplateValue {
    subscript(index: Int) -> TemplateValue? {
        if case .list(let items) = self, items.indices.contains(index) { items[index] } else { nil }
    }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var number: Int? { if case .integer(let number) = self { number } else { nil } }
    var items: [TemplateValue] { if case .list(let items) = self { items } else { [] } }
}

/// What most tests ask.
enum Asked {
    static let greedy: [(String, TemplateValue)] = [
        ("temperature", 0), ("max_tokens", 8), ("ignore_eos", true), ("return_token_ids", true),
    ]

    static func chat(
        _ text: String = "What do you see?", picture: Bool = false, _ more: [(String, TemplateValue)] = []
    ) throws -> TemplateValue {
        var parts: [TemplateValue] = []
        if picture {
            let data = try Data(contentsOf: URL(fileURLWithPath: TestServer.picture()))
            let uri = "data:image/png;base64," + data.base64EncodedString()
            parts.append(["type": "image_url", "image_url": ["url": .string(uri)]])
        }
        parts.append(["type": "text", "text": .string(text)])
        var members = greedy
        for (key, value) in more {
            members.removeAll { $0.0 == key }
            members.append((key, value))
        }
        return .mapping(
            [("messages", [["role": "user", "content": .list(parts)]])] + members)
    }
}
