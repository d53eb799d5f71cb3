package import TensorCore

/// The header of a safetensors file: 8 bytes little-endian length, then a JSON object of that length that gives each
/// tensor's type, shape and place in the rest of the file. Format: https://huggingface.co/docs/safetensors
package struct SafetensorsHeader: Sendable {
    package struct Entry: Sendable, Hashable {
        package let name: String
        package let type: ElementType
        package let shape: Shape
        /// The tensor's bytes within the file.
        package let range: Range<Int>
    }

    /// By name; the ranges tile the file from the end of the header to the end of the file.
    package let entries: [String: Entry]
    /// The strings under `__metadata__`.
    package let metadata: [String: String]

    /// As the reference implementation has it; the 72B model's headers have under 100 kB.
    package static let maximumLength = 100_000_000
    /// Shapes of weights have up to 5 extents; more than this serves no one.
    static let maximumRank = 32

    /// Reads and checks the header; the tensors' bytes are not touched.
    /// - Throws: `CheckpointError.invalidHeader` or `.malformedJSON`, with offsets within the header.
    package init(parsing bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
        let context = Context(file: file, dataStart: try Self.dataStart(bytes, file: file), fileSize: bytes.count)
        guard bytes[8] == UInt8(ascii: "{") else {
            throw context.error(nil, expected: "a header that begins with {", found: "byte \(bytes[8])")
        }
        let json = try JSON(parsing: Array(bytes[8..<context.dataStart]), file: file)
        guard case .object(let members) = json else {
            throw context.error(nil, expected: "a JSON object", found: json.summary)
        }
        var metadata: [String: String] = [:]
        var entries: [String: Entry] = [:]
        entries.reserveCapacity(members.count)
        for (name, value) in members {
            if name == "__metadata__" {
                metadata = try context.metadata(value)
            } else {
                entries[name] = try context.entry(name, value)
            }
        }
        try context.checkTiling(entries.values)
        self.entries = entries
        self.metadata = metadata
    }

    private static func dataStart(_ bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) -> Int {
        guard bytes.count >= 8 else {
            throw .invalidHeader(
                file: file, tensor: nil, expected: "at least 8 bytes", found: "a file of \(bytes.count) bytes")
        }
        // What a clone without Git LFS leaves in place of a large file.
        guard !bytes.starts(with: "version https://git-lfs".utf8) else {
            throw .unreadable(file: file, reason: "is a Git LFS pointer, not the file itself; run `git lfs pull`")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        let bound = UInt64(min(bytes.count - 8, maximumLength))
        guard length >= 2, length <= bound else {
            throw .invalidHeader(
                file: file, tensor: nil, expected: "a header length from 2 to \(bound)", found: "\(length)")
        }
        return 8 + Int(length)
    }
}

extension SafetensorsHeader {
    /// What the checks of one file share.
    private struct Context {
        let file: String
        let dataStart: Int
        let fileSize: Int

        func error(_ tensor: String?, expected: String, found: String) -> CheckpointError {
            .invalidHeader(
                file: file, tensor: tensor, expected: expected, found: found)
        }

        func metadata(_ value: JSON) throws(CheckpointError) -> [String: String] {
            guard case .object(let members) = value else {
                throw error(nil, expected: "__metadata__ as an object", found: value.summary)
            }
            var result: [String: String] = [:]
            for (key, value) in members {
                guard case .string(let text) = value else {
                    throw error(
                        nil, expected: "__metadata__.\(CheckpointError.quoted(key)) as a string", found: value.summary)
                }
                result[key] = text
            }
            return result
        }

        func entry(_ name: String, _ value: JSON) throws(CheckpointError) -> Entry {
            guard case .object(let members) = value else {
                throw error(name, expected: "an object", found: value.summary)
            }
            if let key = members.keys.sorted().first(where: { !["dtype", "shape", "data_offsets"].contains($0) }) {
                throw error(
                    name, expected: "only dtype, shape and data_offsets", found: CheckpointError.quoted(key))
            }
            guard case .string(let typeName)? = members["dtype"], let type = ElementType(rawValue: typeName) else {
                throw error(
                    name, expected: "dtype as one of \(ElementType.allCases.map(\.rawValue).joined(separator: " "))",
                    found: members["dtype"]?.summary ?? "nothing")
            }
            let shape = try integers(name, "shape", members["shape"])
            guard shape.count <= SafetensorsHeader.maximumRank else {
                throw error(
                    name, expected: "at most \(SafetensorsHeader.maximumRank) extents", found: "\(shape.count)")
            }
            let offsets = try integers(name, "data_offsets", members["data_offsets"])
            guard let size = type.byteCount(shape) else {
                throw error(
                    name, expected: "a shape whose size in bytes is whole and fits in 63 bits",
                    found: "\(Shape(shape)) of \(typeName)")
            }
            let dataSize = fileSize - dataStart
            guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= dataSize else {
                let isCut = offsets.count == 2 && offsets[1] > dataSize
                throw error(
                    name, expected: "data_offsets [begin, end] with begin ≤ end ≤ \(dataSize), the file's data bytes",
                    found: "\(Shape(Array(offsets.prefix(8))))\(isCut ? " (is the download incomplete?)" : "")")
            }
            guard offsets[1] - offsets[0] == size else {
                throw error(
                    name, expected: "\(size) bytes for \(Shape(shape)) of \(typeName)",
                    found: "\(offsets[1] - offsets[0]) bytes in data_offsets")
            }
            return Entry(
                name: name, type: type, shape: Shape(shape),
                range: dataStart + offsets[0]..<dataStart + offsets[1])
        }

        private func integers(_ tensor: String, _ key: String, _ value: JSON?) throws(CheckpointError) -> [Int] {
            guard case .array(let values)? = value else {
                throw error(
                    tensor, expected: "\(key) as an array of integers", found: value?.summary ?? "nothing")
            }
            var result: [Int] = []
            result.reserveCapacity(values.count)
            for value in values {
                guard case .integer(let integer) = value, integer >= 0 else {
                    throw error(tensor, expected: "non-negative integers in \(key)", found: value.summary)
                }
                result.append(integer)
            }
            return result
        }

        /// Neither overlaps nor holes, from the header to the end of the file.
        func checkTiling(_ entries: some Sequence<Entry>) throws(CheckpointError) {
            let sorted = entries.sorted {
                ($0.range.lowerBound, $0.range.upperBound, $0.name) < (
                    $1.range.lowerBound, $1.range.upperBound, $1.name
                )
            }
            var end = dataStart
            for entry in sorted {
                guard entry.range.lowerBound == end else {
                    throw error(
                        entry.name,
                        expected: "data that begins at offset \(end - dataStart), where the one before ends",
                        found: "offset \(entry.range.lowerBound - dataStart)")
                }
                end = entry.range.upperBound
            }
            guard end == fileSize else {
                throw error(
                    nil, expected: "tensors that fill the file's \(fileSize - dataStart) data bytes",
                    found: "\(end - dataStart)")
            }
        }
    }
}
