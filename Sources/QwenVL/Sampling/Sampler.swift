/// Logits no token can be drawn from.
public enum SamplingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A logit is not a number, or all are infinite.
    case notFinite
    /// The logits do not have one value for each token.
    case wrongCount(expected: Int, found: Int)
    /// A token id outside the vocabulary.
    case unknownToken(id: Int, vocabularySize: Int)

    /// What is wrong.
    public var description: String {
        switch self {
        case .notFinite: "logits: expected finite numbers, found NaN, or infinities only"
        case .wrongCount(let expected, let found): "logits: expected \(expected) values, found \(found)"
        case .unknownToken(let id, let size): "token id: expected 0 to \(size - 1), found \(id)"
        }
    }
}

/// Chooses the next token of one sequence from its logits.
///
/// The order is that of Transformers 4.49.0, after OpenAI's bias: repetition penalty (prompt and answer, once per token), OpenAI's
/// presence and frequency penalties (answer), temperature, top-k, top-p, min-p, then one draw by probability.
package struct Sampler: Sendable {
    package let parameters: SamplingParameters
    package let vocabularySize: Int
    private var random: RandomSource
    private var history: TokenHistory
    /// The processed scores, [vocabulary].
    private var scores: [Float]
    private var candidates = Candidates()

    /// - Throws: ``SamplingError/unknownToken(id:vocabularySize:)``.
    package init(
        _ parameters: SamplingParameters, vocabularySize: Int, prompt: some Sequence<Int>
    ) throws(SamplingError) {
        self.parameters = parameters
        self.vocabularySize = vocabularySize
        random = RandomSource(seed: parameters.seed)
        history = try TokenHistory(vocabularySize: vocabularySize, prompt: prompt)
        scores = [Float](repeating: 0, count: vocabularySize)
        for id in parameters.logitBias.keys where !(0..<vocabularySize).contains(id) {
            throw .unknownToken(id: id, vocabularySize: vocabularySize)
        }
    }

    /// Chooses a token and takes it into the history.
    /// - Parameter logits: float32 logits as the model gives them, [vocabulary]; left unchanged.
    /// - Throws: ``SamplingError``.
    package mutating func next(_ logits: UnsafeBufferPointer<Float>) throws(SamplingError) -> Int {
        try next(logits) { _ in }
    }

    /// Chooses among the tokens that `restrict` leaves.
    /// - Parameter restrict: may set scores to minus infinity.
    mutating func next(
        _ logits: UnsafeBufferPointer<Float>, restrict: (UnsafeMutableBufferPointer<Float>) -> Void
    ) throws(SamplingError) -> Int {
        let token = try process(logits, restrict: restrict) ?? candidates.draw(random.unit())
        try accept(token)
        return token
    }

    /// Takes a token into the history that was not chosen here.
    package mutating func accept(_ token: Int) throws(SamplingError) { try history.append(token) }

    /// Chooses a token without taking it into the history.
    package mutating func choose(_ logits: UnsafeBufferPointer<Float>) throws(SamplingError) -> Int {
        guard let greedy = try process(logits) else { return candidates.draw(random.unit()) }
        return greedy
    }

    /// The tokens that can be drawn, in ascending order, with their probabilities (one token when greedy).
    package mutating func distribution(
        _ logits: UnsafeBufferPointer<Float>
    ) throws(SamplingError) -> [(token: Int, probability: Double)] {
        if let greedy = try process(logits) { return [(greedy, 1)] }
        return candidates.distribution
    }

    /// Fills the candidates, or returns the token when there is nothing to draw.
    private mutating func process(
        _ logits: UnsafeBufferPointer<Float>, restrict: (UnsafeMutableBufferPointer<Float>) -> Void = { _ in }
    ) throws(SamplingError) -> Int? {
        guard logits.count == vocabularySize else {
            throw .wrongCount(expected: vocabularySize, found: logits.count)
        }
        let token: Int?? = scores.withUnsafeMutableBufferPointer { scores in
            _ = scores.update(fromContentsOf: logits)
            for (token, bias) in parameters.logitBias { scores[token] += bias }
            history.penalize(scores, parameters)
            restrict(scores)
            let (maximum, hasNaN) = LogitVector.maximum(UnsafeBufferPointer(scores))
            guard !hasNaN, maximum.isFinite else { return nil }
            // A quotient beyond float32 means that no other token has a measurable probability.
            if parameters.isGreedy || !(maximum / Float(parameters.temperature)).isFinite {
                return .some(LogitVector.firstIndex(of: maximum, in: UnsafeBufferPointer(scores)))
            }
            candidates.fill(
                UnsafeBufferPointer(scores), maximum: maximum, temperature: Float(parameters.temperature),
                topK: parameters.topK)
            return .some(nil)
        }
        guard let token else { throw .notFinite }
        if token == nil { candidates.restrict(parameters) }
        return token
    }
}
