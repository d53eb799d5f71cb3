import ChatTemplate
import Hummingbird
import QwenVL

/// `POST /tokenize` and `POST /detokenize`, in the forms of vLLM (`prompt` or `messages`) and of llama-server (`content`).
struct TokenRoutes: Sendable {
    let service: AnswerService

    @Sendable func tokenize(_ request: Request, context: ServerContext) async throws -> Response {
        let place = try service.admission.enter()
        defer { withExtendedLifetime(place) {} }
        let engine = try service.host.engine()
        let body = try await request.json(service.options, context: context)
        _ = try body.object("a JSON object")
        let processor = engine.processor
        let ids: [Int]
        if let messages = body.optional("messages") {
            let tools = try ToolFields(body)
            ids = try await processor.prepare(
                service.options.checked(ChatMessage.conversation(messages)), tools: tools.tools
            ).tokenIDs
        } else if let field = body.optional("content") ?? body.optional("prompt") {
            ids = processor.tokenIDs(of: try field.string("a text"))
        } else {
            throw InputError(field: "prompt", expected: "a text (or content, or messages)", found: "nothing")
        }
        var tokens = JSON.list(ids.map { .integer($0) })
        if try body.optional("with_pieces")?.boolean() ?? false {
            tokens = .list(ids.map { ["id": .integer($0), "piece": .string(processor.text(ofToken: $0))] })
        }
        return .json([
            "count": .integer(ids.count), "max_model_len": .integer(processor.contextLength), "tokens": tokens,
        ])
    }

    @Sendable func detokenize(_ request: Request, context: ServerContext) async throws -> Response {
        let place = try service.admission.enter()
        defer { withExtendedLifetime(place) {} }
        let engine = try service.host.engine()
        let body = try await request.json(service.options, context: context)
        var ids: [Int] = []
        for element in try body.required("tokens", "a list of token ids").elements("a list of token ids") {
            ids.append(try element.integer(in: 0...Int(Int32.max), "a token id"))
        }
        let text = JSON.string(try engine.processor.text(ofTokens: ids))
        // vLLM's name for it and llama-server's.
        return .json(["prompt": text, "content": text])
    }
}
