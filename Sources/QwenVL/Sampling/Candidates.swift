/// The tokens a draw can fall on: their scores and weights, cut down by top-k, top-p and min-p.
///
/// Nothing is sorted as a whole. Scores are counted into buckets by their distance from the maximum; only the
/// bucket a limit falls into is sorted, which finds the same tokens as a full sort.
struct Candidates: Sendable {
    /// Ascending.
    private var tokens: [Int32] = []
    private var scores: [Float] = []
    /// exp(score - maximum); the first token's maximum has weight 1.
    private var weights: [Float] = []
    private var maximum: Float = 0

    /// With logits some 20 wide, 4096 buckets over the range of exp leave some hundred tokens of 152,000 in each.
    private static let bucketCount = 4096
    private static let bucketsPerUnit = Float(bucketCount - 1) / -LogitVector.underflow

    private var buckets: [Int] = []
    private var masses: [Double] = []

    /// Divides by the temperature and takes every token whose probability does not underflow, and which can be
    /// among the `topK` greatest (0: no such limit).
    mutating func fill(
        _ source: UnsafeBufferPointer<Float>, maximum rawMaximum: Float, temperature: Float, topK: Int
    ) {
        // Division is monotonic: the greatest quotient belongs to the greatest logit.
        maximum = rawMaximum / temperature
        let least = topK > 0 ? Self.lowerBound(ofRank: topK, in: source) : -.infinity
        let size = source.count
        var count = 0
        tokens.removeAll(keepingCapacity: true)
        scores.removeAll(keepingCapacity: true)
        tokens.append(contentsOf: repeatElement(0, count: size))
        scores.append(contentsOf: repeatElement(0, count: size))
        tokens.withUnsafeMutableBufferPointer { tokens in
            scores.withUnsafeMutableBufferPointer { scores in
                for token in 0..<size where source[token] >= least {
                    let score = source[token] / temperature
                    // Written always and counted when it holds: no branch to mispredict.
                    tokens[count] = Int32(truncatingIfNeeded: token)
                    scores[count] = score
                    count += maximum - score <= -LogitVector.underflow ? 1 : 0
                }
            }
        }
        tokens.removeLast(size - count)
        scores.removeLast(size - count)
    }

    /// A number that the k-th greatest value is not below: the k-th greatest among the maxima of blocks.
    private static func lowerBound(ofRank rank: Int, in source: UnsafeBufferPointer<Float>) -> Float {
        // 152,000 logits give 1187 maxima, which sort in some microseconds; a greater k takes all tokens.
        let blockSize = 128
        let blockCount = source.count / blockSize
        guard rank <= blockCount else { return -.infinity }
        var maxima: [Float] = []
        maxima.reserveCapacity(blockCount)
        for block in 0..<blockCount {
            let range = block * blockSize..<(block + 1) * blockSize
            maxima.append(LogitVector.maximum(UnsafeBufferPointer(rebasing: source[range])).value)
        }
        maxima.sort(by: >)
        return maxima[rank - 1]
    }

    mutating func restrict(_ parameters: SamplingParameters) {
        if parameters.topK > 0, parameters.topK < tokens.count { keepTop(parameters.topK) }
        weigh()
        if parameters.topP < 1 { keepMass(parameters.topP) }
        if let minP = parameters.minP { keepAbove(minP) }
    }

    private mutating func weigh() {
        weights.removeAll(keepingCapacity: true)
        weights.append(contentsOf: repeatElement(0, count: scores.count))
        scores.withUnsafeBufferPointer { scores in
            weights.withUnsafeMutableBufferPointer { weights in
                LogitVector.forEachLanes(scores, padding: -.infinity) { index, lanes in
                    let powers = LogitVector.exponential(lanes - maximum)
                    if index + 16 <= weights.count {
                        UnsafeMutableRawBufferPointer(weights).storeBytes(
                            of: powers, toByteOffset: index * 4, as: LogitVector.Lanes.self)
                    } else {
                        for lane in 0..<weights.count - index { weights[index + lane] = powers[lane] }
                    }
                }
            }
        }
    }

