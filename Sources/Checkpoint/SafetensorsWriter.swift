import Foundation
package import TensorCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes a safetensors file piece by piece, without holding its tensors in memory. All tensors are declared first;
/// their data may then come in any order and in pieces. The file appears under its name only when it is whole: until
/// `finish()`, it is a temporary one beside it, which goes away with the writer.
package final class SafetensorsWriter {
    package struct Declaration: Sendable {
        package let name: String
        package let type: ElementType
        package let shape: Shape

        package init(name: String, type: ElementType, shape: Shape) {
            self.name = name
            self.type = type
            self.shape = shape
        }
    }

    /// The order of tensors in the file.
    package enum Order: Sendable {
        /// Wide types first, so that every tensor is aligned to its elements, as the format advises.
        case widestFirst
        /// As declared, from a 64-byte line on.
        case declared
    }

    private struct Region {
        let type: ElementType
        let end: Int
        /// Where the next piece goes.
        var next: Int
    }

    package let path: String
    private let temporaryPath: String
    private var descriptor: Int32
    private var regions: [String: Region] = [:]

    /// Creates the temporary file and writes the header.
    /// - Throws: `CheckpointError.unreadable` when the file cannot be written; `.invalidHeader` for two tensors of one
    ///   name, or a shape that is negative or too large.
    package init(
        path: String, tensors: [Declaration], metadata: [String: String] = [:], order: Order = .widestFirst
    ) throws(CheckpointError) {
        self.path = path
        temporaryPath = "\(path).\(UUID().uuidString).partial"
        descriptor = -1
        let header = try layOut(tensors, metadata: metadata, order: order)
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure("cannot be created") }
        try header.withUnsafeBytesChecked { (bytes) throws(CheckpointError) in try put(bytes, at: 0) }
    }

    deinit {
        if descriptor >= 0 {
            close(descriptor)
            unlink(temporaryPath)
        }
    }

    /// Appends bytes to a tensor's data.
    /// - Throws: `CheckpointError.unreadable` when the disk refuses; `.missingTensor` for a name not declared;
    ///   `.invalidHeader` for more bytes than the declared shape has.
    package func append(_ bytes: UnsafeRawBufferPointer, to tensor: String) throws(CheckpointError) {
        guard let region = regions[tensor] else {
            throw .missingTensor(
                name: tensor, expected: nil, nearest: TensorNames.nearest(to: tensor, among: regions.keys))
        }
        guard bytes.count <= region.end - region.next else {
            throw .invalidHeader(
                file: path, tensor: tensor, expected: "at most \(region.end - region.next) more bytes",
                found: "\(bytes.count)")
        }
        try put(bytes, at: region.next)
        regions[tensor]?.next += bytes.count
    }

    /// Appends numbers to a tensor whose declared type they have.
    package func append(_ values: [Float], to tensor: String) throws(CheckpointError) {
        try append(values, as: .float32, to: tensor)
    }

    package func append(_ values: [Int64], to tensor: String) throws(CheckpointError) {
        try append(values, as: .int64, to: tensor)
    }

    private func append<Value: BitwiseCopyable>(
        _ values: [Value], as type: ElementType, to tensor: String
    ) throws(CheckpointError) {
        if let declared = regions[tensor]?.type, declared != type {
            throw .elementTypeMismatch(
                file: path, tensor: tensor, expected: declared.rawValue, found: type.rawValue)
        }
        try values.withUnsafeBytesChecked { (bytes) throws(CheckpointError) in try append(bytes, to: tensor) }
    }

    /// Checks that all data has come, and puts the file in its place, over any that is there.
    /// - Throws: `CheckpointError.invalidHeader` for a tensor with too few bytes; `.unreadable`.
    package func finish() throws(CheckpointError) {
        if let (name, region) = regions.filter({ $0.value.next < $0.value.end }).min(by: { $0.key < $1.key }) {
            throw .invalidHeader(
                file: path, tensor: name, expected: "\(region.end - region.next) more bytes", found: "none")
        }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(temporaryPath, path) == 0 else {
            let error = failure("cannot be written")
            unlink(temporaryPath)
            throw error
        }
    }

    /// A whole file at once.
    package static func write(
        path: String, tensors: [(declaration: Declaration, bytes: [UInt8])], metadata: [String: String] = [:]
    ) throws(CheckpointError) {
        let writer = try SafetensorsWriter(path: path, tensors: tensors.map(\.declaration), metadata: metadata)
        for (declaration, bytes) in tensors {
            try bytes.withUnsafeBytesChecked { (bytes) throws(CheckpointError) in
                try writer.append(bytes, to: declaration.name)
            }
        }
        try writer.finish()
    }

    // MARK: - Layout

    /// The header's bytes, length and all; fills `regions`.
    private func layOut(
        _ tensors: [Declaration], metadata: [String: String], order: Order
    ) throws(CheckpointError) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(Self.json($0.key)):\(Self.json($0.value))" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var end = 0
        let sorted =
            order == .declared
            ? Array(tensors.indices)
            : tensors.indices.sorted { (tensors[$1].type.bits, $0) < (tensors[$0].type.bits, $1) }
        for tensor in sorted.map({ tensors[$0] }) {
            guard tensor.shape.dimensions.allSatisfy({ $0 >= 0 }),
                let size = tensor.type.byteCount(tensor.shape.dimensions), size <= Int.max / 2 - end
            else {
                throw .invalidHeader(
                    file: path, tensor: tensor.name, expected: "a shape whose size can be computed",
                    found: "\(tensor.shape) of \(tensor.type.rawValue)")
            }
            let region = Region(type: tensor.type, end: end + size, next: end)
            guard tensor.name != "__metadata__", regions.updateValue(region, forKey: tensor.name) == nil else {
                throw .invalidHeader(
                    file: path, tensor: tensor.name, expected: "each name once, and none reserved",
                    found: "another of that name")
            }
            let shape = tensor.shape.dimensions.map(String.init).joined(separator: ",")
            members.append(
                "\(Self.json(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(end),\(end + size)]}")
            end += size
        }
        var text = Array("{\(members.joined(separator: ","))}".utf8)
        let unit = order == .declared ? 64 : 8
        while (8 + text.count) % unit != 0 { text.append(UInt8(ascii: " ")) }
        let start = 8 + text.count
        regions = regions.mapValues { Region(type: $0.type, end: $0.end + start, next: $0.next + start) }
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }

    private static func json(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case ..<" ": out += "\\u" + String(scalar.value + 0x10000, radix: 16).dropFirst()
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    // MARK: - Disk

    private func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be written") }
            written += count
        }
    }

    private func failure(_ what: String) -> CheckpointError {
        .unreadable(file: path, reason: "\(what): \(String(cString: strerror(errno)))")
    }
}

extension Array {
    /// `withUnsafeBytes` for closures with a typed error, which the standard library's erases.
    fileprivate func withUnsafeBytesChecked(
        _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let result = withUnsafeBytes { bytes -> Result<Void, CheckpointError> in
            do throws(CheckpointError) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        try result.get()
    }
}
