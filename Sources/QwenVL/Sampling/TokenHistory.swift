/// Which tokens a sequence has seen, and how often it has generated each.
struct TokenHistory: Sendable {
    private let vocabularySize: Int
    /// The different tokens of prompt and answer, in order of appearance.
    private var seen: [Int32] = []
    /// One bit per token: whether it stands in `seen`.
    private var isSeen: [UInt64]
    private var generated: [Int32: Int] = [:]

    init(vocabularySize: Int, prompt: some Sequence<Int>) throws(SamplingError) {
        self.vocabularySize = vocabularySize
        isSeen = [UInt64](repeating: 0, count: (vocabularySize + 63) / 64)
        for token in prompt { try see(token) }
    }

    mutating func append(_ token: Int) throws(SamplingError) {
        try see(token)
        generated[Int32(token), default: 0] += 1
    }

    private mutating func see(_ token: Int) throws(SamplingError) {
        guard (0..<vocabularySize).contains(token) else {
            throw .unknownToken(id: token, vocabularySize: vocabularySize)
        }
        let bit = UInt64(1) << UInt64(token & 63)
        if isSeen[token >> 6] & bit != 0 { return }
        isSeen[token >> 6] |= bit
        seen.append(Int32(token))
    }

    /// Applies the three penalties in float32, as Transformers does.
    func penalize(_ scores: UnsafeMutableBufferPointer<Float>, _ parameters: SamplingParameters) {
        if parameters.repetitionPenalty != 1 {
            let penalty = Float(parameters.repetitionPenalty)
            for token in seen {
                let score = scores[Int(token)]
                scores[Int(token)] = score < 0 ? score * penalty : score / penalty
            }
        }
        if parameters.presencePenalty == 0, parameters.frequencyPenalty == 0 { return }
        let presence = Float(parameters.presencePenalty)
        let frequency = Float(parameters.frequencyPenalty)
        for (token, count) in generated { scores[Int(token)] -= Float(count) * frequency + presence }
    }
}
