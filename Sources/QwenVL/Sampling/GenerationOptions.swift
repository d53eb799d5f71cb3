/// How to generate: lengths, sampling, stopping. A field left nil takes the checkpoint's default
/// (`generation_config.json`), then Transformers' default.
public struct GenerationOptions: Sendable, Equatable {
    /// The greatest number of tokens to generate.
    public var maxTokens: Int?
    /// Whether to sample at all. When nil, a ``temperature`` given here decides (0 means no), else the checkpoint.
    public var doSample: Bool?
    /// Divides the logits before sampling; 0 takes the most probable token always.
    public var temperature: Double?
    /// Samples among that many most probable tokens (and those tied with the last); 0 means no limit.
    /// Transformers' default is 50.
    public var topK: Int?
    /// Samples among the most probable tokens that together reach this probability.
    public var topP: Double?
    /// Samples among the tokens at least this probable in relation to the most probable one.
    public var minP: Double?
    /// Divides positive and multiplies negative logits of every token of the prompt and the answer, once each.
    public var repetitionPenalty: Double?
    /// Subtracted from the logit of every token of the answer, once each (OpenAI).
    public var presencePenalty: Double?
    /// Subtracted from the logit of a token for each time it stands in the answer (OpenAI).
    public var frequencyPenalty: Double?
    /// Added to the logits of tokens before anything else, by token id (OpenAI).
    public var logitBias: [Int: Double]?
    /// The form that the answer must have.
    public var responseFormat: ResponseFormat?
    /// Makes sampling reproducible; nil draws a new seed each time.
    public var seed: UInt64?
    /// Texts that end the answer; they are not part of it.
    public var stop: [String]?
    /// Further tokens that end the answer.
    public var stopTokenIDs: [Int]?
    /// The model's own end tokens (`eos_token_id`).
    public var endOfSequenceIDs: [Int]?
    /// Goes on past the model's own end tokens (for measurements).
    public var ignoreEndOfSequence: Bool?
    /// Reports the log-probability of each token, and of that many alternatives (0 to 20).
    public var logprobs: Int?

    /// Options that all take the checkpoint's defaults; set the fields that matter.
    public init() {}

    /// The most probable token at every step.
    public static var greedy: GenerationOptions {
        var options = GenerationOptions()
        options.temperature = 0
        return options
    }

    /// These options where set, the others' elsewhere.
    ///
    /// A temperature given without ``doSample`` decides about sampling, whatever the defaults say.
    public func merged(over defaults: GenerationOptions) -> GenerationOptions {
        var result = defaults
        result.doSample = doSample ?? temperature.map { $0 > 0 } ?? defaults.doSample
        result.maxTokens = maxTokens ?? defaults.maxTokens
        result.temperature = temperature ?? defaults.temperature
        result.topK = topK ?? defaults.topK
        result.topP = topP ?? defaults.topP
        result.minP = minP ?? defaults.minP
        result.repetitionPenalty = repetitionPenalty ?? defaults.repetitionPenalty
        result.presencePenalty = presencePenalty ?? defaults.presencePenalty
        result.frequencyPenalty = frequencyPenalty ?? defaults.frequencyPenalty
        result.logitBias = logitBias ?? defaults.logitBias
        result.responseFormat = responseFormat ?? defaults.responseFormat
        result.seed = seed ?? defaults.seed
        result.stop = stop ?? defaults.stop
        result.stopTokenIDs = stopTokenIDs ?? defaults.stopTokenIDs
        result.endOfSequenceIDs = endOfSequenceIDs ?? defaults.endOfSequenceIDs
        result.ignoreEndOfSequence = ignoreEndOfSequence ?? defaults.ignoreEndOfSequence
        result.logprobs = logprobs ?? defaults.logprobs
        return result
    }

    /// The tokens that end the answer: the caller's, and the model's own unless they are to be ignored.
    package var endTokens: Set<Int> {
        let own = ignoreEndOfSequence == true ? [] : endOfSequenceIDs ?? []
        return Set(own + (stopTokenIDs ?? []))
    }
}

// MARK: Validation

extension GenerationOptions {
    /// Checks every field.
    /// - Throws: ``InputError`` naming the first field out of range.
    public func validate() throws(InputError) {
        try Self.check("max_tokens", maxTokens, "a positive integer") { $0 > 0 }
        try Self.check("temperature", temperature, "a number of at least 0") { $0 >= 0 && $0.isFinite }
        try Self.check("top_k", topK, "an integer of at least 0") { $0 >= 0 }
        try Self.check("top_p", topP, "a number from 0 to 1") { (0...1).contains($0) }
        try Self.check("min_p", minP, "a number from 0 to 1") { (0...1).contains($0) }
        try Self.check("repetition_penalty", repetitionPenalty, "a number above 0") { $0 > 0 && $0.isFinite }
        try Self.check("presence_penalty", presencePenalty, "a number from -2 to 2") { (-2...2).contains($0) }
        try Self.check("frequency_penalty", frequencyPenalty, "a number from -2 to 2") { (-2...2).contains($0) }
        try Self.check("logprobs", logprobs, "an integer from 0 to 20") { (0...20).contains($0) }
        for (id, bias) in logitBias ?? [:] {
            try Self.check("logit_bias.\(id)", bias, "a number from -100 to 100") { (-100...100).contains($0) }
        }
        for (index, text) in (stop ?? []).enumerated() where text.isEmpty {
            throw InputError(field: "stop[\(index)]", expected: "a text that is not empty", found: "\"\"")
        }
        for (index, id) in (stopTokenIDs ?? []).enumerated() where id < 0 {
            throw InputError(field: "stop_token_ids[\(index)]", expected: "a token id", found: "\(id)")
        }
    }

    private static func check<Value>(
        _ field: String, _ value: Value?, _ expected: String, _ holds: (Value) -> Bool
    ) throws(InputError) {
        if let value, !holds(value) { throw InputError(field: field, expected: expected, found: "\(value)") }
    }
}
