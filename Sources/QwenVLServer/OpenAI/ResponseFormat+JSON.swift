import ChatTemplate
import QwenVL

extension ResponseFormat {
    /// Reads `response_format` of chat completions, or `text.format` of responses; nil for plain text.
    init?(_ field: JSONField?) throws(InputError) {
        guard let field else { return nil }
        let type = try field.required("type", "\"text\", \"json_object\" or \"json_schema\"")
        switch try type.string() {
        case "text": return nil
        case "json_object": self = .jsonObject
        case "json_schema":
            // The Responses API has the schema beside the type.
            let holder = field.optional("json_schema") ?? field
            let schema = try holder.required("schema", "a JSON Schema")
            _ = try schema.object("a JSON Schema")
            self = .jsonSchema(JSONValue(schema.value))
        default: throw type.failure(expected: "\"text\", \"json_object\" or \"json_schema\"")
        }
    }
}
