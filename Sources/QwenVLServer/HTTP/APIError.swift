import ChatTemplate
import HTTPTypes
import Hummingbird
import NIOCore
import QwenVL

/// An error as OpenAI's clients know it. Everything that goes wrong becomes one of these here and nowhere else.
struct APIError: Error, Sendable {
    var status: HTTPResponse.Status
    var type: String
    var code: String?
    /// The field of the request.
    var parameter: String?
    var message: String
    var retryAfter: Int?

    init(
        _ status: HTTPResponse.Status, _ message: String, type: String = "invalid_request_error", code: String? = nil,
        parameter: String? = nil
    ) {
        self.status = status
        self.type = type
        self.code = code
        self.parameter = parameter
        self.message = message
    }

    var json: JSON {
        [
            "error": [
                "message": .string(message), "type": .string(type), "param": parameter.map { .string($0) } ?? .null,
                "code": code.map { .string($0) } ?? .null,
            ]
        ]
    }

    var response: Response {
        var response = Response.json(json, status: status)
        if let retryAfter { response.headers[.retryAfter] = "\(retryAfter)" }
        return response
    }
}

/// Whoever asked is gone; nobody will read the answer.
struct ClientGone: Error {}

// MARK: Errors of the layers below

extension APIError {
    /// - Returns: the error for the client; the server's own failures are described in the log alone.
    init(_ error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as InputError: self.init(.badRequest, error.description, parameter: error.field)
        case let error as QwenVLError: self.init(error)
        case let error as HTTPError: self.init(error)
        case is NIOTooManyBytesError: self = .bodyTooLarge
        case is ClientGone, is CancellationError: self = .gone
        default: self = .internalFailure
        }
    }

    private init(_ error: QwenVLError) {
        switch error {
        case .input(let error): self.init(.badRequest, error.description, parameter: error.field)
        case .picture(let field, _):
            self.init(.badRequest, error.description, code: "invalid_image", parameter: field)
        case .template: self.init(.badRequest, error.description, parameter: "messages")
        case .promptTooLong:
            self.init(.badRequest, error.description, code: "context_length_exceeded", parameter: "messages")
        case .unsupported(let field, _):
            self.init(.badRequest, error.description, code: "unsupported", parameter: field)
        case .mediaRefused(let field, _):
            self.init(.badRequest, error.description, code: "media_refused", parameter: field)
        case .mediaUnavailable(let field, _):
            self.init(.badRequest, error.description, code: "media_unavailable", parameter: field)
        case .busy: self = .overloaded
        case .checkpoint, .machine, .numerical, .remote: self = .internalFailure
        }
    }

    private init(_ error: HTTPError) {
        switch error.status {
        case .notFound: self.init(.notFound, "There is nothing at this address.", code: "unknown_url")
        case .contentTooLarge: self = .bodyTooLarge
        default:
            self.init(
                error.status, error.body ?? error.status.reasonPhrase,
                type: error.status.kind == .serverError ? "server_error" : "invalid_request_error")
        }
    }

    static let bodyTooLarge = APIError(
        .contentTooLarge, "The request is larger than this server takes.", code: "request_too_large")
    static let internalFailure = APIError(
        .internalServerError, "The server failed; its log says why.", type: "server_error", code: "internal_error")
    static let timedOut = APIError(
        .gatewayTimeout, "The request took longer than this server allows.", type: "server_error", code: "timeout")
    static let bodyTimedOut = APIError(
        .requestTimeout, "The request did not arrive in time.", code: "request_timeout")
    /// Nobody reads it; nginx's number for it appears in logs.
    static let gone = APIError(.init(code: 499), "The client has gone.", code: "client_closed_request")

    static var overloaded: APIError {
        var error = APIError(
            .serviceUnavailable, "Too many requests are waiting; try again soon.", type: "server_error",
            code: "overloaded")
        error.retryAfter = 2
        return error
    }

    static func loading(_ fraction: Double) -> APIError {
        var error = APIError(
            .serviceUnavailable, "The model is being loaded (\(Int(fraction * 100)) %).", type: "unavailable_error",
            code: "loading")
        error.retryAfter = 2
        return error
    }

    static let stopping = APIError(
        .serviceUnavailable, "The server is shutting down.", type: "unavailable_error", code: "shutting_down")
}
