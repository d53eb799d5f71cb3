import ChatTemplate
import HTTPTypes
import QwenVL

/// `POST /v1/responses`.
struct ResponsesRequest: Sendable {
    var messages: [ChatMessage]
    var fields: RequestFields
    var tools: ToolFields
    /// Fields that the reply repeats as they came.
    var echoed: [(String, JSON)]

    init(_ request: JSONField, limits: ServerOptions) throws {
        _ = try request.object("a JSON object")
        fields = try RequestFields(request, limits: limits)
        guard fields.choices == 1 else {
            throw APIError(.badRequest, "n: a response is one answer", code: "unsupported", parameter: "n")
        }
        for key in ["previous_response_id", "conversation", "prompt"] where request.optional(key) != nil {
            throw APIError(
                .badRequest, "\(key): this server keeps no conversations; send the whole of it as input",
                code: "unsupported", parameter: key)
        }
        if let field = request.optional("background"), try field.boolean() {
            throw APIError(
                .badRequest, "background: this server answers at once", code: "unsupported", parameter: "background")
        }
        tools = try ToolFields(request)
        var items: [ChatMessage] = []
        if let instructions = request.optional("instructions") { items.append(.system(try instructions.string())) }
        items += try Self.messages(request.required("input", "a text or a list of items"))
        messages = try limits.checked(items)
        fields.options.responseFormat = try tools.format(
            ResponseFormat(request.optional("text")?.optional("format")))
        if let field = request.optional("top_logprobs") {
            fields.options.logprobs = try field.integer(in: 0...20, "an integer from 0 to 20")
        } else if let include = request.optional("include") {
            for element in try include.elements() where element.value == "message.output_text.logprobs" {
                fields.options.logprobs = 0
            }
        }
        echoed = Self.echo.map { key, absent in (key, request.optional(key)?.value ?? absent) }
    }

    private static let echo: [(String, JSON)] = [
        ("instructions", .null), ("max_output_tokens", .null), ("metadata", .mapping([])), ("temperature", .null),
        ("top_p", .null), ("tool_choice", "auto"), ("tools", .list([])), ("parallel_tool_calls", true),
        ("text", ["format": ["type": "text"]]), ("truncation", "disabled"),
    ]

    // MARK: Input

    private static func messages(_ input: JSONField) throws(InputError) -> [ChatMessage] {
        if case .string(let text) = input.value { return [.user(text)] }
        var messages: [ChatMessage] = []
        for item in try input.elements("a text or a list of items") {
            let type = try item.optional("type")?.string() ?? "message"
            switch type {
            case "message": messages.append(try message(item))
            case "function_call": append(try call(item), to: &messages)
            case "function_call_output": messages.append(try output(item))
            case "reasoning": break
            default:
                throw item.failure(expected: "an item of type message, function_call or function_call_output")
            }
        }
        if messages.isEmpty { throw input.failure(expected: "at least one message") }
        return messages
    }

    /// A message whose parts are called `input_text`, `output_text`, `input_image`.
    private static func message(_ item: JSONField) throws(InputError) -> ChatMessage {
        let role = ChatMessage.Role(rawValue: try item.required("role", "a string").string())
        let content = try item.required("content", "a text or a list of parts")
        if case .string(let text) = content.value { return ChatMessage(role: role, content: .text(text)) }
        var parts: [ContentPart] = []
        for part in try content.elements() {
            switch try part.optional("type")?.string() {
            case "output_text", "refusal":
                let text = part.optional("text") ?? part.optional("refusal")
                parts.append(.text(try text?.string() ?? ""))
            case "input_file": throw part.failure(expected: "input_text, input_image or input_video")
            case "input_video":
                var members: [(String, JSON)] = [("type", "video")]
                if case .mapping(let given) = part.value {
                    for (key, value) in given where key != "type" { members.append((key, value)) }
                }
                parts.append(try ContentPart(JSONField(.mapping(members), path: part.path)))
            default: parts.append(try ContentPart(part))
            }
        }
        return ChatMessage(role: role, content: .parts(parts))
    }

    private static func call(_ item: JSONField) throws(InputError) -> JSON {
        [
            "id": .string(try item.optional("call_id")?.string() ?? ""), "type": "function",
            "function": [
                "name": .string(try item.required("name", "a function's name").string()),
                "arguments": .string(try item.required("arguments", "a JSON text").string()),
            ],
        ]
    }

    /// Calls that follow the assistant's text, or each other, belong to one turn.
    private static func append(_ call: JSON, to messages: inout [ChatMessage]) {
        if messages.last?.role != .assistant { messages.append(ChatMessage(role: .assistant, content: .text(""))) }
        let last = messages.count - 1
        var calls: [JSON] = []
        if case .list(let present)? = messages[last].extra["tool_calls"]?.value { calls = present }
        messages[last].extra["tool_calls"] = JSONValue(.list(calls + [call]))
    }

    private static func output(_ item: JSONField) throws(InputError) -> ChatMessage {
        let output = try item.required("output", "a text")
        let id = try item.optional("call_id")?.string() ?? ""
        let text = if case .string(let text) = output.value { text } else { output.value.serialized(.python) }
        return ChatMessage(role: .tool, content: .text(text), extra: ["tool_call_id": JSONValue(.string(id))])
    }
}
