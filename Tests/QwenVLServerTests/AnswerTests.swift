import ChatTemplate
import Foundation
import QwenVL
import QwenVLClient
import Testing

import QwenVLServer

/// Answers over HTTP are the engine's own, whole, streamed, in any dress.
@Suite struct AnswerTests {
    private static var options: GenerationOptions {
        var options = GenerationOptions.greedy
        options.maxTokens = 8
        options.ignoreEndOfSequence = true
        return options
    }

    private static func question(_ text: String = "What do you see?") throws -> [ChatMessage] {
        [.user(.image(path: try TestServer.picture()), .text(text))]
    }

    @Test func theAnswerIsTheEngines() async throws {
        let server = try await TestServer()
        let own = try await server.engine.reply(to: Self.question(), options: Self.options)
        let reply = try await server.post("/v1/chat/completions", Asked.chat(picture: true)).json
        let choice = try #require(reply["choices"]?[0])
        #expect(choice["message"]?["content"]?.text == own.text)
        #expect(choice["token_ids"]?.items.compactMap(\.number) == own.tokenIDs)
        #expect(choice["finish_reason"]?.text == "length")
        #expect(reply["prompt_token_ids"]?.items.compactMap(\.number) == own.promptTokenIDs)
        let usage = try #require(reply["usage"])
        #expect(usage["prompt_tokens"]?.number == own.usage.promptTokens)
        #expect(usage["completion_tokens"]?.number == 8)
        let media = try #require(usage["prompt_tokens_details"]?["media"]?[0])
        #expect(media["processed"]?["width"]?.number == own.pictures[0].processed.width)
        #expect(media["tokens"]?.number == own.pictures[0].tokens)
        // The same question was asked before: all but the last token of the prompt is known.
        #expect(usage["prompt_tokens_details"]?["cached_tokens"]?.number == own.usage.promptTokens - 1)
    }

