import ChatTemplate
import NIOCore
import QwenVL

/// What is written of one chat completion, whole or piece by piece.
struct ChatReply: Sendable {
    let id = uniqueName("chatcmpl-")
    let created = unixTime()
    let model: String
    let request: ChatRequest
    let prompt: PreparedPrompt
    let logprobs: LogprobWriter

    /// What a whole answer and every piece of one begin with.
    private func head(_ object: String) -> JSON {
        ["id": .string(id), "object": .string(object), "created": .integer(created), "model": .string(model)]
    }

    private func split(_ text: String) -> (content: String, calls: [ToolCall]) {
        request.tools.tools.isEmpty ? (text, []) : ToolCallParser.parse(text)
    }

    // MARK: Whole

    func whole(_ completions: [Completion]) -> JSON {
        let choices = completions.enumerated().map { index, completion in
            let (content, calls) = split(completion.text)
            var message: [(String, JSON)] = [
                ("role", "assistant"), ("content", content.isEmpty && !calls.isEmpty ? .null : .string(content)),
                ("refusal", .null),
            ]
            if !calls.isEmpty { message.append(("tool_calls", .list(calls.map { Self.call($0) }))) }
            var choice: [(String, JSON)] = [
                ("index", .integer(index)), ("message", .mapping(message)),
                ("logprobs", completion.logprobs.map(logprobs.chat) ?? .null),
                ("finish_reason", .string(Self.reason(completion, calls: calls.count))),
            ]
            if request.fields.returnsTokenIDs {
                choice.append(("token_ids", .list(completion.tokenIDs.map { .integer($0) })))
            }
            return JSON.mapping(choice)
        }
        let reply = head("chat.completion").with("choices", .list(choices))
            .with("usage", UsageReport(prompt, completions).chat)
        return request.fields.returnsTokenIDs
            ? reply.with("prompt_token_ids", .list(prompt.tokenIDs.map { .integer($0) })) : reply
    }

    static func call(_ call: ToolCall, index: Int? = nil) -> JSON {
        let body: [(String, JSON)] = [
            ("id", .string(uniqueName("call_"))), ("type", "function"),
            ("function", ["name": .string(call.name), "arguments": .string(call.arguments)]),
        ]
        return .mapping((index.map { [("index", .integer($0))] } ?? []) + body)
    }

    static func reason(_ completion: Completion, calls: Int) -> String {
        calls > 0 && completion.finishReason == .stop ? "tool_calls" : completion.finishReason.rawValue
    }

    // MARK: Piece by piece

    /// What one choice has streamed so far.
    private struct Choice {
        var parser: ToolCallParser?
        var calls = 0
        var pending: [TokenLogprob] = []
        var pendingIDs: [Int] = []
    }

    /// Turns events into server-sent events; to be called in order, with nil at the end.
    func streaming() -> (AnswerEvent?) -> [ByteBuffer] {
        var choices = (0..<request.fields.choices).map { _ in
            Choice(parser: request.tools.tools.isEmpty ? nil : ToolCallParser())
        }
        var usage = UsageReport(prompt)
        var written = 0
        var isOpen = false
        // Thousands of pieces a second begin alike.
        let head = String(head("chat.completion.chunk").serialized(.compact).dropLast())
        return { event in
            var events: [ByteBuffer] = []
            func send(_ index: Int, _ delta: JSON, logprobs: JSON = .null, finish: JSON = .null, ids: [Int] = []) {
                var choice: [(String, JSON)] = [
                    ("index", .integer(index)), ("delta", delta), ("logprobs", logprobs), ("finish_reason", finish),
                ]
                if request.fields.returnsTokenIDs { choice.append(("token_ids", .list(ids.map { .integer($0) }))) }
                var now = usage
                now.completionTokens = max(usage.completionTokens, written)
                events.append(chunk(head, [.mapping(choice)], usage: now))
            }
            if !isOpen {
                isOpen = true
                for index in choices.indices { send(index, ["role": "assistant", "content": "", "refusal": .null]) }
            }
            switch event {
            case .choice(let index, .text(let delta)):
                written += delta.tokenIDs.count
                choices[index].pending += delta.logprobs
                choices[index].pendingIDs += delta.tokenIDs
                let elements =
                    choices[index].parser?.push(delta.text) ?? (delta.text.isEmpty ? [] : [.text(delta.text)])
                for element in elements { flush(element, of: index, &choices[index], send) }
            case .choice(let index, .finished(let completion)):
                for element in choices[index].parser?.finish() ?? [] {
                    flush(element, of: index, &choices[index], send)
                }
                usage.add(completion.usage)
                let rest = choices[index].pending
                send(
                    index, .mapping([]), logprobs: rest.isEmpty ? .null : logprobs.chat(rest),
                    finish: .string(Self.reason(completion, calls: choices[index].calls)),
                    ids: choices[index].pendingIDs)
            case .choice(_, .prompt), .pause: break
            case nil:
                if case .never = request.fields.usage {
                } else {
                    events.append(chunk(head, [], usage: usage, isLast: true))
                }
                events.append(ServerSentEvent.done)
            }
            return events
        }
    }

    private func flush(
        _ element: ToolCallParser.Element, of index: Int, _ choice: inout Choice,
        _ send: (_ index: Int, _ delta: JSON, _ logprobs: JSON, _ finish: JSON, _ ids: [Int]) -> Void
    ) {
        let entries = choice.pending.isEmpty ? JSON.null : logprobs.chat(choice.pending)
        let ids = choice.pendingIDs
        choice.pending = []
        choice.pendingIDs = []
        switch element {
        case .text(let text): send(index, ["content": .string(text)], entries, .null, ids)
        case .call(let call):
            send(index, ["tool_calls": .list([Self.call(call, index: choice.calls)])], entries, .null, ids)
            choice.calls += 1
        }
    }

    private func chunk(_ head: String, _ choices: [JSON], usage: UsageReport, isLast: Bool = false) -> ByteBuffer {
        var text = head + ",\"choices\":" + JSON.list(choices).serialized(.compact)
        func add(_ key: String, _ value: JSON) { text += ",\"\(key)\":" + value.serialized(.compact) }
        switch request.fields.usage {
        case .never: break
        case .atEnd: add("usage", isLast ? usage.chat : .null)
        case .always: add("usage", usage.chat)
        }
        if request.fields.returnsTokenIDs, isLast {
            add("prompt_token_ids", .list(prompt.tokenIDs.map { .integer($0) }))
        }
        return ServerSentEvent.data(text + "}")
    }
}

extension JSON {
    /// The object with one more member.
    func with(_ key: String, _ value: JSON) -> JSON {
        guard case .mapping(var mapping) = self else { return self }
        mapping[key] = value
        return .mapping(mapping)
    }
}
