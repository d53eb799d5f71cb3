import ChatTemplate

/// A function that the model asks to be called.
public struct ToolCall: Sendable, Hashable {
    /// The function.
    public var name: String
    /// Its arguments: the text of a JSON object.
    public var arguments: String

    /// A call.
    public init(name: String, arguments: String) {
        self.name = name
        self.arguments = arguments
    }

    static let begin = "<tool_call>"
    static let end = "</tool_call>"

    /// The call as Qwen writes it into an answer.
    public var text: String {
        let name = TemplateValue.string(name).serialized(.python)
        return "\(Self.begin)\n{\"name\": \(name), \"arguments\": \(arguments)}\n\(Self.end)"
    }

    /// Reads what stands between the tags: `{"name": …, "arguments": {…}}`. Nil when it is something else.
    init?(parsing body: some StringProtocol) {
        guard let value = try? TemplateValue(json: body.utf8), case .string(let name)? = value["name"] else {
            return nil
        }
        self.name = name
        switch value["arguments"] ?? value["parameters"] {
        case .string(let text)?: arguments = text
        case let other?: arguments = other.serialized(.python)
        case nil: arguments = "{}"
        }
    }
}

extension Completion {
    /// The calls that the answer contains.
    public var toolCalls: [ToolCall] { ToolCallParser.parse(text).calls }
    /// The answer without them.
    public var content: String { ToolCallParser.parse(text).content }
}
