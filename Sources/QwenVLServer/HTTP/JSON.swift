import ChatTemplate
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import QwenVL

/// JSON with the order of its keys kept.
typealias JSON = TemplateValue

extension Response {
    static func json(_ value: JSON, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: value.serialized(.compact))))
    }
}

extension JSON {
    /// The string, or null.
    init(_ text: String?) { self = text.map { .string($0) } ?? .null }
    init(_ number: Int?) { self = number.map { .integer($0) } ?? .null }
    init(size: PictureReport.Size) { self = ["width": .integer(size.width), "height": .integer(size.height)] }
}

/// Seconds since 1970, for `created` fields.
func unixTime() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec
}

/// Random names such as `chatcmpl-4f…`: enough that no two are alike.
func uniqueName(_ prefix: String) -> String {
    let digits =
        String(UInt64.random(in: 0...UInt64.max), radix: 36) + String(UInt32.random(in: 0...UInt32.max), radix: 36)
    return prefix + digits
}
