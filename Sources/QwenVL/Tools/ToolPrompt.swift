import ChatTemplate

/// Puts tools into the messages themselves, for chat templates that know of none.
///
/// The official `chat_template.json` has pictures but no tools; the template in `tokenizer_config.json` has tools but
/// no pictures. What the second prints for tools, calls and results is put into messages for the first. The wording is
/// that of the official `tokenizer_config.json` (Qwen team, Alibaba Cloud, Apache-2.0), which the models were trained on.
enum ToolPrompt {
    static let defaultSystem = "You are a helpful assistant."

    static func messages(_ messages: [ChatMessage], tools: [JSONValue]) -> [ChatMessage] {
        var rest = messages[...]
        var system = tools.isEmpty ? nil : ChatMessage.system(defaultSystem)
        if let first = rest.first, first.role == .system, !tools.isEmpty {
            system = first
            rest = rest.dropFirst()
        }
        var result: [ChatMessage] = []
        if var message = system {
            message.content = .text(message.text + instructions(tools))
            result.append(message)
        }
        var isAfterTool = false
        for message in rest {
            switch message.role {
            case .assistant: result.append(withCalls(message))
            case .tool:
                // Results that follow each other are one turn of the user.
                let parts = response(message, isFirst: !isAfterTool)
                if isAfterTool, let last = result.indices.last {
                    result[last].content = .parts(result[last].parts + parts)
                } else {
                    result.append(.user(parts))
                }
            default: result.append(message)
            }
            isAfterTool = message.role == .tool
        }
        return result
    }

    private static func instructions(_ tools: [JSONValue]) -> String {
        "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            + "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
            + tools.map { "\n" + $0.value.serialized(.python) }.joined()
            + "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
            + "<tool_call></tool_call> XML tags:\n<tool_call>\n"
            + "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>"
    }

    private static func withCalls(_ message: ChatMessage) -> ChatMessage {
        guard case .list(let calls)? = message.extra["tool_calls"]?.value, !calls.isEmpty else { return message }
        var text = message.text
        for call in calls {
            let function = call["function"] ?? call
            let name = if case .string(let name)? = function["name"] { name } else { "" }
            let arguments = Self.arguments(function["arguments"]).serialized(.python)
            text += "\n<tool_call>\n{\"name\": \"\(name)\", \"arguments\": \(arguments)}\n</tool_call>"
        }
        var result = message
        result.extra["tool_calls"] = nil
        // The template begins the turn's text on a line of its own; so does the official one, call or text.
        if text.hasPrefix("\n") { text.removeFirst() }
        result.content = .text(text)
        return result
    }

    /// OpenAI's clients send arguments as text; the prompt has them as an object.
    static func arguments(_ value: TemplateValue?) -> TemplateValue {
        guard let value else { return .mapping([]) }
        if case .string(let text) = value, let parsed = try? TemplateValue(json: text) { return parsed }
        return value
    }

    private static func response(_ message: ChatMessage, isFirst: Bool) -> [ContentPart] {
        var parts: [ContentPart] = [.text((isFirst ? "" : "\n") + "<tool_response>\n")]
        parts += message.parts
        parts.append(.text("\n</tool_response>"))
        return parts
    }
}
