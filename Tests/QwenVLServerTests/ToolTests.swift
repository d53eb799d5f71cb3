import ChatTemplate
import QwenVL
import Testing

/// Tools in prompts and calls in answers.
@Suite struct ToolTests {
    /// Pieces of every size give what the whole gives.
    @Test(arguments: [
        ("Hello", "Hello", 0),
        ("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>", "", 1),
        ("Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", "Let me see.", 1),
        (
            "<tool_call>\n{\"name\": \"f\"}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {\"y\": \"ä<\"}}\n</tool_call>",
            "", 2
        ),
        ("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}", "", 1),
        ("<tool_call>no call</tool_call>", "<tool_call>no call</tool_call>", 0),
        ("a < b <tool", "a < b <tool", 0),
        ("space at the end \n", "space at the end \n", 0),
    ])
    func callsAreTakenOut(_ text: String, content: String, calls: Int) {
        let whole = ToolCallParser.parse(text)
        #expect(whole.content == content)
        #expect(whole.calls.count == calls)
        for size in 1...7 {
            var parser = ToolCallParser()
            var elements: [ToolCallParser.Element] = []
            var rest = text[...]
            while !rest.isEmpty {
                elements += parser.push(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            elements += parser.finish()
            let pieces = elements.map { if case .text(let text) = $0 { text } else { "" } }.joined()
            let found = elements.compactMap { if case .call(let call) = $0 { call } else { nil } }
            #expect(pieces == content)
            #expect(found == whole.calls)
        }
    }

    @Test func callsAreReadAsTheyAreWritten() {
        let call = ToolCall(name: "say \"it\"", arguments: "{\"x\": [1, 2]}")
        #expect(ToolCallParser.parse(call.text).calls == [call])
    }

    /// The form of the official `tokenizer_config.json`, for a template that knows pictures alone.
    @Test func promptsHaveTheTools() async throws {
        let processor = try Processor(directory: TestServer.checkpoint.get())
        let tool = try JSONValue(
            parsing: #"{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}"#)
        let call = try JSONValue(
            parsing: #"[{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{\"x\": 1}"}}]"#)
        let text = try processor.render(
            [
                .system("Be brief."), .user("Where?"),
                ChatMessage(role: .assistant, content: .null, extra: ["tool_calls": call]),
                .tool("left"), .tool("right"),
            ], tools: [tool])
        #expect(
            text == """
                <|im_start|>system
                Be brief.

                # Tools

                You may call one or more functions to assist with the user query.

                You are provided with function signatures within <tools></tools> XML tags:
                <tools>
                {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
                </tools>

                For each function call, return a json object with function name and arguments within \
                <tool_call></tool_call> XML tags:
                <tool_call>
                {"name": <function-name>, "arguments": <args-json-object>}
                </tool_call><|im_end|>
                <|im_start|>user
                Where?<|im_end|>
                <|im_start|>assistant
                <tool_call>
                {"name": "look", "arguments": {"x": 1}}
                </tool_call><|im_end|>
                <|im_start|>user
                <tool_response>
                left
                </tool_response>
                <tool_response>
                right
                </tool_response><|im_end|>
                <|im_start|>assistant

                """)
    }
}
