/// The sampling half of ``GenerationOptions`` with every default filled in.
package struct SamplingParameters: Sendable, Equatable {
    /// Takes the most probable token; the fields below the penalties then mean nothing.
    package var isGreedy: Bool
    package var repetitionPenalty: Double
    package var presencePenalty: Double
    package var frequencyPenalty: Double
    package var temperature: Double
    /// 0: no limit.
    package var topK: Int
    package var topP: Double
    /// nil: no limit (0 would still drop tokens whose probability underflows).
    package var minP: Double?
    package var seed: UInt64
    package var logitBias: [Int: Float]

    /// - Throws: ``InputError`` when a field is out of range.
    package init(_ options: GenerationOptions) throws(InputError) {
        try options.validate()
        // The defaults of Transformers' GenerationConfig, where neither caller nor checkpoint says otherwise.
        temperature = options.temperature ?? 1
        topK = options.topK ?? 50
        topP = options.topP ?? 1
        minP = options.minP
        repetitionPenalty = options.repetitionPenalty ?? 1
        presencePenalty = options.presencePenalty ?? 0
        frequencyPenalty = options.frequencyPenalty ?? 0
        logitBias = (options.logitBias ?? [:]).mapValues { Float($0) }
        seed = options.seed ?? UInt64.random(in: 0...UInt64.max)
        let samples = options.doSample ?? ((options.temperature ?? 0) > 0)
        // Below this, float32 division by the temperature is division by zero: the limit is the greedy choice.
        isGreedy = !samples || Float(temperature) < Float.leastNormalMagnitude
    }
}
