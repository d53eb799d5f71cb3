import ChatTemplate
public import Foundation

/// Where the bytes of a picture or a video come from.
public enum MediaSource: Sendable, Hashable {
    /// A file, relative to the working directory or absolute.
    case path(String)
    /// A remote file, http or https.
    case url(URL)
    /// The encoded file itself (JPEG, PNG, MP4…).
    case data(Data)
    /// A picture that is decoded already.
    case pixels(PixelBuffer)

    /// Reads the forms a message may hold: `file://…`, `http(s)://…`, `data:…;base64,…`; anything else is a path.
    ///
    /// As in qwen-vl-utils, what follows `file://` is the path literally: percent signs stand for themselves.
    /// - Throws: ``InputError`` for a URL that cannot be parsed and for data that is not Base64.
    public init(_ text: String) throws(InputError) {
        try self.init(JSONField(.string(text), path: "media"))
    }

    init(_ field: JSONField) throws(InputError) {
        let text = try field.string("a path, a URL or a data URI")
        let scheme = text.prefix(8).lowercased()
        if scheme.hasPrefix("http://") || scheme.hasPrefix("https://") {
            guard let url = URL(string: text), url.host() != nil else { throw field.failure(expected: "a URL") }
            self = .url(url)
        } else if scheme.hasPrefix("file://") {
            self = .path(String(text.dropFirst(7)))
        } else if scheme.hasPrefix("data:") {
            self = .data(try Self.decode(text, of: field))
        } else if text.isEmpty {
            throw field.failure(expected: "a path, a URL or a data URI")
        } else {
            self = .path(text)
        }
    }

    private static func decode(_ text: String, of field: JSONField) throws(InputError) -> Data {
        guard let comma = text.utf8.firstIndex(of: UInt8(ascii: ",")),
            text[..<comma].lowercased().hasSuffix(";base64")
        else { throw field.failure(expected: "a data URI in Base64 (data:…;base64,…)") }
        let payload = text[text.utf8.index(after: comma)...]
        guard let data = Data(base64Encoded: Data(payload.utf8), options: .ignoreUnknownCharacters), !data.isEmpty
        else { throw field.failure(expected: "valid Base64 after the comma") }
        return data
    }

    /// The string form; data becomes a data URI of no particular type, pixels one that only says what it was.
    public var text: String {
        switch self {
        case .path(let path): path
        case .url(let url): url.absoluteString
        case .data(let data): "data:application/octet-stream;base64," + data.base64EncodedString()
        case .pixels(let pixels): "data:,\(pixels.width)x\(pixels.height)"
        }
    }

    /// What a chat template sees. Templates test that the field exists and never print it, so data is left out.
    var templateText: String {
        switch self {
        case .data, .pixels: "data:"
        case .path, .url: text
        }
    }
}
