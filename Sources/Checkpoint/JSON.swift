/// A JSON value that keeps integers exact, and that a parser made which refuses duplicate keys.
/// Foundation's parser keeps one of two equal keys silently, and the safetensors format forbids that.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number without fraction or exponent that fits.
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    /// Parses a whole document, which must be UTF-8.
    /// - Throws: `CheckpointError.malformedJSON`.
    package init(parsing bytes: [UInt8], file: String) throws(CheckpointError) {
        var parser = JSONParser(bytes: bytes, file: file)
        self = try parser.document()
    }

    /// The value as an error message shows it.
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): CheckpointError.quoted(value)
        case .array(let values):
            values.count <= 8
                ? "[" + values.map(\.scalarSummary).joined(separator: ", ") + "]" : "an array of \(values.count)"
        case .object: "an object"
        }
    }

    private var scalarSummary: String {
        switch self {
        case .array: "an array"
        case .object: "an object"
        default: summary
        }
    }
}

/// Recursive descent over the bytes; every access is bounds-checked.
private struct JSONParser {
    let bytes: [UInt8]
    let file: String
    var at = 0
    var depth = 0

    /// Configurations nest 4 deep, headers 3; the bound keeps the recursion off the end of the stack.
    static let maximumDepth = 64

    init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    func fail(_ reason: String) -> CheckpointError {
        .malformedJSON(file: file, offset: at, reason: reason)
    }

    var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) { at += 1 }
    }

    mutating func document() throws(CheckpointError) -> JSON {
        let result = try value()
        skipSpace()
        guard at == bytes.count else { throw fail("something follows the value") }
        return result
    }

    mutating func value() throws(CheckpointError) -> JSON {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try nested { (parser) throws(CheckpointError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { (parser) throws(CheckpointError) in try parser.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case nil: throw fail("the document ends where a value should be")
        case .some(let byte) where byte == UInt8(ascii: "-") || Self.isDigit(byte): return try number()
        default: throw fail("a value cannot begin like this")
        }
    }

    mutating func nested(
        _ body: (inout JSONParser) throws(CheckpointError) -> JSON
    ) throws(CheckpointError) -> JSON {
        guard depth < Self.maximumDepth else { throw fail("nested more than \(Self.maximumDepth) deep") }
        depth += 1
        at += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    mutating func object() throws(CheckpointError) -> JSON {
        var members: [String: JSON] = [:]
        skipSpace()
        if next == UInt8(ascii: "}") { at += 1; return .object(members) }
        while true {
            skipSpace()
            let start = at
            guard next == UInt8(ascii: "\"") else { throw fail("a key must be a string") }
            let key = try string()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw fail("\":\" is missing") }
            at += 1
            let member = try value()
            guard members.updateValue(member, forKey: key) == nil else {
                at = start
                throw fail("duplicate key \(CheckpointError.quoted(key))")
            }
            skipSpace()
            switch next {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"): at += 1; return .object(members)
            default: throw fail("\",\" or \"}\" is missing")
            }
        }
    }

    mutating func array() throws(CheckpointError) -> JSON {
        var values: [JSON] = []
        skipSpace()
        if next == UInt8(ascii: "]") { at += 1; return .array(values) }
        while true {
            values.append(try value())
            skipSpace()
            switch next {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"): at += 1; return .array(values)
            default: throw fail("\",\" or \"]\" is missing")
            }
        }
    }

    mutating func literal(_ text: String, _ value: JSON) throws(CheckpointError) -> JSON {
        guard bytes[at...].starts(with: text.utf8) else { throw fail("a value cannot begin like this") }
        at += text.utf8.count
        return value
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    mutating func digits() throws(CheckpointError) {
        let start = at
        while let byte = next, Self.isDigit(byte) { at += 1 }
        guard at > start else { throw fail("a digit is missing") }
    }

    mutating func number() throws(CheckpointError) -> JSON {
        let start = at
        var isInteger = true
        if next == UInt8(ascii: "-") { at += 1 }
        let first = at
        try digits()
        if bytes[first] == UInt8(ascii: "0"), at - first > 1 { throw fail("a number begins with a superfluous 0") }
        if next == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            at += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw fail("the number is out of range") }
        return .number(value)
    }

    mutating func string() throws(CheckpointError) -> String {
        at += 1
        var out: [UInt8] = []
        while true {
            guard let byte = next else { throw fail("a string does not end") }
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                guard let text = String(validating: out, as: UTF8.self) else { throw fail("a string is not UTF-8") }
                return text
            case UInt8(ascii: "\\"):
                at += 1
                try escape(into: &out)
            case ..<0x20: throw fail("a control character in a string")
            default:
                out.append(byte)
                at += 1
            }
        }
    }

    mutating func escape(into out: inout [UInt8]) throws(CheckpointError) {
        guard let byte = next else { throw fail("a string does not end") }
        let plain: [UInt8: UInt8] = [
            UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 0x08,
            UInt8(ascii: "f"): 0x0C, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
        ]
        if let character = plain[byte] {
            out.append(character)
            at += 1
            return
        }
        guard byte == UInt8(ascii: "u") else { throw fail("unknown escape") }
        at += 1
        var code = UInt32(try fourHexDigits())
        if (0xD800..<0xDC00).contains(code) {
            guard next == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") else {
                throw fail("half a surrogate pair")
            }
            at += 2
            let low = UInt32(try fourHexDigits())
            guard (0xDC00..<0xE000).contains(low) else { throw fail("half a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw fail("half a surrogate pair") }
        out.append(contentsOf: Array(String(scalar).utf8))
    }

    mutating func fourHexDigits() throws(CheckpointError) -> UInt16 {
        guard at + 4 <= bytes.count else { throw fail("a string does not end") }
        var code: UInt16 = 0
        for byte in bytes[at..<at + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw fail("four hexadecimal digits are missing")
            }
            code = code << 4 | UInt16(digit)
        }
        at += 4
        return code
    }
}
