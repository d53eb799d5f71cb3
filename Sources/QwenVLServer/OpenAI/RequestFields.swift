import ChatTemplate
import HTTPTypes
import QwenVL

/// Fields that several kinds of requests share.
struct RequestFields: Sendable {
    var options: GenerationOptions
    var choices: Int
    var streams: Bool
    var usage: UsageReporting
    /// `return_token_ids`: ids of prompt and answer in the reply (vLLM).
    var returnsTokenIDs: Bool

    /// When a stream tells token counts.
    enum UsageReporting: Sendable {
        case never
        case atEnd
        /// With every piece (vLLM's `continuous_usage_stats`).
        case always
    }

    init(_ request: JSONField, limits: ServerOptions) throws {
        try Self.checkModel(request, limits: limits)
        options = try SamplingFields.options(request, limits: limits)
        choices = 1
        if let field = request.optional("n") {
            choices = try field.integer(in: 1...limits.maximumChoices, "an integer from 1 to \(limits.maximumChoices)")
        }
        if let field = request.optional("best_of"), try field.integer(in: 1...Int.max, "an integer") != choices {
            throw field.failure(expected: "as many as n: this server does not choose among answers")
        }
        streams = try request.optional("stream")?.boolean() ?? false
        returnsTokenIDs = try request.optional("return_token_ids")?.boolean() ?? false
        usage = .never
        if let field = request.optional("stream_options") {
            _ = try field.object()
            if try field.optional("include_usage")?.boolean() ?? false { usage = .atEnd }
            if try field.optional("continuous_usage_stats")?.boolean() ?? false { usage = .always }
        }
        for key in ["grammar", "guided_regex", "guided_grammar", "guided_choice", "prediction", "web_search_options"]
        where request.optional(key) != nil {
            throw APIError(
                .badRequest, "\(key): this server does not do that", code: "unsupported", parameter: key)
        }
    }

    static func checkModel(_ request: JSONField, limits: ServerOptions) throws {
        guard let field = request.optional("model") else { return }
        let name = try field.string()
        if name.isEmpty || limits.modelNames.contains(name) || limits.modelNames.contains("*") { return }
        throw APIError.unknownModel(name, limits: limits)
    }

    /// Options of each choice. A seed gives each a number of its own, or all would be alike.
    var optionsOfChoices: [GenerationOptions] {
        (0..<choices).map { choice in
            var options = options
            options.seed = options.seed.map { $0 &+ UInt64(choice) }
            return options
        }
    }
}

extension APIError {
    static func unknownModel(_ name: String, limits: ServerOptions) -> APIError {
        APIError(
            .notFound,
            "model: expected \(limits.modelNames.filter { $0 != "*" }.joined(separator: " or ")), found \"\(name.prefix(100))\"",
            code: "model_not_found", parameter: "model")
    }
}

extension ServerOptions {
    /// The name that replies show.
    var modelName: String { modelNames.first { $0 != "*" } ?? "qwen2.5-vl" }

    /// Applies what a server asks of messages beyond their form: how many, and that OpenAI's `detail` has its meaning.
    func checked(_ messages: [ChatMessage]) throws(InputError) -> [ChatMessage] {
        guard messages.count <= maximumMessages else {
            throw InputError(field: "messages", expected: "at most \(maximumMessages)", found: "\(messages.count)")
        }
        var media = 0
        if !readsFiles {
            for (index, message) in messages.enumerated() where message.parts.contains(where: \.namesFile) {
                throw InputError(
                    field: "messages[\(index)].content", expected: "URLs and data URIs of pictures and videos",
                    found: "the name of a file, which this server does not read")
            }
        }
        let result = messages.map { message in
            var message = message
            if message.role == "developer" { message.role = .system }
            if case .parts(let parts) = message.content {
                media += parts.reduce(0) { $0 + $1.mediaCount }
                message.content = .parts(parts.map(\.withDetail))
            }
            return message
        }
        guard media <= maximumMedia else {
            throw InputError(
                field: "messages", expected: "at most \(maximumMedia) pictures, videos and frames", found: "\(media)")
        }
        return result
    }
}

extension ContentPart {
    fileprivate var mediaCount: Int {
        switch self {
        case .text: 0
        case .image: 1
        case .video(let part): if case .frames(let frames) = part.source { frames.count } else { 1 }
        }
    }

    fileprivate var namesFile: Bool {
        let sources: [MediaSource] =
            switch self {
            case .text: []
            case .image(let part): [part.source]
            case .video(let part): part.source.sources
            }
        return sources.contains { if case .path = $0 { true } else { false } }
    }

    /// OpenAI's `"detail": "low"` is a picture of 512 by 512 pixels.
    fileprivate var withDetail: ContentPart {
        guard case .image(var part) = self, part.detail == "low", part.maxPixels == nil, part.resizedWidth == nil
        else { return self }
        part.maxPixels = max(512 * 512, part.minPixels ?? 0)
        return .image(part)
    }
}

extension VideoPart.Source {
    fileprivate var sources: [MediaSource] {
        switch self {
        case .file(let source): [source]
        case .frames(let frames): frames
        }
    }
}
