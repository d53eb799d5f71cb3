/// Python's `json.dumps`, which Transformers' `tojson` calls.
struct JSONWriter {
    var itemSeparator: String
    var keySeparator: String
    /// The text of one level; nil for a single line.
    var indentation: String?
    var sortsKeys: Bool
    var escapesNonASCII: Bool
    private(set) var result = ""

    init(
        indentation: String? = nil, separators: (item: String, key: String)? = nil, sortsKeys: Bool = false,
        escapesNonASCII: Bool = false
    ) {
        self.indentation = indentation
        itemSeparator = separators?.item ?? (indentation == nil ? ", " : ",")
        keySeparator = separators?.key ?? ": "
        self.sortsKeys = sortsKeys
        self.escapesNonASCII = escapesNonASCII
    }

    /// Appends the value. Returns the type that cannot be written, if there is one.
    /// - Parameter limit: stops, leaving the result longer than it, once there are so many bytes.
    mutating func write(_ value: RuntimeValue, level: Int = 0, limit: Int = .max) -> String? {
        if result.utf8.count > limit { return nil }
        switch value {
        case .none: result += "null"
        case .boolean(let flag): result += flag ? "true" : "false"
        case .integer(let integer): result += String(integer)
        case .largeInteger(let digits): result += digits
        case .double(let double): result += Self.number(double)
        case .string(let text): write(text)
        case .list(let elements), .tuple(let elements): return write(elements.items, level: level, limit: limit)
        case .mapping(let members): return write(members.mapping, level: level, limit: limit)
        default: return value.typeName
        }
        return nil
    }

    /// A document's value on one line; numbers that JSON does not have as null.
    mutating func write(_ value: TemplateValue) {
        switch value {
        case .null: result += "null"
        case .boolean(let flag): result += flag ? "true" : "false"
        case .integer(let integer): result += String(integer)
        case .largeInteger(let digits): result += digits
        case .double(let double): result += double.isFinite ? Self.number(double) : "null"
        case .string(let text): write(text)
        case .list(let items):
            result += "["
            for (index, item) in items.enumerated() {
                if index > 0 { result += itemSeparator }
                write(item)
            }
            result += "]"
        case .mapping(let members):
            result += "{"
            for (index, (key, member)) in members.enumerated() {
                if index > 0 { result += itemSeparator }
                write(key)
                result += keySeparator
                write(member)
            }
            result += "}"
        }
    }

    private static func number(_ double: Double) -> String {
        if double.isNaN { return "NaN" }
        if double.isInfinite { return double < 0 ? "-Infinity" : "Infinity" }
        return double.pythonText
    }

    private mutating func breakLine(_ level: Int) {
        guard let indentation else { return }
        result += "\n" + String(repeating: indentation, count: level)
    }

    private mutating func write(_ items: [RuntimeValue], level: Int, limit: Int) -> String? {
        if items.isEmpty {
            result += "[]"
            return nil
        }
        result += "["
        for (index, item) in items.enumerated() {
            if index > 0 { result += itemSeparator }
            breakLine(level + 1)
            if let failure = write(item, level: level + 1, limit: limit) { return failure }
        }
        breakLine(level)
        result += "]"
        return nil
    }

    private mutating func write(_ mapping: OrderedMapping<RuntimeValue>, level: Int, limit: Int) -> String? {
        if mapping.isEmpty {
            result += "{}"
            return nil
        }
        result += "{"
        var pairs = Array(mapping)
        if sortsKeys { pairs.sort { $0.0.unicodeScalars.lexicographicallyPrecedes($1.0.unicodeScalars) } }
        for (index, (key, value)) in pairs.enumerated() {
            if index > 0 { result += itemSeparator }
            breakLine(level + 1)
            write(key)
            result += keySeparator
            if let failure = write(value, level: level + 1, limit: limit) { return failure }
        }
        breakLine(level)
        result += "}"
        return nil
    }

    private mutating func write(_ text: String) {
        // Nothing to escape, as in most texts.
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C && ($0 < 0x7F || !escapesNonASCII) }) {
            result += "\""
            result += text
            result += "\""
            return
        }
        var scalars = String.UnicodeScalarView()
        scalars.append("\"")
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                scalars.append("\\")
                scalars.append(scalar)
            case "\n": scalars.append(contentsOf: "\\n".unicodeScalars)
            case "\r": scalars.append(contentsOf: "\\r".unicodeScalars)
            case "\t": scalars.append(contentsOf: "\\t".unicodeScalars)
            case "\u{8}": scalars.append(contentsOf: "\\b".unicodeScalars)
            case "\u{c}": scalars.append(contentsOf: "\\f".unicodeScalars)
            default:
                if scalar.value < 0x20 || (escapesNonASCII && scalar.value > 0x7E) {
                    Self.escape(scalar, into: &scalars)
                } else {
                    scalars.append(scalar)
                }
            }
        }
        scalars.append("\"")
        result += String(scalars)
    }

    private static func escape(_ scalar: Unicode.Scalar, into scalars: inout String.UnicodeScalarView) {
        for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            scalars.append(
                contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
        }
    }
}

extension TemplateValue {
    /// How a value is written as JSON.
    package enum JSONStyle {
        /// As Python's `json.dumps(…, ensure_ascii=False)`: a space after commas and colons.
        case python
        /// Without any space: for the wire.
        case compact
    }

    /// The value as JSON text. Numbers that JSON does not have become null.
    package func serialized(_ style: JSONStyle) -> String {
        var writer = JSONWriter(separators: style == .compact ? (",", ":") : nil)
        writer.write(self)
        return writer.result
    }
}
