import ChatTemplate
import HTTPTypes
import QwenVL

/// `POST /v1/chat/completions`.
struct ChatRequest: Sendable {
    var messages: [ChatMessage]
    var fields: RequestFields
    var tools: ToolFields

    init(_ request: JSONField, limits: ServerOptions) throws {
        _ = try request.object("a JSON object")
        fields = try RequestFields(request, limits: limits)
        messages = try limits.checked(
            ChatMessage.conversation(request.required("messages", "a list of messages")))
        tools = try ToolFields(request)
        if let field = request.optional("logprobs"), try field.boolean() {
            fields.options.logprobs =
                try request.optional("top_logprobs")?.integer(in: 0...20, "an integer from 0 to 20") ?? 0
        } else if let field = request.optional("top_logprobs"), try field.integer(in: 0...20, "0 to 20") > 0 {
            throw field.failure(expected: "logprobs to be true")
        }
        if let field = request.optional("modalities") {
            for element in try field.elements() where try element.string() != "text" {
                throw element.failure(expected: "\"text\"")
            }
        }
        for key in ["audio", "functions", "function_call"] where request.optional(key) != nil {
            throw APIError(
                .badRequest,
                "\(key): this server does not do that\(key == "audio" ? "" : "; use tools and tool_choice")",
                code: "unsupported", parameter: key)
        }
        fields.options.responseFormat = try tools.format(ResponseFormat(request.optional("response_format")))
    }
}

/// `tools` and `tool_choice`.
struct ToolFields: Sendable {
    /// In OpenAI's form, as chat templates print them; none when `tool_choice` is `none`.
    var tools: [JSONValue] = []
    /// Those of which one has to be called; none where the model may choose.
    var required: [JSONValue] = []

    init() {}

    init(_ request: JSONField) throws(InputError) {
        guard let list = request.optional("tools") else {
            if let choice = request.optional("tool_choice"), case .mapping = choice.value {
                throw choice.failure(expected: "tools to choose from")
            }
            return
        }
        var names: [String] = []
        for element in try list.elements() {
            let type = try element.optional("type")?.string() ?? "function"
            guard type == "function" else { throw element.failure(expected: "a tool of type \"function\"") }
            // The Responses API has name and parameters beside the type.
            let function = element.optional("function") ?? element
            names.append(try function.required("name", "a function's name").string())
            tools.append(JSONValue(Self.canonical(element.value)))
        }
        try choose(request.optional("tool_choice"), among: names)
    }

    private static func canonical(_ tool: JSON) -> JSON {
        if tool["function"] != nil { return tool }
        var function: [(String, JSON)] = []
        for key in ["name", "description", "parameters", "strict"] {
            if let value = tool[key], value != .null { function.append((key, value)) }
        }
        return ["type": "function", "function": .mapping(function)]
    }

    private mutating func choose(_ choice: JSONField?, among names: [String]) throws(InputError) {
        guard let choice else { return }
        switch choice.value {
        case .string("auto"): break
        case .string("none"): tools = []
        case .string("required"): required = tools
        case .mapping:
            let name = try (choice.optional("function") ?? choice).required("name", "a function's name").string()
            guard names.contains(name) else { throw choice.failure(expected: "the name of one of the tools") }
            required = zip(tools, names).filter { $0.1 == name }.map(\.0)
        default: throw choice.failure(expected: "\"auto\", \"none\", \"required\" or a function")
        }
    }

    /// The form of the answer: a call where there has to be one, else what is asked for.
    func format(_ asked: ResponseFormat?) throws(InputError) -> ResponseFormat? {
        guard !tools.isEmpty else { return asked }
        if asked == nil { return required.isEmpty ? nil : .toolCall(required) }
        throw InputError(
            field: "response_format", expected: "\"text\" together with tools", found: "another format")
    }
}
