/// A weight matrix [rows = outputs, columns = inputs] in a layout of the backend that made it: opaque to the model.
package protocol Weight: AnyObject, Sendable {
    var rows: Int { get }
    var columns: Int { get }
    var format: WeightFormat { get }
    /// Bytes held in memory.
    var byteCount: Int { get }
}

/// How rows of an embedding table are looked up.
package enum EmbeddingRounding: Sendable {
    case none
    /// In 8 bits, as tables of quantised checkpoints are kept: the same model gives the same rows from either.
    case int8
}

/// A table whose rows are looked up by index, kept as the checkpoint stores it.
package protocol EmbeddingTable: AnyObject, Sendable {
    var rows: Int { get }
    var columns: Int { get }
}

/// What a backend packs into one `Weight`: matrices stacked by rows, with their biases.
package struct WeightSource: Sendable {
    package let matrices: [HostTensor]
    package let biases: [HostTensor]
    package let rows: Int
    package let columns: Int

    /// - Parameters:
    ///   - matrices: [rows, columns] each; equal columns. Trailing dimensions are flattened (a convolution whose
    ///     stride is its kernel is a plain matrix).
    ///   - biases: none, or one per matrix.
    package init(_ matrices: [HostTensor], biases: [HostTensor] = []) {
        precondition(!matrices.isEmpty && (biases.isEmpty || biases.count == matrices.count))
        let extents = matrices.map { ($0.shape.dimensions[0], $0.shape.count / max(1, $0.shape.dimensions[0])) }
        precondition(extents.allSatisfy { $0.1 == extents[0].1 })
        self.matrices = matrices
        self.biases = biases
        rows = extents.reduce(0) { $0 + $1.0 }
        columns = extents[0].1
    }
}
