import ChatTemplate
import Hummingbird
import QwenVL

/// `POST /v1/chat/completions`
struct ChatRoute: Sendable {
    let service: AnswerService

    @Sendable func handle(_ request: Request, context: ServerContext) async throws -> Response {
        let scope = try service.scope(context)
        defer { withExtendedLifetime(scope) {} }
        let engine = try service.host.engine()
        let asked = try ChatRequest(await request.json(service.options, context: context), limits: service.options)
        let prompt = try await engine.processor.prepare(
            asked.messages, tools: asked.tools.tools)
        let reply = ChatReply(
            model: service.options.modelName, request: asked, prompt: prompt,
            logprobs: LogprobWriter(processor: engine.processor))
        let answers = try await scope.start(engine, prompt, options: asked.fields.optionsOfChoices)
        if asked.fields.streams {
            return ServerSentEvent.response(answers, scope: scope, render: reply.streaming) {
                [ServerSentEvent.data($0.json)]
            }
        }
        return .json(reply.whole(try await answers.completions()))
    }
}

/// What every route that answers needs.
struct AnswerService: Sendable {
    let options: ServerOptions
    let host: ModelHost
    let metrics: ServerMetrics
    let admission: Admission
    let connections: Connections

    /// A place for the request, before anything of it is read.
    func scope(_ context: ServerContext) throws -> AnswerScope {
        AnswerScope(
            context: context, connections: connections, metrics: metrics, timeout: options.requestTimeout,
            place: try admission.enter())
    }
}
