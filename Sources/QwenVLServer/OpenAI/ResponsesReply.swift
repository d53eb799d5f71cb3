import ChatTemplate
import NIOCore
import QwenVL

/// What is written of one response, whole or event by event.
struct ResponsesReply: Sendable {
    let id = uniqueName("resp_")
    let created = unixTime()
    let model: String
    let request: ResponsesRequest
    let prompt: PreparedPrompt
    let logprobs: LogprobWriter

    private func frame(_ status: String, output: [JSON], usage: JSON, incomplete: JSON = .null) -> JSON {
        .mapping(
            [
                ("id", .string(id)), ("object", "response"), ("created_at", .integer(created)),
                ("status", .string(status)), ("error", .null), ("incomplete_details", incomplete),
                ("model", .string(model)), ("output", .list(output)), ("previous_response_id", .null),
                ("store", false), ("usage", usage),
            ] + request.echoed)
    }

    private func end(_ completion: Completion, output: [JSON]) -> JSON {
        let isWhole = completion.finishReason == .stop
        return frame(
            isWhole ? "completed" : "incomplete", output: output, usage: UsageReport(prompt, [completion]).response,
            incomplete: isWhole ? .null : ["reason": "max_output_tokens"])
    }

    private func textPart(_ text: String, _ entries: [TokenLogprob]) -> JSON {
        [
            "type": "output_text", "text": .string(text), "annotations": .list([]),
            "logprobs": .list(entries.map(logprobs.entry)),
        ]
    }

    private func message(_ id: String, _ status: String, _ parts: [JSON]) -> JSON {
        [
            "id": .string(id), "type": "message", "role": "assistant", "status": .string(status),
            "content": .list(parts),
        ]
    }

    private func callItem(_ id: String, _ callID: String, _ call: ToolCall, isDone: Bool) -> JSON {
        [
            "id": .string(id), "type": "function_call", "call_id": .string(callID), "name": .string(call.name),
            "arguments": .string(isDone ? call.arguments : ""),
            "status": .string(isDone ? "completed" : "in_progress"),
        ]
    }

    // MARK: Whole

    func whole(_ completion: Completion) -> JSON {
        let (text, calls) =
            request.tools.tools.isEmpty
            ? (completion.text, []) : ToolCallParser.parse(completion.text)
        var output: [JSON] = []
        if !text.isEmpty || calls.isEmpty {
            let status = completion.finishReason == .stop ? "completed" : "incomplete"
            output.append(message(uniqueName("msg_"), status, [textPart(text, completion.logprobs ?? [])]))
        }
        output += calls.map { callItem(uniqueName("fc_"), uniqueName("call_"), $0, isDone: true) }
        return end(completion, output: output)
    }

    // MARK: Event by event

    /// Turns events into server-sent events; to be called in order, with nil at the end.
    func streaming() -> (AnswerEvent?) -> [ByteBuffer] {
        var writer = EventWriter(reply: self)
        return { event in
            writer.open()
            switch event {
            case .choice(_, .text(let delta)): writer.take(delta)
            case .choice(_, .finished(let completion)): writer.finish(completion)
            case .choice(_, .prompt), .pause, nil: break
            }
            return writer.drain()
        }
    }

    func failure(_ error: APIError) -> [ByteBuffer] {
        let body: JSON = ["code": .string(error.code ?? error.type), "message": .string(error.message)]
        var failed = frame("failed", output: [], usage: .null)
        failed = failed.with("error", body)
        return [
            ServerSentEvent.named("response.failed", ["type": "response.failed", "response": failed])
        ]
    }

    /// The order of events is that of OpenAI's streams: an item is added, its parts grow, it is done.
    private struct EventWriter {
        let reply: ResponsesReply
        private var events: [ByteBuffer] = []
        private var number = 0
        private var isOpen = false
        private var parser: ToolCallParser?
        private var output: [JSON] = []
        /// The message that is being written.
        private var messageID: String?
        private var text = ""
        private var entries: [TokenLogprob] = []
        private var pending: [TokenLogprob] = []

        init(reply: ResponsesReply) {
            self.reply = reply
            parser = reply.request.tools.tools.isEmpty ? nil : ToolCallParser()
        }

        mutating func drain() -> [ByteBuffer] {
            defer { events = [] }
            return events
        }

        private mutating func send(_ type: String, _ members: [(String, JSON)]) {
            events.append(
                ServerSentEvent.named(
                    type, .mapping([("type", .string(type)), ("sequence_number", .integer(number))] + members)))
            number += 1
        }

        mutating func open() {
            guard !isOpen else { return }
            isOpen = true
            let begun = reply.frame("in_progress", output: [], usage: .null)
            send("response.created", [("response", begun)])
            send("response.in_progress", [("response", begun)])
        }

        mutating func take(_ delta: TextDelta) {
            pending += delta.logprobs
            for element in parser?.push(delta.text) ?? (delta.text.isEmpty ? [] : [.text(delta.text)]) { take(element) }
        }

        private mutating func take(_ element: ToolCallParser.Element) {
            switch element {
            case .text(let piece): write(piece)
            case .call(let call): write(call)
            }
        }

        private mutating func write(_ piece: String) {
            let id = messageID ?? openMessage()
            send(
                "response.output_text.delta",
                place(id) + [
                    ("delta", .string(piece)), ("logprobs", .list(pending.map(reply.logprobs.entry))),
                ])
            text += piece
            entries += pending
            pending = []
        }

        private func place(_ id: String) -> [(String, JSON)] {
            [("item_id", .string(id)), ("output_index", .integer(output.count)), ("content_index", 0)]
        }

        private mutating func openMessage() -> String {
            let id = uniqueName("msg_")
            messageID = id
            send(
                "response.output_item.added",
                [("output_index", .integer(output.count)), ("item", reply.message(id, "in_progress", []))])
            send("response.content_part.added", place(id) + [("part", reply.textPart("", []))])
            return id
        }

        private mutating func closeMessage(_ status: String) {
            guard let id = messageID else { return }
            messageID = nil
            let part = reply.textPart(text, entries)
            send(
                "response.output_text.done",
                place(id) + [("text", .string(text)), ("logprobs", .list(entries.map(reply.logprobs.entry)))])
            send("response.content_part.done", place(id) + [("part", part)])
            let item = reply.message(id, status, [part])
            send("response.output_item.done", [("output_index", .integer(output.count)), ("item", item)])
            output.append(item)
            (text, entries) = ("", [])
        }

        private mutating func write(_ call: ToolCall) {
            closeMessage("completed")
            let (id, callID) = (uniqueName("fc_"), uniqueName("call_"))
            let index = ("output_index", JSON.integer(output.count))
            let item = ("item_id", JSON.string(id))
            send(
                "response.output_item.added", [index, ("item", reply.callItem(id, callID, call, isDone: false))])
            let arguments = JSON.string(call.arguments)
            send("response.function_call_arguments.delta", [item, index, ("delta", arguments)])
            send("response.function_call_arguments.done", [item, index, ("arguments", arguments)])
            let done = reply.callItem(id, callID, call, isDone: true)
            send("response.output_item.done", [index, ("item", done)])
            output.append(done)
        }

        mutating func finish(_ completion: Completion) {
            for element in parser?.finish() ?? [] { take(element) }
            entries += pending
            pending = []
            // An answer without a word is an empty message.
            if output.isEmpty, messageID == nil { _ = openMessage() }
            let isWhole = completion.finishReason == .stop
            closeMessage(isWhole ? "completed" : "incomplete")
            send(
                isWhole ? "response.completed" : "response.incomplete",
                [("response", reply.end(completion, output: output))])
        }
    }
}
