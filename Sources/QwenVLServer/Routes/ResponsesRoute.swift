import ChatTemplate
import Hummingbird
import QwenVL

/// `POST /v1/responses`
struct ResponsesRoute: Sendable {
    let service: AnswerService

    @Sendable func handle(_ request: Request, context: ServerContext) async throws -> Response {
        let scope = try service.scope(context)
        defer { withExtendedLifetime(scope) {} }
        let engine = try service.host.engine()
        let asked = try ResponsesRequest(
            await request.json(service.options, context: context), limits: service.options)
        let prompt = try await engine.processor.prepare(
            asked.messages, tools: asked.tools.tools)
        let reply = ResponsesReply(
            model: service.options.modelName, request: asked, prompt: prompt,
            logprobs: LogprobWriter(processor: engine.processor))
        let answers = try await scope.start(engine, prompt, options: [asked.fields.options])
        if asked.fields.streams {
            return ServerSentEvent.response(answers, scope: scope, render: reply.streaming, failure: reply.failure)
        }
        return .json(reply.whole(try await answers.completions()[0]))
    }
}
