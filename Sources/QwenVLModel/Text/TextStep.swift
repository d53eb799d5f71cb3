package import TensorCore

/// Rows of a step that are pictures' or videos' instead of embedded tokens.
package struct VisionRows: Sendable {
    /// The step's first row that is replaced.
    package let firstRow: Int
    /// [rows, hidden]: what the vision tower made.
    package let embeddings: Tensor

    package init(firstRow: Int, embeddings: Tensor) {
        self.firstRow = firstRow
        self.embeddings = embeddings
    }
}

/// One pass through the language model: new tokens of one or several sequences, their rows one after another.
package struct TextStep: Sendable {
    /// One id per row (placeholders where vision rows go).
    package var tokens: [Int32] = []
    package var vision: [VisionRows] = []
    package var positions = MRoPEPositions()
    package var sequences: [SequenceSpan] = []
    /// Rows whose logits are wanted.
    package var logitRows: [Int32] = []

    package init() {}
}

extension TextStep {
    /// The same work in parts of like size, each of some whole sequences; the rows of this step's logits that each makes.
    /// - Returns: nil where it cannot be cut evenly, or pictures are among its rows.
    package func parts(_ count: Int) -> [(step: TextStep, logits: [Int32])]? {
        guard vision.isEmpty, sequences.count >= count else { return nil }
        var parts: [(step: TextStep, logits: [Int32])] = []
        var (sequence, row, logit) = (0, 0, 0)
        for part in 1...count {
            var made = TextStep()
            let first = row
            let end = tokens.count * part / count
            while sequence < sequences.count, row < end || part == count {
                made.sequences.append(sequences[sequence])
                row += sequences[sequence].count
                sequence += 1
            }
            // The longest part is what all wait for: up to a quarter more than an even share (and a row) still pays.
            guard row > first, 4 * (row - first) * count <= 5 * tokens.count + 4 * count else { return nil }
            made.tokens = Array(tokens[first..<row])
            made.positions = positions[first..<row]
            let firstLogit = logit
            while logit < logitRows.count, Int(logitRows[logit]) < row {
                made.logitRows.append(logitRows[logit] - Int32(first))
                logit += 1
            }
            parts.append((made, (firstLogit..<logit).map { Int32($0) }))
        }
        return parts
    }
}

/// Sees named activations as they arise: for comparing layers with the reference.
package typealias ActivationTrace = (_ name: String, _ tensor: Tensor) -> Void
