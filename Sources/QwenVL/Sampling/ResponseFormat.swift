/// What form an answer must have. Tokens that would leave it cannot be drawn.
public enum ResponseFormat: Sendable, Equatable {
    /// Any text.
    case text
    /// A JSON object.
    case jsonObject
    /// A JSON document that a JSON Schema describes.
    case jsonSchema(JSONValue)
}
