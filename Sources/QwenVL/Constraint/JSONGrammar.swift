import ChatTemplate

/// Grammars of JSON documents: of any object, or of what a JSON Schema describes.
///
/// Between tokens of JSON stand nothing, one space, or a line break with some indentation: a model that may write
/// white space without end sometimes does.
struct JSONGrammar {
    private(set) var grammar = Grammar()
    private var root: TemplateValue
    private var references: [String: Int] = [:]

    private let space: Int
    private let character: Int
    private let string: Int
    private let integer: Int
    private let number: Int
    private let value: Int
    private let object: Int
    private let array: Int

    /// Any object.
    static func anyObject() -> Grammar {
        var builder = JSONGrammar(root: .null)
        builder.grammar.start = builder.object
        return builder.grammar
    }

    /// What a schema describes.
    /// - Throws: `InputError` for keywords that cannot be kept to.
    static func schema(_ schema: TemplateValue) throws(InputError) -> Grammar {
        var builder = JSONGrammar(root: schema)
        builder.grammar.start = try builder.rule(JSONField(schema, path: "schema"))
        return builder.grammar
    }

    /// A call of one of some tools, as Qwen writes it.
    static func toolCall(_ tools: [TemplateValue]) -> Grammar {
        // What is repeated of a failed attempt stays in the grammar without being reached.
        var builder = JSONGrammar(root: .null)
        var sequences: [[Grammar.Element]] = []
        for tool in tools {
            let function = tool["function"] ?? tool
            guard let name = function["name"] else { continue }
            var arguments = builder.object
            if let parameters = function["parameters"], parameters != .null {
                builder.root = parameters
                builder.references = [:]
                arguments = (try? builder.rule(JSONField(parameters, path: "parameters"))) ?? builder.object
            }
            sequences.append(
                Grammar.literal("\(ToolCall.begin)\n{\"name\": \(name.serialized(.python)), \"arguments\": ")
                    + [.rule(arguments)] + Grammar.literal("}\n\(ToolCall.end)"))
        }
        let start = builder.grammar.rule(sequences)
        builder.grammar.start = start
        return builder.grammar
    }

    // MARK: Any JSON

    private init(root: TemplateValue) {
        self.root = root
        let digit = Grammar.Element.bytes(ByteSet(0x30...0x39))
        let tail = Grammar.Element.bytes(ByteSet(0x80...0xBF))
        let indentation = grammar.repeated(.bytes(ByteSet(0x20...0x20, 0x09...0x09)), 0, 20)
        space = grammar.rule([[], Grammar.literal(" "), Grammar.literal("\n") + indentation])
        let hex = Grammar.Element.bytes(ByteSet(0x30...0x39, 0x41...0x46, 0x61...0x66))
        character = grammar.rule([
            [.bytes(ByteSet(0x20...0x21, 0x23...0x5B, 0x5D...0x7F))],
            // UTF-8 as it is written: whole characters.
            [.bytes(ByteSet(0xC2...0xDF)), tail],
            [.bytes(ByteSet(0xE0...0xE0)), .bytes(ByteSet(0xA0...0xBF)), tail],
            [.bytes(ByteSet(0xE1...0xEC, 0xEE...0xEF)), tail, tail],
            [.bytes(ByteSet(0xED...0xED)), .bytes(ByteSet(0x80...0x9F)), tail],
            [.bytes(ByteSet(0xF0...0xF0)), .bytes(ByteSet(0x90...0xBF)), tail, tail],
            [.bytes(ByteSet(0xF1...0xF3)), tail, tail, tail],
            [.bytes(ByteSet(0xF4...0xF4)), .bytes(ByteSet(0x80...0x8F)), tail, tail],
            Grammar.literal("\\") + [.bytes(ByteSet(0x22...0x22, 0x2F...0x2F, 0x5C...0x5C, 0x62...0x62, 0x66...0x66))],
            Grammar.literal("\\") + [.bytes(ByteSet(0x6E...0x6E, 0x72...0x72, 0x74...0x74))],
            Grammar.literal("\\u") + [hex, hex, hex, hex],
        ])
        string = grammar.rule([
            Grammar.literal("\"") + grammar.repeated(.rule(character), 0, nil) + Grammar.literal("\"")
        ])
        // Longer numbers are no longer numbers to most readers.
        let digits = grammar.rule([grammar.repeated(digit, 0, 15)])
        let sign = grammar.rule([[], Grammar.literal("-")])
        let whole = grammar.rule([Grammar.literal("0"), [.bytes(ByteSet(0x31...0x39)), .rule(digits)]])
        integer = grammar.rule([[.rule(sign), .rule(whole)]])
        let fraction = grammar.rule([[], Grammar.literal(".") + [digit, .rule(digits)]])
        let exponentSign = grammar.rule([[], [.bytes(ByteSet(0x2B...0x2B, 0x2D...0x2D))]])
        let exponent = grammar.rule([
            [], [.bytes(ByteSet(0x45...0x45, 0x65...0x65)), .rule(exponentSign)] + grammar.repeated(digit, 1, 3),
        ])
        number = grammar.rule([[.rule(integer), .rule(fraction), .rule(exponent)]])
        value = grammar.declare()
        object = grammar.declare()
        array = grammar.declare()
        grammar.define(
            value,
            [[.rule(object)], [.rule(array)], [.rule(string)], [.rule(number)]]
                + ["true", "false", "null"].map(Grammar.literal))
        let member = pair(key: [.rule(string)], value: value)
        grammar.define(object, [list("{", member, "}", least: 0, most: nil)])
        grammar.define(array, [list("[", [.rule(value)], "]", least: 0, most: nil)])
    }

