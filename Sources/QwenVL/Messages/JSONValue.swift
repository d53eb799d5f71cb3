package import ChatTemplate

/// A JSON value that keeps the order of keys: tool schemas and message fields this library only passes on.
///
/// Written as literals (`["type": "function", "strict": true]`) or parsed with ``init(parsing:)``.
/// `Decodable` gets objects from Foundation's decoder without their order; ``init(parsing:)`` keeps it.
public struct JSONValue: Sendable, Equatable, Codable {
    package var value: TemplateValue

    package init(_ value: TemplateValue) { self.value = value }

    /// Parses JSON text.
    /// - Throws: ``InputError`` with the line and column where the text stops being JSON.
    public init(parsing json: String) throws(InputError) {
        value = try TemplateValue.parse(json.utf8, named: "JSON")
    }

    /// Decodes any JSON value.
    public init(from decoder: any Decoder) throws { value = try TemplateValue(from: decoder) }

    /// Encodes the value.
    public func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self.value = .string(value) }
    /// An integer.
    public init(integerLiteral value: Int) { self.value = .integer(value) }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self.value = .boolean(value) }
    /// A number.
    public init(floatLiteral value: Double) { self.value = .double(value) }
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { value = .list(elements.map(\.value)) }
    /// An object, in the order written.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        value = .mapping(elements.map { ($0, $1.value) })
    }
    /// Null.
    public init(nilLiteral: ()) { value = .null }
}

extension TemplateValue {
    /// Parses JSON, naming the document in the error.
    package static func parse(_ bytes: some Sequence<UInt8>, named name: String) throws(InputError) -> TemplateValue {
        do {
            return try TemplateValue(json: bytes)
        } catch {
            throw InputError(
                field: name, expected: "JSON", found: "\(error.message) at line \(error.line), column \(error.column)")
        }
    }
}
