/// What form an answer must have. Tokens that would leave it cannot be drawn.
public enum ResponseFormat: Sendable, Equatable {
    /// Any text.
    case text
    /// A JSON object.
    case jsonObject
    /// A JSON document that a JSON Schema describes.
    case jsonSchema(JSONValue)
    /// A call of one of these tools, each in OpenAI's form, in Qwen's `<tool_call>` tags. Arguments follow the tool's
    /// `parameters`; where those have keywords that cannot be kept to, they are any JSON object.
    case toolCall([JSONValue])
}
