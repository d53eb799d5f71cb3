/// What a chat template is given: JSON with the order of keys kept, since `tojson` prints it.
package enum TemplateValue: Sendable {
    case null
    case boolean(Bool)
    case integer(Int)
    /// The digits of an integer beyond 64 bits: printed as it stands, no arithmetic.
    case largeInteger(String)
    case double(Double)
    case string(String)
    case list([TemplateValue])
    case mapping(OrderedMapping<TemplateValue>)

    package static func mapping(_ pairs: [(String, TemplateValue)]) -> TemplateValue {
        .mapping(OrderedMapping(pairs))
    }

    /// The member of a mapping; nil for any other value or a missing key.
    package subscript(key: String) -> TemplateValue? {
        if case .mapping(let mapping) = self { mapping[key] } else { nil }
    }
}

extension TemplateValue: Equatable {
    /// Strings by code points; an integer and a double are different values.
    package static func == (left: TemplateValue, right: TemplateValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let a), .boolean(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.largeInteger(let a), .largeInteger(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.list(let a), .list(let b)): a == b
        case (.mapping(let a), .mapping(let b)): a == b
        default: false
        }
    }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package typealias Key = String
    package typealias Value = TemplateValue

    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(arrayLiteral elements: TemplateValue...) { self = .list(elements) }
    package init(dictionaryLiteral elements: (String, TemplateValue)...) { self = .mapping(elements) }
    package init(nilLiteral: ()) { self = .null }
}

extension TemplateValue: Codable {
    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Keeps the order of keys the decoder reports; Foundation's JSON decoder reports none. Where the
    /// order matters, read with ``init(json:)``.
    package init(from decoder: any Decoder) throws {
        if let container = try? decoder.container(keyedBy: Name.self) {
            var mapping = OrderedMapping<TemplateValue>()
            for key in container.allKeys { mapping[key.stringValue] = try container.decode(Self.self, forKey: key) }
            self = .mapping(mapping)
        } else if var container = try? decoder.unkeyedContainer() {
            var list: [TemplateValue] = []
            while !container.isAtEnd { list.append(try container.decode(Self.self)) }
            self = .list(list)
        } else {
            self = try Self.scalar(decoder.singleValueContainer())
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> TemplateValue {
        if container.decodeNil() { return .null }
        if let value = try? container.decode(Bool.self) { return .boolean(value) }
        if let value = try? container.decode(Int.self) { return .integer(value) }
        if let value = try? container.decode(Double.self) { return .double(value) }
        return .string(try container.decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .list(let items):
            var container = encoder.unkeyedContainer()
            for item in items { try container.encode(item) }
        case .mapping(let mapping):
            var container = encoder.container(keyedBy: Name.self)
            for (key, value) in mapping { try container.encode(value, forKey: Name(stringValue: key)) }
        default:
            var container = encoder.singleValueContainer()
            try encodeScalar(into: &container)
        }
    }

    private func encodeScalar(into container: inout any SingleValueEncodingContainer) throws {
        switch self {
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .largeInteger(let digits): try container.encode(Double(digits) ?? .infinity)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .null, .list, .mapping: try container.encodeNil()
        }
    }
}