    private func pair(key: [Grammar.Element], value: Int) -> [Grammar.Element] {
        key + [.rule(space)] + Grammar.literal(":") + [.rule(space), .rule(value)]
    }

    private var comma: [Grammar.Element] { [.rule(space)] + Grammar.literal(",") + [.rule(space)] }

    /// Items with commas between them.
    private mutating func list(
        _ open: String, _ item: [Grammar.Element], _ close: String, least: Int, most: Int?
    ) -> [Grammar.Element] {
        let begin = Grammar.literal(open) + [.rule(space)]
        let end = [.rule(space)] + Grammar.literal(close)
        if most == 0 { return begin + Grammar.literal(close) }
        let more = grammar.rule([comma + item])
        let items = grammar.rule([
            item + grammar.repeated(.rule(more), max(0, least - 1), most.map { $0 - 1 })
        ])
        let body = grammar.rule(least == 0 ? [[.rule(items)] + end, Grammar.literal(close)] : [[.rule(items)] + end])
        return begin + [.rule(body)]
    }

    // MARK: Schemas

    /// Keywords that change nothing about what is allowed.
    private static let annotations: Set<String> = [
        "title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs", "definitions", "format",
        "deprecated", "readOnly", "writeOnly", "strict", "name",
    ]

    private mutating func rule(_ field: JSONField) throws(InputError) -> Int {
        if field.value == true { return value }
        let schema = try field.object("a JSON Schema")
        if let reference = field.optional("$ref") { return try rule(reference: reference) }
        if let values = field.optional("enum") {
            return grammar.rule(try values.elements().map { Grammar.literal($0.value.serialized(.python)) })
        }
        if let constant = schema["const"] { return grammar.rule([Grammar.literal(constant.serialized(.python))]) }
        for key in ["anyOf", "oneOf"] {
            guard let choices = field.optional(key) else { continue }
            var sequences: [[Grammar.Element]] = []
            for choice in try choices.elements() { sequences.append([.rule(try rule(choice))]) }
            return grammar.rule(sequences)
        }
        if let all = field.optional("allOf") {
            let parts = try all.elements()
            guard parts.count == 1, let only = parts.first else {
                throw all.failure(expected: "one schema: several at once cannot be kept to")
            }
            return try rule(only)
        }
        guard let type = field.optional("type") else {
            if schema["properties"] != nil { return try rule(type: "object", field) }
            if schema["items"] != nil || schema["prefixItems"] != nil { return try rule(type: "array", field) }
            try check(field, allowed: [])
            return value
        }
        if case .string(let name) = type.value { return try rule(type: name, field) }
        var sequences: [[Grammar.Element]] = []
        for name in try type.elements("a type or a list of types") {
            sequences.append([.rule(try rule(type: name.string(), field))])
        }
        return grammar.rule(sequences)
    }

    private mutating func rule(reference: JSONField) throws(InputError) -> Int {
        let path = try reference.string()
        if let known = references[path] { return known }
        guard path == "#" || path.hasPrefix("#/") else { throw reference.failure(expected: "a place in this schema") }
        var target = root
        for part in path.dropFirst().split(separator: "/") {
            let key = part.replacing("~1", with: "/").replacing("~0", with: "~")
            guard let member = target[String(key)] else { throw reference.failure(expected: "a place in this schema") }
            target = member
        }
        // Known before it is defined: schemas may refer to themselves.
        let rule = grammar.declare()
        references[path] = rule
        grammar.define(rule, [[.rule(try self.rule(JSONField(target, path: path)))]])
        return rule
    }

