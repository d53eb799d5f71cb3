/// A pull parser for JSON (RFC 8259).
///
/// A tokenizer file is one huge object of short strings. Reading it into a tree first would take longer than all
/// else that loading does, so vocabulary and merges are read straight from the bytes.
struct JSONScanner {
    private let base: UnsafePointer<UInt8>
    private let count: Int
    private(set) var position = 0
    private let file: String
    /// Deeper nesting is refused, so that no file can exhaust the stack.
    private static let depthLimit = 64

    /// `text` must outlive the scanner.
    init(_ text: UnsafeBufferPointer<UInt8>, file: String) throws(TokenizerError) {
        guard let base = text.baseAddress, !text.isEmpty else {
            throw .malformed(file: file, offset: 0, expected: "JSON")
        }
        self.base = base
        count = text.count
        self.file = file
    }

    func malformed(_ expected: String) -> TokenizerError {
        .malformed(file: file, offset: position, expected: expected)
    }

    /// The next byte that is not white space.
    mutating func peek() throws(TokenizerError) -> UInt8 {
        while position < count {
            let byte = base[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            position += 1
        }
        throw malformed("more JSON")
    }

    mutating func expect(_ character: Unicode.Scalar) throws(TokenizerError) {
        guard try peek() == UInt8(ascii: character) else { throw malformed("'\(character)'") }
        position += 1
    }

    /// After an element (or at the start, `isFirst`): true if another follows, false past the closing bracket.
    mutating func hasElement(before close: Unicode.Scalar, isFirst: Bool) throws(TokenizerError) -> Bool {
        let byte = try peek()
        if byte == UInt8(ascii: close) {
            position += 1
            return false
        }
        if !isFirst { try expect(",") }
        return true
    }

    /// Nothing but white space may be left.
    mutating func expectEnd() throws(TokenizerError) {
        while position < count {
            let byte = base[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { throw malformed("the end") }
            position += 1
        }
    }

    /// Calls `body` at each value of an object, with its key.
    mutating func readObject(
        _ body: (inout JSONScanner, String) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        try expect("{")
        var isFirst = true
        while try hasElement(before: "}", isFirst: isFirst) {
            isFirst = false
            let key = try readString()
            try expect(":")
            try body(&self, key)
        }
    }

    mutating func readString() throws(TokenizerError) -> String {
        var bytes: [UInt8] = []
        try readString(into: &bytes)
        guard let string = String(validating: bytes, as: UTF8.self) else { throw malformed("UTF-8") }
        return string
    }

    /// Appends the string's bytes, escapes resolved.
    mutating func readString(into output: inout [UInt8]) throws(TokenizerError) {
        try expect("\"")
        var start = position
        while position < count {
            let byte = base[position]
            if byte == UInt8(ascii: "\"") {
                output.append(contentsOf: UnsafeBufferPointer(start: base + start, count: position - start))
                position += 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                output.append(contentsOf: UnsafeBufferPointer(start: base + start, count: position - start))
                position += 1
                try readEscape(into: &output)
                start = position
                continue
            }
            guard byte >= 0x20 else { throw malformed("no control characters in a string") }
            position += 1
        }
        throw malformed("the end of a string")
    }

    private mutating func readEscape(into output: inout [UInt8]) throws(TokenizerError) {
        guard position < count else { throw malformed("an escape") }
        let byte = base[position]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(byte)
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"):
            position += 1
            UTF8Scalar.append(try readEscapedScalar(), to: &output)
            return
        default: throw malformed("an escape")
        }
        position += 1
    }

    /// What follows `\u`, a surrogate pair included.
    private mutating func readEscapedScalar() throws(TokenizerError) -> UInt32 {
        let high = try readHex()
        guard (0xD800..<0xE000).contains(high) else { return high }
        guard high < 0xDC00, position + 1 < count, base[position] == UInt8(ascii: "\\"),
            base[position + 1] == UInt8(ascii: "u")
        else { throw malformed("a surrogate pair") }
        position += 2
        let low = try readHex()
        guard (0xDC00..<0xE000).contains(low) else { throw malformed("a low surrogate") }
        return 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
    }

    private mutating func readHex() throws(TokenizerError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < count else { throw malformed("four hexadecimal digits") }
            switch base[position] {
            case let digit where (0x30...0x39).contains(digit): value = value << 4 | UInt32(digit - 0x30)
            case let digit where (0x41...0x46).contains(digit): value = value << 4 | UInt32(digit - 0x41 + 10)
            case let digit where (0x61...0x66).contains(digit): value = value << 4 | UInt32(digit - 0x61 + 10)
            default: throw malformed("four hexadecimal digits")
            }
            position += 1
        }
        return value
    }

    /// A token id: a number without sign, fraction or exponent.
    mutating func readID() throws(TokenizerError) -> Int32 {
        _ = try peek()
        var value: Int32 = 0
        let start = position
        while position < count, (0x30...0x39).contains(base[position]) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int32(base[position] - 0x30))
            guard !overflow, !carry else { throw malformed("a token id of 31 bits") }
            value = sum
            position += 1
        }
        guard position > start else { throw malformed("a token id") }
        return value
    }

    /// Any value, as a tree. For the small parts of a file.
    mutating func readValue(depth: Int = 0) throws(TokenizerError) -> JSONValue {
        guard depth < Self.depthLimit else { throw malformed("at most \(Self.depthLimit) levels") }
        switch try peek() {
        case UInt8(ascii: "{"):
            var members: [String: JSONValue] = [:]
            try readObject { scanner, key throws(TokenizerError) in
                members[key] = try scanner.readValue(depth: depth + 1)
            }
            return .object(members)
        case UInt8(ascii: "["):
            try expect("[")
            var elements: [JSONValue] = []
            while try hasElement(before: "]", isFirst: elements.isEmpty) {
                elements.append(try readValue(depth: depth + 1))
            }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "t"): return try readWord("true", .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", .null)
        default: return .number(try readNumber())
        }
    }

    private mutating func readWord(_ word: String, _ value: JSONValue) throws(TokenizerError) -> JSONValue {
        for byte in word.utf8 {
            guard position < count, base[position] == byte else { throw malformed(word) }
            position += 1
        }
        return value
    }

    private mutating func readNumber() throws(TokenizerError) -> Double {
        var text = ""
        while position < count, "+-.0123456789eE".utf8.contains(base[position]) {
            text.unicodeScalars.append(Unicode.Scalar(base[position]))
            position += 1
        }
        guard let number = Double(text) else { throw malformed("a JSON value") }
        return number
    }
}

/// A parsed JSON value.
enum JSONValue: Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// For messages.
    var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): value
        case .array: "an array"
        case .object: self["type"]?.string ?? "an object"
        }
    }
}
