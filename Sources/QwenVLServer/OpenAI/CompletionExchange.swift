import ChatTemplate
import HTTPTypes
import NIOCore
import QwenVL

/// `POST /v1/completions`: plain text to be continued.
struct CompletionRequest: Sendable {
    enum Prompt: Sendable {
        case text(String)
        case tokens([Int])
    }

    var prompts: [Prompt]
    var fields: RequestFields
    /// Whether the prompt stands before the answer.
    var echoes: Bool

    init(_ request: JSONField, limits: ServerOptions) throws {
        _ = try request.object("a JSON object")
        fields = try RequestFields(request, limits: limits)
        let field = try request.required("prompt", "a text, a list of texts, or token ids")
        prompts = try Self.prompts(field)
        let limit = limits.maximumChoices
        guard prompts.count * fields.choices <= limit else {
            throw field.failure(expected: "at most \(limit) answers to one request")
        }
        echoes = try request.optional("echo")?.boolean() ?? false
        if let field = request.optional("logprobs") {
            fields.options.logprobs = try field.integer(in: 0...20, "an integer from 0 to 20")
        }
        if let suffix = request.optional("suffix"), try !suffix.string().isEmpty {
            throw APIError(
                .badRequest, "suffix: this model only continues text", code: "unsupported", parameter: "suffix")
        }
        fields.options.responseFormat = try ResponseFormat(request.optional("response_format"))
        // What OpenAI's own endpoint does, and what clients of it count on.
        if fields.options.maxTokens == nil { fields.options.maxTokens = 16 }
    }

    private static func prompts(_ field: JSONField) throws(InputError) -> [Prompt] {
        if case .string(let text) = field.value { return [.text(text)] }
        let elements = try field.elements("a text, a list of texts, or token ids")
        if elements.isEmpty { throw field.failure(expected: "at least one prompt") }
        if case .integer = elements[0].value { return [.tokens(try tokens(elements))] }
        var prompts: [Prompt] = []
        for element in elements {
            if case .string(let text) = element.value {
                prompts.append(.text(text))
            } else {
                prompts.append(.tokens(try tokens(element.elements("a text or token ids"))))
            }
        }
        return prompts
    }

    private static func tokens(_ elements: [JSONField]) throws(InputError) -> [Int] {
        var ids: [Int] = []
        for element in elements { ids.append(try element.integer(in: 0...Int(Int32.max), "a token id")) }
        return ids
    }
}

/// What is written of it. Choices of several prompts follow each other.
struct CompletionReply: Sendable {
    let id = uniqueName("cmpl-")
    let created = unixTime()
    let model: String
    let request: CompletionRequest
    let prompts: [PreparedPrompt]
    /// What each answer begins with: its prompt, where that is echoed.
    let beginnings: [String]
    let logprobs: LogprobWriter

    private func frame(_ choices: [JSON], usage: JSON?) -> JSON {
        var members: [(String, JSON)] = [
            ("id", .string(id)), ("object", "text_completion"), ("created", .integer(created)),
            ("model", .string(model)), ("choices", .list(choices)),
        ]
        if let usage { members.append(("usage", usage)) }
        return .mapping(members)
    }

    private func choice(_ index: Int, _ text: String, logprobs: JSON, finish: JSON) -> JSON {
        ["index": .integer(index), "text": .string(text), "logprobs": logprobs, "finish_reason": finish]
    }

    private func usage(_ completions: [Completion]) -> JSON {
        var report = UsageReport(prompts[0])
        report.promptTokens = prompts.reduce(0) { $0 + $1.tokenCount }
        for completion in completions { report.add(completion.usage) }
        return report.chat
    }

    func whole(_ completions: [Completion]) -> JSON {
        let choices = completions.enumerated().map { index, completion in
            let beginning = beginnings[index / request.fields.choices]
            var choice = choice(
                index, beginning + completion.text,
                logprobs: completion.logprobs.map { logprobs.plain($0, offset: beginning.count) } ?? .null,
                finish: .string(completion.finishReason.rawValue))
            if request.fields.returnsTokenIDs {
                choice = choice.with("token_ids", .list(completion.tokenIDs.map { .integer($0) }))
            }
            return choice
        }
        return frame(choices, usage: usage(completions))
    }

    func streaming() -> (AnswerEvent?) -> [ByteBuffer] {
        var lengths = beginnings.flatMap { Array(repeating: $0.count, count: request.fields.choices) }
        var isOpen = false
        var completions: [Completion] = []
        return { event in
            var events: [ByteBuffer] = []
            if !isOpen {
                isOpen = true
                for index in lengths.indices where lengths[index] > 0 {
                    let text = beginnings[index / request.fields.choices]
                    events.append(
                        ServerSentEvent.data(frame([choice(index, text, logprobs: .null, finish: .null)], usage: nil)))
                }
            }
            switch event {
            case .choice(let index, .text(let delta)) where !delta.text.isEmpty || !delta.logprobs.isEmpty:
                let entries: JSON =
                    delta.logprobs.isEmpty ? .null : logprobs.plain(delta.logprobs, offset: lengths[index])
                lengths[index] += delta.text.count
                events.append(
                    ServerSentEvent.data(
                        frame([choice(index, delta.text, logprobs: entries, finish: .null)], usage: nil)))
            case .choice(let index, .finished(let completion)):
                completions.append(completion)
                let finish = JSON.string(completion.finishReason.rawValue)
                events.append(
                    ServerSentEvent.data(frame([choice(index, "", logprobs: .null, finish: finish)], usage: nil)))
            case .choice, .pause: break
            case nil:
                if case .never = request.fields.usage {
                } else {
                    events.append(ServerSentEvent.data(frame([], usage: usage(completions))))
                }
                events.append(ServerSentEvent.done)
            }
            return events
        }
    }
}
