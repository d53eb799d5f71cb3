/// Cosines and sines for one rotation of each row: computed once per step or grid, used by every layer.
package struct RotaryTable: Sendable {
    /// [rows, headSize / 2]
    package let cosine: Tensor
    /// [rows, headSize / 2]
    package let sine: Tensor

    package init(cosine: Tensor, sine: Tensor) {
        precondition(cosine.rows == sine.rows && cosine.columns == sine.columns)
        self.cosine = cosine
        self.sine = sine
    }
}

/// How attention splits a row into heads.
package struct HeadLayout: Sendable, Hashable {
    package let heads: Int
    package let size: Int
    /// The factor on the scores, 1 / sqrt(size).
    package var scale: Float { 1 / Float(size).squareRoot() }
    package var width: Int { heads * size }

    package init(heads: Int, size: Int) {
        self.heads = heads
        self.size = size
    }
}
