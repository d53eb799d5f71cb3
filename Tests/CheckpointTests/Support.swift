import Checkpoint
import Foundation
import TensorCore
import Testing

/// A directory that goes away with the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("checkpoint-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
    }

    func write(_ tensors: [TestTensor], to name: String) throws {
        try SafetensorsWriter.write(
            path: file(name), tensors: tensors.map { ($0.declaration, $0.bytes) }, metadata: ["format": "pt"])
    }
}

/// A tensor whose bytes tell where they belong: byte i of it is `seed + i`, wrapping.
struct TestTensor {
    let declaration: SafetensorsWriter.Declaration
    let bytes: [UInt8]

    init(_ name: String, _ shape: Shape, _ type: ElementType = .bfloat16, seed: UInt8 = 0) {
        declaration = .init(name: name, type: type, shape: shape)
        let count = type.byteCount(shape.dimensions) ?? 0
        bytes = (0..<count).map { seed &+ UInt8(truncatingIfNeeded: $0) }
    }
}

/// The bytes of a safetensors file with this header and so many bytes of data.
func safetensors(header: String, data: Int, length: UInt64? = nil) -> MappedFile {
    let text = Array(header.utf8)
    let count = length ?? UInt64(text.count)
    let prefix = withUnsafeBytes(of: count.littleEndian) { Array($0) }
    return MappedFile(contents: prefix + text + [UInt8](repeating: 0, count: data), name: "test.safetensors")
}

/// The description of the error that `body` throws.
func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}
