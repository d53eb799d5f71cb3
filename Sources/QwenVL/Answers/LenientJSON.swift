import ChatTemplate

extension JSONValue {
    /// The lists and objects that stand in a text, in order, fenced or not. What models get slightly wrong is mended: a
    /// trailing or missing comma, single quotes, an end cut off.
    public static func found(in text: String) -> [JSONValue] {
        LenientJSON.values(in: text).values.map { JSONValue($0) }
    }
}

/// Reads JSON as models write it: between other text, with a trailing comma, a missing one, or cut off at the end.
///
/// What was mended is told; what cannot be read is passed over.
struct LenientJSON {
    private let bytes: [UInt8]
    private var position: Int
    private var repairs: Set<GroundedAnswer.Repair> = []
    /// Deep enough for any answer; keeps recursion within the smallest thread stacks.
    private static let maximumDepth = 64

    private init(bytes: [UInt8], position: Int) {
        self.bytes = bytes
        self.position = position
    }

    /// The lists and objects of a text, in order.
    static func values(in text: some StringProtocol) -> (values: [TemplateValue], repairs: Set<GroundedAnswer.Repair>) {
        let bytes = Array(text.utf8)
        var values: [TemplateValue] = []
        var repairs: Set<GroundedAnswer.Repair> = []
        var start = 0
        while let next = bytes[start...].firstIndex(where: { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "{") }) {
            var parser = LenientJSON(bytes: bytes, position: next)
            if let value = parser.value(depth: 0) {
                values.append(value)
                repairs.formUnion(parser.repairs)
                start = parser.position
            } else {
                start = next + 1
            }
        }
        return (values, repairs)
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// Nil where no value stands, and where the text ends within one that is no list or object.
    private mutating func value(depth: Int) -> TemplateValue? {
        guard depth < Self.maximumDepth else { return nil }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return object(depth: depth)
        case UInt8(ascii: "["): return list(depth: depth)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return string().map(TemplateValue.string)
        case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte): return number()
        default: return word()
        }
    }

    /// Whether another member follows. Told of what is missing before it.
    private enum Separator { case another, end, wrong }

    private mutating func separator(closing: Unicode.Scalar) -> Separator {
        skipSpace()
        if take(closing) { return .end }
        if take(",") {
            skipSpace()
            if take(closing) {
                repairs.insert(.trailingComma)
                return .end
            }
            if next != nil { return .another }
        }
        switch next {
        case nil:
            repairs.insert(.cutOff)
            return .end
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""):
            repairs.insert(.missingComma)
            return .another
        default: return .wrong
        }
    }

    private mutating func list(depth: Int) -> TemplateValue? {
        position += 1
        var items: [TemplateValue] = []
        skipSpace()
        if take("]") { return .list(items) }
        while true {
            guard let item = value(depth: depth + 1) else { return ended(.list(items)) }
            items.append(item)
            switch separator(closing: "]") {
            case .another: continue
            case .end: return .list(items)
            case .wrong: return nil
            }
        }
    }

    private mutating func object(depth: Int) -> TemplateValue? {
        position += 1
        var members = OrderedMapping<TemplateValue>()
        skipSpace()
        if take("}") { return .mapping(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") || next == UInt8(ascii: "'"), let key = string() else {
                return ended(.mapping(members))
            }
            skipSpace()
            guard take(":"), let member = value(depth: depth + 1) else { return ended(.mapping(members)) }
            members[key] = member
            switch separator(closing: "}") {
            case .another: continue
            case .end: return .mapping(members)
            case .wrong: return nil
            }
        }
    }

    /// What has been read, where the text ended; else nothing.
    private mutating func ended(_ value: TemplateValue) -> TemplateValue? {
        skipSpace()
        guard next == nil else { return nil }
        repairs.insert(.cutOff)
        return value
    }

    private mutating func string() -> String? {
        let quote = bytes[position]
        if quote == UInt8(ascii: "'") { repairs.insert(.singleQuotes) }
        position += 1
        var characters: [UInt8] = []
        while let byte = next, byte != quote {
            position += 1
            if byte == UInt8(ascii: "\\") {
                guard escape(into: &characters) else { return nil }
            } else {
                characters.append(byte)
            }
        }
        guard next != nil else { return nil }
        position += 1
        return String(decoding: characters, as: UTF8.self)
    }

    /// An escape that is none of JSON's stands for its character.
    private mutating func escape(into characters: inout [UInt8]) -> Bool {
        guard let byte = next else { return false }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): characters.append(0x0A)
        case UInt8(ascii: "t"): characters.append(0x09)
        case UInt8(ascii: "r"): characters.append(0x0D)
        case UInt8(ascii: "b"): characters.append(0x08)
        case UInt8(ascii: "f"): characters.append(0x0C)
        case UInt8(ascii: "u"):
            guard let first = hexadecimal() else { return false }
            var scalar = Unicode.Scalar(first)
            if scalar == nil, take("\\"), take("u"), let second = hexadecimal(), (0xDC00..<0xE000).contains(second) {
                scalar = Unicode.Scalar(0x10000 + ((first & 0x3FF) << 10) + (second - 0xDC00))
            }
            characters += String(Character(scalar ?? "\u{FFFD}")).utf8
        default: characters.append(byte)
        }
        return true
    }

    private mutating func hexadecimal() -> UInt32? {
        guard position + 4 <= bytes.count else { return nil }
        let digits = bytes[position..<position + 4]
        guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
        position += 4
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private mutating func number() -> TemplateValue? {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { position += 1 }
        // At the end of the text further digits may be missing.
        guard next != nil else { return nil }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if let integer = Int(text) { return .integer(integer) }
        guard let value = Double(text), value.isFinite else { return nil }
        return .double(value)
    }

    private mutating func word() -> TemplateValue? {
        for (word, value) in [("true", TemplateValue.boolean(true)), ("false", .boolean(false)), ("null", .null)]
        where bytes[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        return nil
    }
}
