import ChatTemplate
import HTTPTypes
import Hummingbird
import NIOCore
import QwenVL

/// `GET /health`, `GET /metrics`, `GET /openapi.json`
struct OperationRoutes: Sendable {
    let service: AnswerService
    /// Nil when the figures go to a backend of somebody else's.
    let registry: PrometheusRegistry?

    /// 200 when requests are taken; 503 while the model is loading and when the server ends.
    @Sendable func health(_ request: Request, context: ServerContext) async throws -> Response {
        do {
            let engine = try service.host.engine()
            let now = engine.statistics
            return .json([
                "status": "ok", "running": .integer(now.running), "waiting": .integer(now.waiting),
            ])
        } catch let error as APIError {
            let body = error.json.with("status", .string(error.code ?? "unavailable"))
            return .json(body, status: error.status)
        }
    }

    @Sendable func metrics(_ request: Request, context: ServerContext) async throws -> Response {
        var isReady = false
        if case .ready = service.host.current { isReady = true }
        service.metrics.update(
            service.host.loaded?.statistics, isReady: isReady, inFlight: service.admission.current)
        guard let registry else {
            throw APIError(.notFound, "The figures of this server go elsewhere.", code: "unknown_url")
        }
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: registry.text)))
    }

    @Sendable func openAPI(_ request: Request, context: ServerContext) async throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
    }
}
