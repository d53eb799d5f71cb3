/// Text that is not JSON: where (1-based line and column, in bytes) and why.
package struct JSONSyntaxError: Error, Equatable, CustomStringConvertible {
    package let line: Int
    package let column: Int
    package let message: String

    package init(line: Int, column: Int, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }

    package var description: String { "JSON, line \(line), column \(column): \(message)" }
}

extension TemplateValue {
    /// Reads a JSON document (RFC 8259, UTF-8, an optional byte order mark), keeping the order of keys.
    ///
    /// A repeated key keeps its first place and takes the last value, as in Python.
    /// - Throws: ``JSONSyntaxError``.
    package init(json bytes: some Sequence<UInt8>) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes: Array(bytes))
        self = try parser.document()
    }

    package init(json text: String) throws(JSONSyntaxError) { try self.init(json: text.utf8) }
}

private struct JSONParser {
    /// Deep enough for any schema; keeps recursion within the smallest thread stacks (512 KiB).
    private static let maximumDepth = 128

    let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    private func failure(_ message: String) -> JSONSyntaxError {
        let before = bytes[..<min(position, bytes.count)]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let line = before.reduce(into: 1) { if $1 == UInt8(ascii: "\n") { $0 += 1 } }
        return JSONSyntaxError(line: line, column: before.count - lineStart + 1, message: message)
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(JSONSyntaxError) {
        skipSpace()
        if !take(character) { throw failure("expected '\(character)'") }
    }

    mutating func document() throws(JSONSyntaxError) -> TemplateValue {
        let value = try value(depth: 0)
        skipSpace()
        if next != nil { throw failure("unexpected text after the document") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> TemplateValue {
        guard depth < Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth) levels") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case let byte? where byte == UInt8(ascii: "-") || isDigit(byte): return try number()
        case nil: throw failure("unexpected end")
        default: throw failure("expected a value")
        }
    }

    private mutating func word(_ word: String, _ value: TemplateValue) throws(JSONSyntaxError) -> TemplateValue {
        guard bytes[position...].starts(with: word.utf8) else { throw failure("expected '\(word)'") }
        position += word.utf8.count
        return value
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> TemplateValue {
        position += 1
        var items: [TemplateValue] = []
        skipSpace()
        if take("]") { return .list(items) }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .list(items) }
            if !take(",") { throw failure("expected ',' or ']'") }
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> TemplateValue {
        position += 1
        var mapping = OrderedMapping<TemplateValue>()
        skipSpace()
        if take("}") { return .mapping(mapping) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("expected a key in double quotes") }
            let key = try string()
            try expect(":")
            mapping[key] = try value(depth: depth + 1)
            skipSpace()
            if take("}") { return .mapping(mapping) }
            if !take(",") { throw failure("expected ',' or '}'") }
        }
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while let byte = next, isDigit(byte) { position += 1 }
        if position == start { throw failure("expected a digit") }
    }

    private mutating func number() throws(JSONSyntaxError) -> TemplateValue {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        var isInteger = true
        if take(".") {
            isInteger = false
            try digits()
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger { return Int(text).map(TemplateValue.integer) ?? .largeInteger(text) }
        guard let value = Double(text), value.isFinite else { throw failure("\(text) is too large a number") }
        return .double(value)
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        position += 1
        var result: [UInt8] = []
        while true {
            let start = position
            while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
                position += 1
            }
            result.append(contentsOf: bytes[start..<position])
            if take("\"") { break }
            if take("\\") {
                try escape(into: &result)
            } else {
                throw failure(next == nil ? "unterminated string" : "control character in a string")
            }
        }
        guard let text = String(validating: result, as: UTF8.self) else { throw failure("invalid UTF-8 in a string") }
        return text
    }

    private mutating func escape(into result: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = next else { throw failure("unterminated string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"): result.append(contentsOf: String(try unicodeEscape()).utf8)
        default: throw failure("unknown escape in a string")
        }
    }

    private mutating func unicodeEscape() throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), take("\\"), take("u") else { throw failure("lone surrogate") }
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw failure("lone surrogate") }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw failure("unterminated string") }
        let text = String(decoding: bytes[position..<position + 4], as: UTF8.self)
        guard !text.hasPrefix("+"), !text.hasPrefix("-"), let value = UInt32(text, radix: 16) else {
            throw failure("expected four hexadecimal digits")
        }
        position += 4
        return value
    }
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
