import ChatTemplate
import Hummingbird
import QwenVL

/// `POST /v1/completions`
struct CompletionRoute: Sendable {
    let service: AnswerService

    @Sendable func handle(_ request: Request, context: ServerContext) async throws -> Response {
        let scope = try service.scope(context)
        defer { withExtendedLifetime(scope) {} }
        let engine = try service.host.engine()
        let asked = try CompletionRequest(
            await request.json(service.options, context: context), limits: service.options)
        let processor = engine.processor
        let prompts = try asked.prompts.map { prompt in
            switch prompt {
            case .text(let text): try processor.prepare(text: text)
            case .tokens(let ids): try processor.prepare(tokenIDs: ids)
            }
        }
        let beginnings = try zip(asked.prompts, prompts).map { given, prompt in
            guard asked.echoes else { return "" }
            if case .text(let text) = given { return text }
            return try processor.text(ofTokens: prompt.tokenIDs)
        }
        let reply = CompletionReply(
            model: service.options.modelName, request: asked, prompts: prompts, beginnings: beginnings,
            logprobs: LogprobWriter(processor: processor))
        let answers = try await scope.start(
            engine, prompts.map { (prompt: $0, options: asked.fields.optionsOfChoices) })
        if asked.fields.streams {
            return ServerSentEvent.response(answers, scope: scope, render: reply.streaming) {
                [ServerSentEvent.data($0.json)]
            }
        }
        return .json(reply.whole(try await answers.completions()))
    }
}
