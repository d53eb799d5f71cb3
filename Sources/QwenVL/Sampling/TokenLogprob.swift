import Foundation

/// How probable a token was, by the model's own logits: before penalties, temperature and any limit.
public struct TokenLogprob: Sendable, Equatable {
    /// A token that could have been chosen.
    public struct Alternative: Sendable, Equatable {
        /// The token.
        public let id: Int
        /// The natural logarithm of its probability.
        public let logprob: Float

        package init(id: Int, logprob: Float) {
            self.id = id
            self.logprob = logprob
        }
    }

    /// The chosen token.
    public let id: Int
    /// The natural logarithm of its probability.
    public let logprob: Float
    /// The most probable tokens, the chosen one perhaps among them, most probable first; ties by lower id.
    public let top: [Alternative]

    package init(id: Int, logprob: Float, top: [Alternative]) {
        self.id = id
        self.logprob = logprob
        self.top = top
    }

    /// - Parameters:
    ///   - logits: the model's logits, [vocabulary].
    ///   - count: how many of the most probable tokens to list.
    /// - Throws: ``SamplingError``.
    package init(_ id: Int, logits: UnsafeBufferPointer<Float>, top count: Int) throws(SamplingError) {
        guard logits.indices.contains(id) else { throw .unknownToken(id: id, vocabularySize: logits.count) }
        let (maximum, hasNaN) = LogitVector.maximum(logits)
        guard !hasNaN, maximum.isFinite else { throw .notFinite }
        let sum = LogitVector.sumOfExponentials(logits, maximum: maximum)
        let logarithm = log(sum)
        func logprob(_ token: Int) -> Float { Float(Double(logits[token] - maximum) - logarithm) }
        self.id = id
        self.logprob = logprob(id)
        top = Self.greatest(count, of: logits).map { Alternative(id: $0, logprob: logprob($0)) }
    }

    /// The indices of the greatest elements, in descending order. `count` is small: insertion into a short list.
    private static func greatest(_ count: Int, of logits: UnsafeBufferPointer<Float>) -> [Int] {
        var best: [Int] = []
        if count <= 0 { return best }
        for (token, logit) in logits.enumerated() {
            if best.count == count, let last = best.last, logit <= logits[last] { continue }
            let place = best.firstIndex { logits[$0] < logit } ?? best.count
            best.insert(token, at: place)
            if best.count > count { best.removeLast() }
        }
        return best
    }
}
