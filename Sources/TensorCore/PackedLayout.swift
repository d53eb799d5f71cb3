/// The layout of quantised matrices and tables, the same in memory and in files, on every instruction set
/// (docs/formats.md).
package enum PackedLayout {
    /// Inputs that share a scale.
    package static let block = 128
    /// Outputs that lie side by side.
    package static let panel = 32

    /// Bytes of a matrix: [panels, bytes of a panel]. Nil for formats whose layout is each instruction set's own.
    package static func matrix(rows: Int, columns: Int, format: WeightFormat) -> Shape? {
        let scales = 2 * panel
        let blockBytes: Int
        switch format {
        case .float32, .bfloat16: return nil
        case .int8: blockBytes = block * panel + scales
        case .int4: blockBytes = block * panel / 2 + block / 32 * panel + scales
        }
        return [(rows + panel - 1) / panel, (columns + block - 1) / block * blockBytes]
    }

    /// Bytes of a table whose rows are looked up: [rows, bytes of a row].
    package static func table(rows: Int, columns: Int) -> Shape { [rows, (columns + block - 1) / block * (block + 2)] }
}

/// Packed bytes in place, usually mapped from a file.
package struct PackedBytes: Sendable {
    package let name: String
    package let shape: Shape
    /// What keeps the bytes alive.
    package let owner: any AnyObject & Sendable
    nonisolated(unsafe) package let bytes: UnsafeRawBufferPointer

    package init(name: String, shape: Shape, owner: any AnyObject & Sendable, bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == shape.count, "\(name): bytes do not match the shape")
        (self.name, self.shape, self.owner, self.bytes) = (name, shape, owner, bytes)
    }
}