    private mutating func rule(type: String, _ field: JSONField) throws(InputError) -> Int {
        // With several types, each minds its own keywords.
        let isOnly = if case .string? = field.value["type"] { true } else { false }
        switch type {
        case "null": return grammar.rule([Grammar.literal("null")])
        case "boolean": return grammar.rule([Grammar.literal("true"), Grammar.literal("false")])
        case "string":
            if isOnly { try check(field, allowed: ["minLength", "maxLength"]) }
            return try stringRule(field)
        case "integer", "number":
            if isOnly { try check(field, allowed: []) }
            return type == "integer" ? integer : number
        case "array":
            if isOnly { try check(field, allowed: ["items", "prefixItems", "minItems", "maxItems"]) }
            return try arrayRule(field)
        case "object":
            if isOnly { try check(field, allowed: ["properties", "required", "additionalProperties"]) }
            return try objectRule(field)
        default: throw field.failure(expected: "a type of JSON, not \"\(type.prefix(40))\"")
        }
    }

    /// What cannot be kept to is refused, not forgotten.
    private func check(_ field: JSONField, allowed: Set<String>) throws(InputError) {
        for (key, _) in try field.object()
        where key != "type" && !allowed.contains(key) && !Self.annotations.contains(key) {
            throw InputError(
                field: "\(field.path).\(key)", expected: "only keywords that this program can hold answers to",
                found: key)
        }
    }

    /// Bounds are written out, so they have a bound themselves.
    private func count(_ field: JSONField, _ key: String) throws(InputError) -> Int? {
        try field.optional(key)?.integer(in: 0...4096, "an integer from 0 to 4096")
    }

    private mutating func stringRule(_ field: JSONField) throws(InputError) -> Int {
        let (least, most) = (try count(field, "minLength"), try count(field, "maxLength"))
        if least == nil, most == nil { return string }
        if let least, let most, most < least { throw field.failure(expected: "maxLength of at least minLength") }
        let characters = grammar.repeated(.rule(character), least ?? 0, most)
        return grammar.rule([Grammar.literal("\"") + characters + Grammar.literal("\"")])
    }

    private mutating func arrayRule(_ field: JSONField) throws(InputError) -> Int {
        let (least, most) = (try count(field, "minItems") ?? 0, try count(field, "maxItems"))
        if let most, most < least { throw field.failure(expected: "maxItems of at least minItems") }
        if let prefix = field.optional("prefixItems") {
            var sequence = Grammar.literal("[") + [.rule(space)]
            for (index, item) in try prefix.elements().enumerated() {
                if index > 0 { sequence += comma }
                sequence.append(.rule(try rule(item)))
            }
            return grammar.rule([sequence + [.rule(space)] + Grammar.literal("]")])
        }
        let item = try field.optional("items").map { (items) throws(InputError) in try rule(items) } ?? value
        return grammar.rule([list("[", [.rule(item)], "]", least: least, most: most)])
    }

    /// Members in the order of the schema; what is not required may be left out.
    private mutating func objectRule(_ field: JSONField) throws(InputError) -> Int {
        guard let properties = field.optional("properties"), try !properties.object().isEmpty else {
            guard let additional = field.optional("additionalProperties") else { return object }
            if additional.value == false { return grammar.rule([Grammar.literal("{}")]) }
            let member = pair(key: [.rule(string)], value: try rule(additional))
            return grammar.rule([list("{", member, "}", least: 0, most: nil)])
        }
        var required: Set<String> = []
        for name in try field.optional("required")?.elements() ?? [] { required.insert(try name.string()) }
        var members: [(name: String, sequence: [Grammar.Element])] = []
        for (name, schema) in try properties.object() {
            let rule = try rule(JSONField(schema, path: "\(properties.path).\(name)"))
            let key = Grammar.literal(TemplateValue.string(name).serialized(.python))
            members.append((name, pair(key: key, value: rule)))
        }
        // From the last to the first: what may follow, with something before it and with nothing.
        var (after, first) = (grammar.rule([[]]), grammar.rule([[]]))
        for (name, sequence) in members.reversed() {
            let isRequired = required.contains(name)
            let nextAfter = grammar.rule([comma + sequence + [.rule(after)]] + (isRequired ? [] : [[.rule(after)]]))
            first = grammar.rule([sequence + [.rule(after)]] + (isRequired ? [] : [[.rule(first)]]))
            after = nextAfter
        }
        return grammar.rule([
            Grammar.literal("{") + [.rule(space), .rule(first), .rule(space)] + Grammar.literal("}")
        ])
    }
}