    private func bucket(_ score: Float) -> Int { Int((maximum - score) * Self.bucketsPerUnit) }

    /// Keeps what holds; `weights` may still be empty.
    private mutating func keep(_ holds: (_ index: Int, _ score: Float) -> Bool) {
        var kept = 0
        for index in tokens.indices where holds(index, scores[index]) {
            tokens[kept] = tokens[index]
            scores[kept] = scores[index]
            if !weights.isEmpty { weights[kept] = weights[index] }
            kept += 1
        }
        tokens.removeLast(tokens.count - kept)
        scores.removeLast(scores.count - kept)
        if !weights.isEmpty { weights.removeLast(weights.count - kept) }
    }

    /// Keeps the scores not below the k-th greatest: ties with it stay (TopKLogitsWarper).
    private mutating func keepTop(_ count: Int) {
        weights.removeAll(keepingCapacity: true)
        buckets = [Int](repeating: 0, count: Self.bucketCount)
        for score in scores { buckets[bucket(score)] += 1 }
        var before = 0
        var place = 0
        while before + buckets[place] < count {
            before += buckets[place]
            place += 1
        }
        let ranked = scores.filter { bucket($0) == place }.sorted(by: >)
        let least = ranked[count - before - 1]
        keep { $1 >= least }
    }

    /// Removes the least probable tokens whose probabilities add up to at most 1 - p, but not the most probable
    /// one (TopPLogitsWarper: the comparison in float32). Of equal scores the lowest ids go first: the reference
    /// leaves their order open.
    private mutating func keepMass(_ p: Double) {
        let removable = Float(1 - p)
        masses = [Double](repeating: 0, count: Self.bucketCount)
        // Probabilities are rounded to float32 before they are summed, which decides where they are all equal.
        let sum = Float(weights.reduce(0) { $0 + Double($1) })
        for (index, score) in scores.enumerated() { masses[bucket(score)] += Double(weights[index] / sum) }
        let total = masses.reduce(0, +)
        func isRemoved(massAbove: Double) -> Bool { Float(total - massAbove) <= removable }

        var above = 0.0
        var place = 0
        while place < Self.bucketCount, !isRemoved(massAbove: above + masses[place]) {
            above += masses[place]
            place += 1
        }
        if place == Self.bucketCount { return }

        var ranked = scores.indices.filter { bucket(scores[$0]) == place }
        ranked.sort { scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 > $1) }
        // The bucket's first token is kept: its removal would have ended the loop a bucket earlier.
        var border = ranked[0]
        for index in ranked {
            if index != ranked[0], isRemoved(massAbove: above) { break }
            above += Double(weights[index] / sum)
            border = index
        }
        let edge = scores[border]
        keep { $1 > edge || ($1 == edge && $0 >= border) }
    }

    /// Keeps the probabilities not below min-p times the greatest (MinPLogitsWarper).
    private mutating func keepAbove(_ minP: Double) {
        let total = weights.reduce(0) { $0 + Double($1) }
        let least = Float(minP) * Float(1 / total)
        keep { [maximum, weights] index, score in
            score == maximum || Float(Double(weights[index]) / total) >= least
        }
    }

    /// The token at `unit` of the cumulative distribution over ascending token ids.
    func draw(_ unit: Double) -> Int {
        let target = unit * weights.reduce(0) { $0 + Double($1) }
        var sum = 0.0
        for (index, weight) in weights.enumerated() {
            sum += Double(weight)
            if sum > target { return Int(tokens[index]) }
        }
        // Only rounding leads here: the last token that has any weight.
        return Int(tokens[weights.lastIndex { $0 > 0 } ?? 0])
    }

    var distribution: [(token: Int, probability: Double)] {
        let total = weights.reduce(0) { $0 + Double($1) }
        return zip(tokens, weights).map { (Int($0), Double($1) / total) }
    }
}
