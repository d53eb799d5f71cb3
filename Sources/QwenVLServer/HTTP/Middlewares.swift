import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import QwenVL

/// Outermost: names the request, answers every error in OpenAI's form, logs and counts.
struct RequestMiddleware: RouterMiddleware {
    let metrics: ServerMetrics

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        if let given = request.headers[.requestID], Self.isName(given) { context.requestID = given }
        context.logger[metadataKey: "hb.request.id"] = nil
        context.logger[metadataKey: "request_id"] = "\(context.requestID)"
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            let described = APIError(error)
            if described.status == .internalServerError {
                context.logger.error("request failed", metadata: ["error": "\(error)"])
            }
            response = described.response
        }
        response.headers[.requestID] = context.requestID
        let report = Report(
            metrics: metrics, context: context, method: request.method.rawValue,
            path: request.uri.path, route: context.endpointPath ?? "none", status: response.status.code)
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            do {
                try await body.write(writer)
                report.end(isWhole: true)
            } catch {
                report.end(isWhole: false)
                throw error
            }
        }
        return response
    }

    /// A client's own name for its request goes into logs: short, and nothing but ordinary characters.
    private static func isName(_ text: String) -> Bool {
        (1...80).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                $0 < 128 && ($0 == 45 || $0 == 95 || Character(UnicodeScalar($0)).isAlphanumeric)
            }
    }

    private struct Report {
        let metrics: ServerMetrics
        let context: ServerContext
        let method: String
        let path: String
        let route: String
        let status: Int

        func end(isWhole: Bool) {
            let seconds = context.received.duration(to: .now).inSeconds
            metrics.request(route: route, status: isWhole ? status : 499, seconds: seconds)
            context.logger.info(
                "request",
                metadata: [
                    "method": "\(method)", "path": "\(path.prefix(200))", "status": "\(isWhole ? status : 499)",
                    "seconds": "\(String(format: "%.3f", seconds))", "client": "\(context.client)",
                ])
        }
    }
}

extension Character {
    fileprivate var isAlphanumeric: Bool { isLetter || isNumber }
}

extension HTTPField.Name {
    static let requestID = HTTPField.Name("X-Request-ID") ?? .date
}

/// Lets in who has a key.
struct KeyMiddleware: RouterMiddleware {
    private let keys: [[UInt8]]

    init(_ keys: [String]) { self.keys = keys.map { Array($0.utf8) } }

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        if !keys.isEmpty {
            guard let place = place(of: Self.key(in: request)) else {
                var response = APIError(
                    .unauthorized, "A key of this server is needed: Authorization: Bearer KEY.",
                    type: "authentication_error", code: "invalid_api_key"
                ).response
                response.headers[.wwwAuthenticate] = "Bearer"
                return response
            }
            context.client = "key \(place + 1)"
        }
        return try await next(request, context)
    }

    private static func key(in request: Request) -> [UInt8] {
        let field = request.headers[.authorization] ?? ""
        return field.lowercased().hasPrefix("bearer ") ? Array(field.dropFirst(7).utf8) : []
    }

    /// Compares with every key, and every byte of it, whatever the others were: the time tells nothing but lengths.
    private func place(of given: [UInt8]) -> Int? {
        var found: Int?
        for (index, key) in keys.enumerated() where Self.isEqual(key, given) { found = index }
        return found
    }

    private static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool { ConstantTime.isEqual(one, other) }
}

/// Comparison whose time tells nothing of where two texts differ.
package enum ConstantTime {
    /// False for two empty ones too: no key is no key.
    package static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        var difference = one.count ^ other.count
        for index in one.indices { difference |= Int(one[index] ^ (other.isEmpty ? 1 : other[index % other.count])) }
        return difference == 0 && !one.isEmpty
    }
}

/// Lets pages of other origins call, where the owner allows them.
struct OriginMiddleware: RouterMiddleware {
    let allowed: [String]

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin], allowed.contains("*") || allowed.contains(origin) else {
            return try await next(request, context)
        }
        var response =
            request.method == .options
            ? Response(status: .noContent) : try await next(request, context)
        response.headers[.accessControlAllowOrigin] = allowed.contains("*") ? "*" : origin
        response.headers[.vary] = "Origin"
        response.headers[.accessControlExposeHeaders] = "X-Request-ID, Retry-After"
        if request.method == .options {
            response.headers[.accessControlAllowMethods] = "GET, POST"
            response.headers[.accessControlAllowHeaders] =
                request.headers[.accessControlRequestHeaders] ?? "Authorization, Content-Type"
            response.headers[.accessControlMaxAge] = "600"
        }
        return response
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
