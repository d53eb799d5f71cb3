import ChatTemplate
import Foundation
import Logging
import NIOCore
import QwenVL
import QwenVLClient
import Testing

import QwenVLServer

/// Who is let in, what is refused and how, and how a server comes and goes.
@Suite struct OperationTests {
    // MARK: Errors

    /// The body, the status, and the parameter that the error names.
    @Test(arguments: [
        ("", 400, nil), ("{", 400, nil), ("[1]", 400, nil), ("{}", 400, "messages"),
        (#"{"messages": []}"#, 400, "messages"),
        (#"{"messages": [{"role": "user"}]}"#, 400, "messages[0].content"),
        (#"{"messages": [{"role": "user", "content": 7}]}"#, 400, "messages[0].content"),
        (#"{"messages": [{"role": "user", "content": "x"}], "model": "other"}"#, 404, "model"),
        (#"{"messages": [{"role": "user", "content": "x"}], "temperature": "hot"}"#, 400, "temperature"),
        (#"{"messages": [{"role": "user", "content": "x"}], "top_p": 2}"#, 400, "top_p"),
        (#"{"messages": [{"role": "user", "content": "x"}], "n": 1000}"#, 400, "n"),
        (#"{"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}"#, 400, "max_tokens"),
        (#"{"messages": [{"role": "user", "content": "x"}], "stop": [""]}"#, 400, "stop[0]"),
        (#"{"messages": [{"role": "user", "content": "x"}], "logit_bias": {"a": 1}}"#, 400, "logit_bias"),
        (#"{"messages": [{"role": "user", "content": "x"}], "logit_bias": {"99999999": 1}}"#, 400, "logit_bias"),
        (#"{"messages": [{"role": "user", "content": "x"}], "top_logprobs": 3}"#, 400, "top_logprobs"),
        (#"{"messages": [{"role": "user", "content": "x"}], "grammar": "x"}"#, 400, "grammar"),
        (
            #"{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "xml"}}"#, 400,
            "response_format.type"
        ),
        (
            #"{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "string", "pattern": "a+"}}}}"#,
            400, "schema.pattern"
        ),
        (
            #"{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "/etc/passwd"}}]}]}"#,
            400, "messages[0].content"
        ),
        (
            #"{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}]}"#,
            400, "messages[0].content[0].image_url.url"
        ),
    ])
    func errorsNameTheField(_ body: String, status: Int, parameter: String?) async throws {
        let server = try await Self.shared.get()
        let reply = try await server.send("POST", "/v1/chat/completions", body: body)
        #expect(reply.status == status, "\(reply.text)")
        let error = try #require(reply.error)
        #expect(error["message"]?.text?.isEmpty == false)
        #expect(error["type"]?.text == "invalid_request_error")
        if let parameter { #expect(error["param"]?.text == parameter, "\(reply.text)") }
    }

    /// One server for the tests that change nothing about it.
    private static let shared = Shared()
    private actor Shared {
        private var server: Task<TestServer, any Error>?
        func get() async throws -> TestServer {
            let task = server ?? Task { try await TestServer() }
            server = task
            return try await task.value
        }
    }

    @Test func otherAddressesAndBodies() async throws {
        let server = try await TestServer { $0.maximumBodyBytes = 10_000 }
        let missing = try await server.send("GET", "/v2/nothing")
        #expect(missing.status == 404)
        #expect(missing.error?["code"]?.text == "unknown_url")
        #expect(missing.header("X-Request-ID")?.hasPrefix("req_") == true)
        let large = try await server.post(
            "/v1/chat/completions", Asked.chat(String(repeating: "word ", count: 3000)))
        #expect(large.status == 413)
        #expect(large.error?["code"]?.text == "request_too_large")
        let form = try await server.send(
            "POST", "/v1/chat/completions", body: "{}", headers: [("Content-Type", "text/plain")])
        #expect(form.status == 415)
        let named = try await server.send("GET", "/health", headers: [("X-Request-ID", "my-name_7")])
        #expect(named.header("X-Request-ID") == "my-name_7")
    }

    @Test func longPromptsAreRefusedBeforeTheyWait() async throws {
        let server = try await Self.shared.get()
        let reply = try await server.post(
            "/v1/chat/completions", Asked.chat(String(repeating: "a b c d ", count: 2000)))
        #expect(reply.status == 400)
        #expect(reply.error?["code"]?.text == "context_length_exceeded")
    }

    // MARK: Keys and origins

    @Test func keysAreNeeded() async throws {
        let server = try await TestServer { $0.apiKeys = ["first-key", "second-key"] }
        for key in [nil, "", "third-key", "first-ke", "first-keys"] {
            let headers = key.map { [("Authorization", "Bearer \($0)")] } ?? []
            let reply = try await server.send("GET", "/v1/models", headers: headers)
            #expect(reply.status == 401)
            #expect(reply.error?["code"]?.text == "invalid_api_key")
        }
        for key in ["first-key", "second-key"] {
            let reply = try await server.send("GET", "/v1/models", headers: [("Authorization", "Bearer \(key)")])
            #expect(reply.status == 200)
        }
        #expect(try await server.send("GET", "/health").status == 200)
        #expect(try await server.send("GET", "/metrics").status == 401)
    }

    @Test func keysAreComparedWhole() {
        func isEqual(_ one: String, _ other: String) -> Bool {
            ConstantTime.isEqual(Array(one.utf8), Array(other.utf8))
        }
        #expect(isEqual("abc", "abc"))
        for other in ["", "a", "ab", "abcabc", "abd", "bbc"] { #expect(!isEqual("abc", other)) }
        #expect(!isEqual("", ""))
        #expect(!isEqual("aaaa", "aa"))
    }

    @Test func originsAreAllowedByName() async throws {
        let server = try await TestServer { $0.allowedOrigins = ["https://good.example"] }
        let good = try await server.send("GET", "/health", headers: [("Origin", "https://good.example")])
        #expect(good.header("Access-Control-Allow-Origin") == "https://good.example")
        let bad = try await server.send("GET", "/health", headers: [("Origin", "https://bad.example")])
        #expect(bad.header("Access-Control-Allow-Origin") == nil)
        let asked = try await server.send(
            "OPTIONS", "/v1/chat/completions",
            headers: [("Origin", "https://good.example"), ("Access-Control-Request-Headers", "authorization")])
        #expect(asked.status == 204)
        #expect(asked.header("Access-Control-Allow-Headers") == "authorization")
    }

    // MARK: Coming and going

    /// It listens at once, says that it is loading, and then answers.
    @Test func isNotReadyWhileLoading() async throws {
        let (gate, open) = AsyncStream<Void>.makeStream()
        let server = try await TestServer(loading: {
            for await _ in gate { break }
            return try await TestServer.engine()
        })
        let health = try await server.send("GET", "/health")
        #expect(health.status == 503)
        #expect(try health.json["status"]?.text == "loading")
        let early = try await server.post("/v1/chat/completions", Asked.chat())
        #expect(early.status == 503)
        #expect(early.error?["code"]?.text == "loading")
        open.yield()
        while try await server.send("GET", "/health").status != 200 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try await server.post("/v1/chat/completions", Asked.chat()).status == 200)
    }

    /// Waits until an answer runs; or until more than `ended` have ended: on a busy machine one may end before it is seen.
    private func untilSomethingRuns(_ server: TestServer, ended: Int) async throws {
        while try server.engine.statistics.running == 0, try server.engine.statistics.finished == ended {
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    @Test func refusesWhatItCannotHold() async throws {
        let server = try await TestServer {
            $0.maximumBatch = 1
            $0.maximumWaiting = 0
        }
        // On a busy machine the first may have ended before the second is looked at: then it is no question yet.
        for attempt in 1... {
            let ended = try server.engine.statistics.finished
            let first = Task {
                try await server.post("/v1/chat/completions", Asked.chat("One", [("max_tokens", 3500)]))
            }
            try await untilSomethingRuns(server, ended: ended)
            let second = try await server.post("/v1/chat/completions", Asked.chat("Two"))
            #expect(try await first.value.status == 200)
            if second.status == 200, attempt < 20 { continue }
            #expect(second.status == 503)
            #expect(second.error?["code"]?.text == "overloaded")
            #expect(second.header("Retry-After") != nil)
            break
        }
        #expect(try await server.post("/v1/chat/completions", Asked.chat("Three")).status == 200)
    }

    @Test func aClientThatGoesFreesItsPlace() async throws {
        let server = try await TestServer()
        for isStreaming in [false, true] {
            // On a busy machine the answer may have ended before its client goes: then another is asked for.
            for attempt in 1... {
                let before = try server.engine.statistics
                let request = Task {
                    try await server.post(
                        "/v1/chat/completions",
                        Asked.chat("Hello", [("max_tokens", 3500), ("stream", .boolean(isStreaming))]))
                }
                try await untilSomethingRuns(server, ended: before.finished)
                request.cancel()
                _ = await request.result
                while try await server.engine.activeSequences > 0 { try await Task.sleep(for: .milliseconds(1)) }
                let after = try server.engine.statistics
                if after.finished > before.finished, attempt < 20 { continue }
                #expect(after.cancelled == before.cancelled + 1)
                #expect(after.generatedTokens - before.generatedTokens < 3500)
                break
            }
        }
    }

    @Test func requestsEndWhenTheirTimeIsUp() async throws {
        let server = try await TestServer { $0.requestTimeout = 0.3 }
        let whole = try await server.post(
            "/v1/chat/completions", Asked.chat("Hello", [("max_tokens", 4000), ("temperature", 0)]))
        // Fast machines may be done by then; whoever is not is told.
        if whole.status != 200 {
            #expect(whole.status == 504)
            #expect(whole.error?["code"]?.text == "timeout")
        }
        // It leaves between two steps: soon, but not before the reply.
        let deadline = ContinuousClock.now + .seconds(20)
        while try await server.engine.activeSequences > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(try await server.engine.activeSequences == 0)
    }

    @Test func whatRunsIsFinished() async throws {
        let server = try await TestServer()
        let request = Task {
            try await server.post(
                "/v1/chat/completions", Asked.chat("Hello", [("max_tokens", 400), ("stream", true)]))
        }
        try await untilSomethingRuns(server, ended: 0)
        await server.shutDown()
        let reply = try await request.value
        #expect(reply.status == 200)
        #expect(reply.text.hasSuffix("data: [DONE]\n\n"))
        #expect(await !RemoteModel(server.url).isReady())
    }

    @Test func speaksTLS() async throws {
        let fixtures = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
        let server = try await TestServer {
            $0.tls = .init(
                certificate: fixtures.appending(path: "certificate.pem").path,
                key: fixtures.appending(path: "key.pem").path)
        }
        #expect(try await server.healthOverTLS(trusting: fixtures.appending(path: "certificate.pem").path) == 200)
        await #expect(throws: InputError.self) {
            _ = try await TestServer { $0.tls = .init(certificate: "/nonexistent", key: "/nonexistent") }
        }
    }

    // MARK: Figures and documents

    @Test func figuresAddUp() async throws {
        let server = try await TestServer()
        _ = try await server.post("/v1/chat/completions", Asked.chat(picture: true))
        _ = try await server.post("/v1/chat/completions", Asked.chat(picture: true))
        let text = try await server.send("GET", "/metrics").text
        func value(_ name: String) -> Double? {
            text.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap {
                Double($0.dropFirst(name.count + 1))
            }
        }
        #expect(value("qwenvl_ready") == 1)
        #expect(value("qwenvl_generated_tokens_total") == 16)
        #expect(value("qwenvl_vision_inputs_total{source=\"encoded\"}") == 1)
        #expect(value("qwenvl_requests_total{route=\"/v1/chat/completions\",status=\"200\"}") == 2)
        #expect(value("qwenvl_time_to_first_token_seconds_count") == 2)
        #expect(value("qwenvl_inter_token_seconds_count") == 14)
        #expect(value("qwenvl_time_to_first_token_seconds_bucket{le=\"+Inf\"}") == 2)
        #expect((value("qwenvl_prompt_tokens_total{source=\"cache\"}") ?? 0) > 0)
        // Asked again, nothing is counted twice.
        #expect(try await server.send("GET", "/metrics").text.contains("qwenvl_generated_tokens_total 16\n"))
    }

    /// The document describes what is there, and all of it.
    @Test func theDocumentMatchesTheRoutes() async throws {
        let server = try await Self.shared.get()
        let document = try await server.send("GET", "/openapi.json").json
        guard case .mapping(let paths)? = document["paths"] else {
            Issue.record("no paths")
            return
        }
        var described: Set<String> = []
        for (path, operations) in paths {
            guard case .mapping(let operations) = operations else { continue }
            for method in operations.keys { described.insert("\(method.uppercased()) \(path)") }
        }
        #expect(described == Set(Server.routes(of: ServerOptions())))
        // Every schema that is referred to is there.
        let names = document.serialized(.compact).matches(of: /"#\/components\/schemas\/(\w+)"/).map { String($0.1) }
        for name in Set(names) { #expect(document["components"]?["schemas"]?[name] != nil, "\(name)") }
    }

    @Test func thePageIsSelfContained() async throws {
        let server = try await Self.shared.get()
        let page = try await server.send("GET", "/")
        #expect(page.status == 200)
        let policy = try #require(page.header("Content-Security-Policy"))
        #expect(policy.contains("default-src 'none'"))
        #expect(!policy.contains("unsafe"))
        // The policy would stop inline code and styles; nothing may come from elsewhere.
        #expect(!page.text.contains("<style") && !page.text.contains(" style=") && !page.text.contains(" onclick="))
        for file in ["/", "/page.js", "/page.css"] {
            let text = try await server.send("GET", file).text
            #expect(text.utf8.count > 1000)
            let outside = text.matches(of: /https?:\/\/[^'"\s)]+/).map { String($0.0) }
            #expect(outside.allSatisfy { $0.hasPrefix("http://www.w3.org/") }, "\(outside)")
        }
        #expect(try await TestServer { $0.servesPage = false }.send("GET", "/").status == 404)
    }

    // MARK: Settings

    @Test func flagsWinOverTheEnvironmentAndThatOverTheFile() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "qwenvl-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(
            #"{"port": 1, "host": "file", "maxWaiting": 3, "corsOrigins": ["a", "b"], "requestTimeout": 5}"#.utf8
        ).write(to: file)
        let settings = try await ServerSettings(
            flags: ["port": .integer(3)],
            environment: ["QWENVL_PORT": "2", "QWENVL_HOST": "environment", "QWENVL_API_KEYS": "x,y"], file: file.path)
        let options = try settings.serverOptions()
        #expect(options.port == 3)
        #expect(options.host == "environment")
        #expect(options.maximumWaiting == 3)
        #expect(options.allowedOrigins == ["a", "b"])
        #expect(options.requestTimeout == 5)
        #expect(options.apiKeys == ["x", "y"])
        #expect(options.maximumBatch == ServerOptions().maximumBatch)
    }

    @Test func settingsThatCannotBeAreErrors() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "qwenvl-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(#"{"prot": 1}"#.utf8).write(to: file)
        await #expect(throws: InputError.self) {
            _ = try await ServerSettings(flags: [:], environment: [:], file: file.path)
        }
        for environment in [["QWENVL_PORT": "many"], ["QWENVL_PORT": "70000"], ["QWENVL_TLS_KEY": "x"]] {
            let settings = try await ServerSettings(flags: [:], environment: environment, file: nil)
            #expect(throws: InputError.self) { _ = try settings.serverOptions() }
        }
    }
}
