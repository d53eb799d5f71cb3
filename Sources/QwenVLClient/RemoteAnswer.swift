import ChatTemplate
import QwenVL

/// An answer as it comes over the wire, gathered.
struct RemoteAnswer {
    private var text = ""
    private var tokenIDs: [Int] = []
    private var promptTokenIDs: [Int] = []
    private var logprobs: [TokenLogprob] = []
    private var finish: FinishReason?
    private var usage = Usage(promptTokens: 0, completionTokens: 0, cachedTokens: 0)
    private var pictures: [PictureReport] = []
    private let begun = ContinuousClock.now
    private var first: ContinuousClock.Instant?

    /// Takes one event of the stream.
    /// - Throws: ``QwenVLError/remote(status:reason:)`` for what is no answer.
    mutating func take(_ event: String) throws -> [GenerationEvent] {
        if event.isEmpty || event == "[DONE]" { return [] }
        guard let chunk = try? TemplateValue(json: event) else {
            throw QwenVLError.remote(status: 200, reason: "expected JSON in the stream, found \(event.prefix(100))")
        }
        if let error = chunk["error"], error != .null { throw Self.failure(status: 200, body: event) }
        note(usage: chunk["usage"])
        if let ids = chunk["prompt_token_ids"] { promptTokenIDs = Self.integers(ids) }
        guard case .list(let choices)? = chunk["choices"], let choice = choices.first else { return [] }
        if case .string(let reason)? = choice["finish_reason"] { finish = reason == "length" ? .length : .stop }
        return note(choice)
    }

    private mutating func note(_ choice: TemplateValue) -> [GenerationEvent] {
        var piece = ""
        if case .string(let content)? = choice["delta"]?["content"] { piece += content }
        if case .list(let calls)? = choice["delta"]?["tool_calls"] {
            for call in calls {
                guard case .string(let name)? = call["function"]?["name"] else { continue }
                let arguments = if case .string(let text)? = call["function"]?["arguments"] { text } else { "{}" }
                // As the model wrote it, so that ``Completion/toolCalls`` finds it.
                piece += (text.isEmpty && piece.isEmpty ? "" : "\n") + ToolCall(name: name, arguments: arguments).text
            }
        }
        let ids = choice["token_ids"].map(Self.integers) ?? []
        let entries = Self.logprobs(choice["logprobs"]?["content"])
        if piece.isEmpty, ids.isEmpty, entries.isEmpty { return [] }
        if first == nil { first = .now }
        text += piece
        tokenIDs += ids
        logprobs += entries
        return [.text(TextDelta(text: piece, tokenIDs: ids, logprobs: entries))]
    }

    private mutating func note(usage report: TemplateValue?) {
        guard let report, report != .null else { return }
        let details = report["prompt_tokens_details"]
        usage = Usage(
            promptTokens: Self.integer(report["prompt_tokens"]),
            completionTokens: Self.integer(report["completion_tokens"]),
            cachedTokens: Self.integer(details?["cached_tokens"]))
        guard case .list(let media)? = details?["media"] else { return }
        pictures = media.map {
            PictureReport(
                original: Self.size($0["original"]), processed: Self.size($0["processed"]),
                tokens: Self.integer($0["tokens"]), video: $0["video"].map(Self.video))
        }
    }

    /// The whole.
    /// - Throws: ``QwenVLError/remote(status:reason:)`` when the stream ended before the answer did.
    func completion() throws -> Completion {
        guard let finish else {
            throw QwenVLError.remote(status: 200, reason: "the stream ended before the answer did")
        }
        var timings = Timings()
        if let first {
            timings.prefill = begun.duration(to: first).inSeconds
            timings.decode = first.duration(to: .now).inSeconds
        }
        return Completion(
            text: text, tokenIDs: tokenIDs, promptTokenIDs: promptTokenIDs, finishReason: finish, usage: usage,
            logprobs: logprobs.isEmpty ? nil : logprobs, timings: timings, pictures: pictures)
    }

    /// What the server says about a request that it does not answer.
    static func failure(status: Int, body: String) -> QwenVLError {
        if case .string(let message)? = (try? TemplateValue(json: body))?["error"]?["message"] {
            return .remote(status: status, reason: message)
        }
        return .remote(status: status, reason: body.isEmpty ? "no reason given" : String(body.prefix(500)))
    }

    // MARK: Reading

    private static func integer(_ value: TemplateValue?) -> Int {
        if case .integer(let integer)? = value { integer } else { 0 }
    }

    private static func integers(_ value: TemplateValue) -> [Int] {
        guard case .list(let items) = value else { return [] }
        return items.map { integer($0) }
    }

    private static func size(_ value: TemplateValue?) -> PictureReport.Size {
        PictureReport.Size(width: integer(value?["width"]), height: integer(value?["height"]))
    }

    private static func video(_ value: TemplateValue) -> VideoReport {
        var stamps: [Double]?
        if case .list(let items)? = value["timestamps"] { stamps = items.map { real($0) } }
        return VideoReport(
            frames: integer(value["frames"]), fps: real(value["fps"]),
            secondsPerGrid: real(value["seconds_per_grid"]), timestamps: stamps)
    }

    /// Entries of servers that tell the ids of their tokens.
    private static func logprobs(_ value: TemplateValue?) -> [TokenLogprob] {
        guard case .list(let items)? = value else { return [] }
        return items.compactMap { item in
            guard case .integer(let id)? = item["id"] else { return nil }
            var top: [TokenLogprob.Alternative] = []
            if case .list(let entries)? = item["top_logprobs"] {
                top = entries.map {
                    TokenLogprob.Alternative(id: integer($0["id"]), logprob: Float(real($0["logprob"])))
                }
            }
            return TokenLogprob(id: id, logprob: Float(real(item["logprob"])), top: top)
        }
    }

    private static func real(_ value: TemplateValue?) -> Double {
        switch value {
        case .double(let double)?: double
        case .integer(let integer)?: Double(integer)
        default: 0
        }
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
