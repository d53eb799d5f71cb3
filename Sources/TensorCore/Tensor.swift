/// A block of memory that a backend allocated. Its last owner's end gives it back to the backend.
package final class Storage: @unchecked Sendable {
    // Sendable by convention: the engine's compute thread alone reads and writes it while work is under way.
    package let base: UnsafeMutableRawPointer
    package let byteCount: Int
    private let release: @Sendable (UnsafeMutableRawPointer, Int) -> Void

    package init(
        base: UnsafeMutableRawPointer, byteCount: Int,
        release: @escaping @Sendable (UnsafeMutableRawPointer, Int) -> Void
    ) {
        self.base = base
        self.byteCount = byteCount
        self.release = release
    }

    deinit { release(base, byteCount) }
}

/// Activations: a float32 matrix [rows, columns], or a window onto one.
///
/// Everything this architecture computes is a list of rows (tokens or patches), so two dimensions do;
/// heads and windows are told to the operations that need them.
package struct Tensor: Sendable {
    package let storage: Storage
    /// The first element, counted in elements from the storage's base.
    package let offset: Int
    package let rows: Int
    package let columns: Int
    /// Elements from one row to the next.
    package let rowStride: Int

    package init(storage: Storage, offset: Int = 0, rows: Int, columns: Int, rowStride: Int? = nil) {
        let stride = rowStride ?? columns
        precondition(rows >= 0 && columns > 0 && stride >= columns)
        precondition(rows == 0 || (offset + (rows - 1) * stride + columns) * 4 <= storage.byteCount)
        self.storage = storage
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.rowStride = stride
    }

    package var shape: Shape { [rows, columns] }
    package var isContiguous: Bool { rowStride == columns || rows <= 1 }

    /// A window onto some of the columns; no copy.
    package func columns(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns)
        return Tensor(
            storage: storage, offset: offset + range.lowerBound, rows: rows, columns: range.count, rowStride: rowStride)
    }

    /// A window onto some of the rows; no copy.
    package func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        return Tensor(
            storage: storage, offset: offset + range.lowerBound * rowStride, rows: range.count, columns: columns,
            rowStride: rowStride)
    }

    /// The same elements as [rows, columns] of another width; no copy.
    package func reshaped(columns: Int) -> Tensor {
        precondition(isContiguous && (rows * self.columns) % columns == 0)
        return Tensor(storage: storage, offset: offset, rows: rows * self.columns / columns, columns: columns)
    }
}
