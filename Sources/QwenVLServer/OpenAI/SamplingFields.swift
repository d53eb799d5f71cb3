import ChatTemplate
import QwenVL

/// The fields of a request that say how to generate, in OpenAI's names and in those that vLLM and llama-server add.
enum SamplingFields {
    static func options(_ request: JSONField, limits: ServerOptions) throws(InputError) -> GenerationOptions {
        var options = GenerationOptions()
        options.temperature = try number(request, "temperature", 0...100)
        options.topP = try number(request, "top_p", 0...1)
        options.minP = try number(request, "min_p", 0...1)
        if let field = request.optional("top_k") {
            // -1 and 0 both mean no limit.
            options.topK = max(0, try field.integer(in: -1...Int(Int32.max), "an integer of at least -1"))
        }
        options.repetitionPenalty =
            if request.optional("repetition_penalty") != nil {
                try number(request, "repetition_penalty", 0.01...100)
            } else {
                try number(request, "repeat_penalty", 0.01...100)
            }
        options.presencePenalty = try number(request, "presence_penalty", -2...2)
        options.frequencyPenalty = try number(request, "frequency_penalty", -2...2)
        if let field = request.optional("seed") {
            // -1 means any seed to llama-server.
            let seed = try field.integer(in: Int.min...Int.max, "an integer")
            options.seed = seed == -1 ? nil : UInt64(bitPattern: Int64(seed))
        }
        options.stop = try stop(request)
        if let field = request.optional("stop_token_ids") {
            var ids: [Int] = []
            for element in try field.elements() {
                ids.append(try element.integer(in: 0...Int(Int32.max), "a token id"))
            }
            options.stopTokenIDs = ids
        }
        options.ignoreEndOfSequence = try request.optional("ignore_eos")?.boolean()
        options.logitBias = try bias(request)
        options.maxTokens = try maximum(request, limits: limits)
        return options
    }

    private static func number(
        _ request: JSONField, _ key: String, _ range: ClosedRange<Double>
    ) throws(InputError) -> Double? {
        guard let field = request.optional(key) else { return nil }
        let expected = "a number from \(range.lowerBound.short) to \(range.upperBound.short)"
        let value = try field.number(expected)
        guard range.contains(value) else { throw field.failure(expected: expected) }
        return value
    }

    private static func stop(_ request: JSONField) throws(InputError) -> [String]? {
        guard let field = request.optional("stop") else { return nil }
        if case .string(let text) = field.value { return text.isEmpty ? nil : [text] }
        var texts: [String] = []
        let elements = try field.elements("a text or a list of texts")
        // Every piece of an answer is held against each of them.
        guard elements.count <= 32 else { throw field.failure(expected: "at most 32 texts") }
        for element in elements {
            let text = try element.string("a text")
            if text.isEmpty { throw element.failure(expected: "a text that is not empty") }
            texts.append(text)
        }
        return texts
    }

    private static func bias(_ request: JSONField) throws(InputError) -> [Int: Double]? {
        guard let field = request.optional("logit_bias") else { return nil }
        var result: [Int: Double] = [:]
        for (key, value) in try field.object("an object of token ids and numbers") {
            let member = JSONField(value, path: "logit_bias.\(key)")
            guard let id = Int(key), id >= 0 else {
                throw InputError(field: "logit_bias", expected: "token ids as keys", found: "\"\(key.prefix(40))\"")
            }
            let bias = try member.number("a number from -100 to 100")
            guard (-100...100).contains(bias) else { throw member.failure(expected: "a number from -100 to 100") }
            result[id] = bias
        }
        return result
    }

    /// The limit on the answer's tokens under any of its names, and the server's own.
    private static func maximum(_ request: JSONField, limits: ServerOptions) throws(InputError) -> Int? {
        var asked: Int?
        for key in ["max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict"] {
            guard let field = request.optional(key) else { continue }
            let value = try field.integer(in: -1...Int.max, "a positive integer")
            if value == 0 { throw field.failure(expected: "a positive integer") }
            // -1 means no limit to llama-server.
            if value > 0 { asked = value }
            break
        }
        guard let limit = limits.maximumAnswerTokens else { return asked }
        return min(asked ?? limit, limit)
    }
}

extension Double {
    fileprivate var short: String { self == rounded() ? "\(Int(self))" : "\(self)" }
}
