import ChatTemplate
import QwenVL

/// Token counts of a request, with what the model saw of its pictures.
struct UsageReport: Sendable {
    var promptTokens = 0
    var cachedTokens = 0
    var completionTokens = 0
    var pictures: [PictureReport] = []

    init(_ prompt: PreparedPrompt) {
        promptTokens = prompt.tokenCount
        pictures = prompt.pictures
    }

    /// Several answers to one prompt, which is counted once.
    init(_ prompt: PreparedPrompt, _ completions: [Completion]) {
        self.init(prompt)
        for completion in completions { add(completion.usage) }
    }

    mutating func add(_ usage: Usage) {
        // The first answer reads the prompt; what the others find in the cache is its work.
        if completionTokens == 0 { cachedTokens = usage.cachedTokens }
        cachedTokens = min(cachedTokens, usage.cachedTokens)
        completionTokens += usage.completionTokens
    }

    /// In the words of chat completions.
    var chat: JSON {
        [
            "prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(completionTokens),
            "total_tokens": .integer(promptTokens + completionTokens), "prompt_tokens_details": details,
        ]
    }

    /// In the words of the Responses API.
    var response: JSON {
        [
            "input_tokens": .integer(promptTokens), "input_tokens_details": details,
            "output_tokens": .integer(completionTokens), "output_tokens_details": ["reasoning_tokens": 0],
            "total_tokens": .integer(promptTokens + completionTokens),
        ]
    }

    /// Coordinates in answers are in pixels of `processed`.
    private var details: JSON {
        var members: [(String, JSON)] = [("cached_tokens", .integer(cachedTokens))]
        if !pictures.isEmpty {
            members.append(
                (
                    "media",
                    .list(pictures.map(Self.media))
                ))
        }
        return .mapping(members)
    }
}

extension UsageReport {
    private static func media(_ report: PictureReport) -> JSON {
        var members: [(String, JSON)] = [
            ("original", JSON(size: report.original)), ("processed", JSON(size: report.processed)),
            ("tokens", .integer(report.tokens)),
        ]
        if let video = report.video {
            var fields: [(String, JSON)] = [
                ("frames", .integer(video.frames)), ("fps", .double(video.fps)),
                ("seconds_per_grid", .double(video.secondsPerGrid)),
            ]
            if let stamps = video.timestamps { fields.append(("timestamps", .list(stamps.map { .double($0) }))) }
            members.append(("video", .mapping(fields)))
        }
        return .mapping(members)
    }
}

/// Log-probabilities as OpenAI writes them.
struct LogprobWriter: Sendable {
    let processor: Processor

    /// `logprobs` of chat completions.
    func chat(_ entries: [TokenLogprob]) -> JSON { ["content": .list(entries.map(entry)), "refusal": .null] }

    func entry(_ entry: TokenLogprob) -> JSON {
        var members = token(entry.id, entry.logprob)
        members.append(("top_logprobs", .list(entry.top.map { .mapping(token($0.id, $0.logprob)) })))
        return .mapping(members)
    }

    private func token(_ id: Int, _ logprob: Float) -> [(String, JSON)] {
        [
            ("id", .integer(id)), ("token", .string(processor.text(ofToken: id))),
            ("logprob", .double(finite(logprob))),
            ("bytes", .list(processor.bytes(ofToken: id).map { .integer(Int($0)) })),
        ]
    }

    /// `logprobs` of plain completions: parallel lists.
    /// - Parameter offset: characters of the text before the first of the tokens.
    func plain(_ entries: [TokenLogprob], offset: Int) -> JSON {
        var offsets: [JSON] = []
        var place = offset
        for entry in entries {
            offsets.append(.integer(place))
            place += processor.text(ofToken: entry.id).count
        }
        return [
            "tokens": .list(entries.map { .string(processor.text(ofToken: $0.id)) }),
            "token_logprobs": .list(entries.map { .double(finite($0.logprob)) }),
            "top_logprobs": .list(
                entries.map { entry in
                    .mapping(entry.top.map { (processor.text(ofToken: $0.id), .double(finite($0.logprob))) })
                }), "text_offset": .list(offsets),
        ]
    }

    /// JSON has no infinity; OpenAI writes this for what is practically impossible.
    private func finite(_ value: Float) -> Double { value.isFinite ? Double(value) : -9999 }
}
