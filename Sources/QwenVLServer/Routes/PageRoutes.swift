import HTTPTypes
import Hummingbird
import NIOCore

/// The page at `/`: three files that are part of the program.
struct PageRoutes: Sendable {
    @Sendable func html(_ request: Request, context: ServerContext) async throws -> Response {
        file(PackageResources.index_html, "text/html; charset=utf-8")
    }

    @Sendable func style(_ request: Request, context: ServerContext) async throws -> Response {
        file(PackageResources.page_css, "text/css; charset=utf-8")
    }

    @Sendable func script(_ request: Request, context: ServerContext) async throws -> Response {
        file(PackageResources.page_js, "text/javascript; charset=utf-8")
    }

    private func file(_ bytes: [UInt8], _ type: String) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: type, .cacheControl: "no-cache", .contentSecurityPolicy: Self.policy,
                .xContentTypeOptions: "nosniff", .referrerPolicy: "no-referrer",
            ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Nothing from outside, nothing inline; pictures and clips only those that the user chose.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
        + "media-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

extension HTTPField.Name {
    static let referrerPolicy = HTTPField.Name("Referrer-Policy") ?? .date
}
