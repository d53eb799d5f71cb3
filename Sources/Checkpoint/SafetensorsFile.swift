package import TensorCore

/// An open safetensors file, mapped: a tensor is a view of the file's bytes and keeps the mapping alive.
package final class SafetensorsFile: Sendable {
    package let header: SafetensorsHeader
    package let contents: MappedFile

    package var path: String { contents.path }
    /// The tensors' names, in the order of their bytes.
    package var names: [String] {
        header.entries.values.sorted { ($0.range.lowerBound, $0.name) < ($1.range.lowerBound, $1.name) }.map(\.name)
    }

    /// Maps the file and checks its header.
    /// - Throws: `CheckpointError.unreadable`, `.malformedJSON` or `.invalidHeader`.
    package convenience init(path: String) throws(CheckpointError) {
        try self.init(contents: MappedFile(path: path))
    }

    package init(contents: MappedFile) throws(CheckpointError) {
        self.contents = contents
        header = try SafetensorsHeader(parsing: contents.bytes, file: contents.path)
    }

    /// The tensor of that name.
    /// - Throws: `CheckpointError.missingTensor`; `.elementTypeMismatch` when it is not F32, BF16 or F16.
    package func tensor(_ name: String) throws(CheckpointError) -> HostTensor {
        let entry = try entry(name)
        guard let dtype = entry.type.dtype else {
            throw .elementTypeMismatch(
                file: path, tensor: name, expected: "F32, BF16 or F16", found: entry.type.rawValue)
        }
        return HostTensor(
            name: name, dtype: dtype, shape: entry.shape, owner: contents, bytes: view(entry.range))
    }

    /// The tensor's bytes, whatever its type. They are valid as long as the file is open.
    /// - Throws: `CheckpointError.missingTensor`.
    package func bytes(of name: String) throws(CheckpointError) -> UnsafeRawBufferPointer {
        view(try entry(name).range)
    }

    /// Tells the system how the tensor's pages are about to be used. Unknown names are ignored.
    package func advise(_ advice: MappedFile.Advice, tensor name: String) {
        if let entry = header.entries[name] { contents.advise(advice, entry.range) }
    }

    private func entry(_ name: String) throws(CheckpointError) -> SafetensorsHeader.Entry {
        guard let entry = header.entries[name] else {
            throw .missingTensor(
                name: name, expected: nil, nearest: TensorNames.nearest(to: name, among: header.entries.keys))
        }
        return entry
    }

    private func view(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: contents.bytes[range])
    }
}