    @Test func streamsJoinToTheWhole() async throws {
        let server = try await TestServer()
        let whole = try await server.post("/v1/chat/completions", Asked.chat(picture: true)).json
        let streamed = try await server.post(
            "/v1/chat/completions",
            Asked.chat(picture: true, [("stream", true), ("stream_options", ["include_usage": true])]))
        #expect(streamed.header("Content-Type")?.hasPrefix("text/event-stream") == true)
        #expect(streamed.text.hasSuffix("data: [DONE]\n\n"))
        let events = try streamed.events
        let choices = events.compactMap { $0["choices"]?[0] }
        #expect(choices.first?["delta"]?["role"]?.text == "assistant")
        let text = choices.compactMap { $0["delta"]?["content"]?.text }.joined()
        #expect(text == whole["choices"]?[0]?["message"]?["content"]?.text)
        #expect(
            choices.flatMap { $0["token_ids"]?.items ?? [] } == whole["choices"]?[0]?["token_ids"]?.items)
        #expect(choices.compactMap { $0["finish_reason"]?.text } == ["length"])
        #expect(events.last?["choices"]?.items.isEmpty == true)
        #expect(events.last?["usage"]?["completion_tokens"]?.number == 8)
    }

    @Test func theClientIsTheEngineFromAfar() async throws {
        let server = try await TestServer()
        let remote: any ChatModel = RemoteModel(server.url)
        var options = Self.options
        options.logprobs = 3
        let own = try await server.engine.reply(to: Self.question(), options: options)
        let far = try await remote.reply(to: Self.question(), options: options)
        #expect(far.text == own.text)
        #expect(far.tokenIDs == own.tokenIDs)
        #expect(far.promptTokenIDs == own.promptTokenIDs)
        #expect(far.pictures == own.pictures)
        #expect(far.finishReason == own.finishReason)
        #expect(far.usage.completionTokens == own.usage.completionTokens)
        let (here, there) = (try #require(own.logprobs), try #require(far.logprobs))
        #expect(there.map(\.id) == here.map(\.id))
        for (one, other) in zip(here, there) {
            #expect(one.logprob == other.logprob)
            #expect(one.top == other.top)
        }
        #expect(await RemoteModel(server.url).isReady())
    }

    @Test func theClientTellsWhatTheServerSays() async throws {
        let server = try await TestServer { $0.apiKeys = ["k1"] }
        await #expect {
            _ = try await RemoteModel(server.url).reply(to: [.user("Hello")])
        } throws: { error in
            guard case QwenVLError.remote(let status, _)? = error as? QwenVLError else { return false }
            return status == 401
        }
        let answer = try await RemoteModel(server.url, key: "k1").reply(to: [.user("Hello")], options: Self.options)
        #expect(answer.tokenIDs.count == 8)
    }

    @Test func choicesShareThePromptAndDifferBySeed() async throws {
        let server = try await TestServer()
        // Long enough for whole blocks of the cache.
        let text = String(repeating: "Tell me about the picture. ", count: 30)
        let body = try Asked.chat(
            text, [("n", 4), ("temperature", 2), ("top_k", 0), ("top_p", 1), ("seed", 5)])
        let before = try server.engine.statistics.promptTokensComputed
        let first = try await server.post("/v1/chat/completions", body).json
        let length = try #require(first["usage"]?["prompt_tokens"]?.number)
        let computed = try server.engine.statistics.promptTokensComputed - before
        // One reads it; the others compute at most what is left of the last block of 64.
        #expect(computed < length + 3 * 64)
        let texts = first["choices"]?.items.compactMap { $0["message"]?["content"]?.text } ?? []
        #expect(Set(texts).count > 1)
        let second = try await server.post("/v1/chat/completions", body).json
        #expect(second["choices"]?.items.compactMap { $0["message"]?["content"]?.text } == texts)
        #expect(first["usage"]?["completion_tokens"]?.number == 32)
    }

    @Test func manyAtOnceAnswerAsAlone() async throws {
        let server = try await TestServer()
        let questions = (0..<12).map { "Question \($0): what is the number of this question?" }
        var alone: [String: TemplateValue] = [:]
        let other = try await TestServer()
        for question in questions {
            alone[question] = try await other.post("/v1/chat/completions", Asked.chat(question)).json["choices"]?[0]?[
                "token_ids"]
        }
        try await withThrowingTaskGroup(of: (String, TemplateValue?).self) { group in
            for question in questions {
                group.addTask {
                    let reply = try await server.post("/v1/chat/completions", Asked.chat(question)).json
                    return (question, reply["choices"]?[0]?["token_ids"])
                }
            }
            for try await (question, ids) in group { #expect(ids == alone[question] ?? .null) }
        }
    }

    @Test func responsesAreTheSameAnswer() async throws {
        let server = try await TestServer()
        let fields: [(String, TemplateValue)] = [
            ("input", "What do you see?"), ("temperature", 0), ("max_output_tokens", 8), ("ignore_eos", true),
        ]
        let chat = try await server.post("/v1/chat/completions", Asked.chat()).json
        let text = try #require(chat["choices"]?[0]?["message"]?["content"]?.text)
        let whole = try await server.post("/v1/responses", .mapping(fields)).json
        #expect(whole["output"]?[0]?["content"]?[0]?["text"]?.text == text)
        #expect(whole["status"]?.text == "incomplete")
        let events = try await server.post("/v1/responses", .mapping(fields + [("stream", true)])).events
        #expect(events.enumerated().allSatisfy { $1["sequence_number"]?.number == $0 })
        #expect(events.first?["type"]?.text == "response.created")
        #expect(events.last?["type"]?.text == "response.incomplete")
        #expect(
            events.compactMap { $0["type"]?.text == "response.output_text.delta" ? $0["delta"]?.text : nil }.joined()
                == text)
        #expect(events.last?["response"]?["output"]?[0]?["content"]?[0]?["text"]?.text == text)
    }

    @Test func completionsContinueTextAndTokens() async throws {
        let server = try await TestServer()
        let ids = try server.engine.processor.tokenIDs(of: "The cat")
        let more: [(String, TemplateValue)] = [
            ("temperature", 0), ("max_tokens", 4), ("ignore_eos", true), ("logprobs", 2),
        ]
        let text = try await server.post("/v1/completions", .mapping([("prompt", "The cat")] + more)).json
        let tokens = try await server.post(
            "/v1/completions", .mapping([("prompt", .list(ids.map { .integer($0) })), ("echo", true)] + more)
        ).json
        let continued = try #require(text["choices"]?[0]?["text"]?.text)
        #expect(tokens["choices"]?[0]?["text"]?.text == "The cat" + continued)
        #expect(text["choices"]?[0]?["logprobs"]?["tokens"]?.items.count == 4)
    }

    @Test func tokensThereAndBack() async throws {
        let server = try await TestServer()
        let reply = try await server.post("/tokenize", ["content": "A cat, häh? 猫"]).json
        let ids = try #require(reply["tokens"])
        #expect(reply["count"]?.number == ids.items.count)
        let back = try await server.post("/detokenize", ["tokens": ids]).json
        #expect(back["content"]?.text == "A cat, häh? 猫")
        let chat = try await server.post(
            "/tokenize", ["messages": [["role": "user", "content": "Hello"]]]
        ).json
        let prompt = try await server.engine.processor.prepare([.user("Hello")])
        #expect(chat["tokens"]?.items.compactMap(\.number) == prompt.tokenIDs)
    }

    /// A model that knows nothing still answers in the form asked for.
    @Test(arguments: [1, 2, 3])
    func formsHold(_ seed: Int) async throws {
        let server = try await TestServer()
        let schema: TemplateValue = [
            "type": "object", "required": ["kind", "box", "note"],
            "properties": [
                "kind": ["enum": ["cat", "dog"]],
                "box": ["type": "array", "items": ["type": "integer"], "minItems": 2, "maxItems": 2],
                "sure": ["type": "boolean"], "note": ["type": "string", "maxLength": 5],
            ],
        ]
        let reply = try await server.post(
            "/v1/chat/completions",
            Asked.chat(
                "Hello",
                [
                    ("temperature", 1.5), ("seed", .integer(seed)), ("max_tokens", 400), ("ignore_eos", false),
                    ("response_format", ["type": "json_schema", "json_schema": ["name": "x", "schema": schema]]),
                ])
        ).json
        let text = try #require(reply["choices"]?[0]?["message"]?["content"]?.text)
        let value = try TemplateValue(json: text)
        #expect(["cat", "dog"].contains(value["kind"]?.text))
        #expect(value["box"]?.items.count == 2)
        #expect((value["note"]?.text?.unicodeScalars.count).map { $0 <= 5 } == true)
        #expect(reply["choices"]?[0]?["finish_reason"]?.text == "stop")
    }

    @Test func toolsThatMustBeCalledAreCalled() async throws {
        let server = try await TestServer()
        let tool: TemplateValue = [
            "type": "function",
            "function": [
                "name": "look",
                "parameters": [
                    "type": "object", "required": ["where"],
                    "properties": ["where": ["enum": ["left", "right"]]],
                ],
            ],
        ]
        for isStreaming in [false, true] {
            let reply = try await server.post(
                "/v1/chat/completions",
                Asked.chat(
                    "Hello",
                    [
                        ("tools", [tool]), ("tool_choice", "required"), ("max_tokens", 100), ("ignore_eos", false),
                        ("stream", .boolean(isStreaming)),
                    ]))
            let calls =
                isStreaming
                ? try reply.events.compactMap { $0["choices"]?[0]?["delta"]?["tool_calls"]?[0] }
                : try reply.json["choices"]?[0]?["message"]?["tool_calls"]?.items ?? []
            #expect(calls.count == 1)
            #expect(calls.first?["function"]?["name"]?.text == "look")
            let arguments = try #require(calls.first?["function"]?["arguments"]?.text)
            #expect(["left", "right"].contains(try TemplateValue(json: arguments)["where"]?.text))
            let reasons =
                isStreaming
                ? try reply.events.compactMap { $0["choices"]?[0]?["finish_reason"]?.text }
                : [try reply.json["choices"]?[0]?["finish_reason"]?.text].compactMap { $0 }
            #expect(reasons == ["tool_calls"])
        }
    }
}
