package import TensorCore

/// A cursor into a checkpoint's tensors: modules read their weights through it, by the official names.
///
/// ```swift
/// let mlp = weights["model"]["layers"][3]["mlp"]
/// let down = try mlp.matrix("down_proj", rows: hidden, columns: intermediate)
/// …
/// try weights.finish()
/// ```
/// Cursors made from one another share one account: every tensor must be read exactly once. For one thread.
package struct WeightReader {
    private let ledger: Ledger
    /// The names on the way here, each with a dot behind it.
    private let path: String

    private final class Ledger {
        let index: ShardIndex
        var unread: Set<String>

        init(_ index: ShardIndex) {
            self.index = index
            unread = Set(index.tensors.keys.filter { !TensorNames.isDerived($0) })
        }
    }

    package init(_ index: ShardIndex) {
        ledger = Ledger(index)
        path = ""
    }

    private init(ledger: Ledger, path: String) {
        self.ledger = ledger
        self.path = path
    }

    package subscript(name: String) -> WeightReader { WeightReader(ledger: ledger, path: "\(path)\(name).") }
    package subscript(index: Int) -> WeightReader { self[String(index)] }

    /// Whether a tensor is there, without reading it.
    package func contains(_ name: String) -> Bool { ledger.index.tensors[path + name] != nil }

    // MARK: - Reading

    /// The tensor `name`, of exactly this shape.
    /// - Throws: `CheckpointError.missingTensor`, `.shapeMismatch`, `.elementTypeMismatch` or `.alreadyRead`.
    package func tensor(_ name: String, shape: Shape) throws(CheckpointError) -> HostTensor {
        guard let tensor = try optionalTensor(name, shape: shape) else {
            throw .missingTensor(
                name: path + name, expected: shape,
                nearest: TensorNames.nearest(to: path + name, among: ledger.index.tensors.keys))
        }
        return tensor
    }

    /// The matrix `name.weight` of a linear, [rows, columns]: rows are outputs.
    package func matrix(_ name: String, rows: Int, columns: Int) throws(CheckpointError) -> HostTensor {
        try tensor(name + ".weight", shape: [rows, columns])
    }

    /// `name`, [count]; the name is whole, as in `vector("q_proj.bias", count: …)` or `vector("norm.weight", count: …)`.
    package func vector(_ name: String, count: Int) throws(CheckpointError) -> HostTensor {
        try tensor(name, shape: [count])
    }

    /// The kernel `name.weight`, [rows, kernel…], of a convolution whose stride is its kernel: as the matrix
    /// [rows, elements of the kernel] that it amounts to.
    package func convolution(_ name: String, rows: Int, kernel: [Int]) throws(CheckpointError) -> HostTensor {
        let tensor = try tensor(name + ".weight", shape: Shape([rows] + kernel))
        return HostTensor(
            name: tensor.name, dtype: tensor.dtype, shape: [rows, kernel.reduce(1, *)], owner: tensor.owner,
            bytes: tensor.bytes)
    }

    /// As `tensor`, but nil when there is none.
    package func optionalTensor(_ name: String, shape: Shape) throws(CheckpointError) -> HostTensor? {
        let name = path + name
        guard let location = ledger.index.tensors[name] else { return nil }
        let file = location.file
        guard location.entry.shape == shape else {
            throw .shapeMismatch(file: file.path, tensor: name, expected: shape, found: location.entry.shape)
        }
        let tensor = try file.tensor(location.entry.name)
        guard ledger.unread.remove(name) != nil else { throw .alreadyRead(tensor: name) }
        return tensor
    }

    package func optionalMatrix(_ name: String, rows: Int, columns: Int) throws(CheckpointError) -> HostTensor? {
        try optionalTensor(name + ".weight", shape: [rows, columns])
    }

    package func optionalVector(_ name: String, count: Int) throws(CheckpointError) -> HostTensor? {
        try optionalTensor(name, shape: [count])
    }

    /// Bytes of a quantised matrix or table, in this program's own layout.
    /// - Throws: `CheckpointError`, as `tensor`.
    package func packed(_ name: String, shape: Shape) throws(CheckpointError) -> PackedBytes {
        let name = path + name
        guard let location = ledger.index.tensors[name] else {
            throw .missingTensor(
                name: name, expected: shape, nearest: TensorNames.nearest(to: name, among: ledger.index.tensors.keys))
        }
        let (file, entry) = (location.file, location.entry)
        guard entry.shape == shape else {
            throw .shapeMismatch(file: file.path, tensor: name, expected: shape, found: entry.shape)
        }
        guard entry.type == .uint8 else {
            throw .elementTypeMismatch(
                file: file.path, tensor: name, expected: ElementType.uint8.rawValue, found: entry.type.rawValue)
        }
        guard ledger.unread.remove(name) != nil else { throw .alreadyRead(tensor: name) }
        return PackedBytes(name: name, shape: shape, owner: file.contents, bytes: try file.bytes(of: entry.name))
    }

    /// Bytes of all tensors of the checkpoint.
    package var totalBytes: Int { ledger.index.tensors.values.reduce(0) { $0 + $1.entry.range.count } }

    // MARK: - Pages

    /// Hints how the pages of all tensors under this cursor are about to be used: `.willNeed` a layer ahead while
    /// packing, `.dontNeed` once they are packed.
    package func advise(_ advice: MappedFile.Advice) {
        guard !path.isEmpty else { return ledger.index.advise(advice) }
        for (name, location) in ledger.index.tensors where name.hasPrefix(path) {
            location.file.advise(advice, tensor: location.entry.name)
        }
    }

    // MARK: - Accounting

    /// The tensors not read yet, sorted. Rotary frequencies that old releases saved are not counted.
    package var unread: [String] { ledger.unread.sorted() }

    /// To be called when the model is built.
    /// - Throws: `CheckpointError.unreadTensors`, naming every tensor that no one read.
    package func finish() throws(CheckpointError) {
        guard ledger.unread.isEmpty else { throw .unreadTensors(unread) }
    }
}
