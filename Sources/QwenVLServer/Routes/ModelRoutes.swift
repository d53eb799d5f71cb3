import ChatTemplate
import Hummingbird
import QwenVL

/// `GET /v1/models` and `GET /v1/models/{model}`
struct ModelRoutes: Sendable {
    let service: AnswerService

    @Sendable func list(_ request: Request, context: ServerContext) async throws -> Response {
        .json(["object": "list", "data": .list(names.map(model))])
    }

    @Sendable func one(_ request: Request, context: ServerContext) async throws -> Response {
        let name = context.parameters.get("model") ?? ""
        guard names.contains(name) else { throw APIError.unknownModel(name, limits: service.options) }
        return .json(model(name))
    }

    private var names: [String] { service.options.modelNames.filter { $0 != "*" } }

    private func model(_ name: String) -> JSON {
        [
            "id": .string(name), "object": "model", "created": .integer(service.host.created), "owned_by": "qwenvl",
            "max_model_len": JSON(service.host.loaded?.processor.contextLength),
        ]
    }
}
