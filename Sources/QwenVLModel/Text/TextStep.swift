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

/// Sees named activations as they arise: for comparing layers with the reference.
package typealias ActivationTrace = (_ name: String, _ tensor: Tensor) -> Void
