package import TensorCore

/// What can be wrong with a model directory, said so that one can mend it: the file, the tensor or field, what was
/// expected there and what was found.
package enum CheckpointError: Error, Equatable, Sendable {
    /// The file or directory cannot be opened, measured, mapped or written.
    case unreadable(file: String, reason: String)
    /// Not JSON (RFC 8259, without duplicate keys), at this byte of it.
    case malformedJSON(file: String, offset: Int, reason: String)
    /// The header of a safetensors file breaks the format; `tensor` is nil when no one tensor is to blame.
    case invalidHeader(file: String, tensor: String?, expected: String, found: String)
    /// A field of a configuration or index file.
    case invalidField(file: String, field: String, expected: String, found: String)
    /// Valid, but something that is not supported.
    case unsupported(file: String, field: String, reason: String)
    /// A file that the checkpoint needs is not there.
    case missingFile(directory: String, name: String, reason: String)
    /// A tensor that two files, or two names of the same file, hold.
    case duplicateTensor(name: String, files: [String])
    /// No such tensor; `nearest` are the names that are there and look most like it.
    case missingTensor(name: String, expected: Shape?, nearest: [String])
    case shapeMismatch(file: String, tensor: String, expected: Shape, found: Shape)
    /// The tensor's element type cannot be used for a weight.
    case elementTypeMismatch(file: String, tensor: String, expected: String, found: String)
    /// The tensor was read a second time: the model names it twice.
    case alreadyRead(tensor: String)
    /// Tensors of the checkpoint that the model did not read.
    case unreadTensors([String])
}

extension CheckpointError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "\(file): \(reason)"
        case .malformedJSON(let file, let offset, let reason):
            "\(file): not valid JSON at byte \(offset): \(reason)"
        case .invalidHeader(let file, let tensor, let expected, let found):
            "\(file): invalid safetensors header\(tensor.map { ", tensor \(Self.quoted($0))" } ?? ""): "
                + "expected \(expected), found \(found)"
        case .invalidField(let file, let field, let expected, let found):
            "\(file): \(Self.printable(field)): expected \(expected), found \(found)"
        case .unsupported(let file, let field, let reason):
            "\(file): \(field): \(reason)"
        case .missingFile(let directory, let name, let reason):
            "\(directory): \(name) is missing: \(reason)"
        case .duplicateTensor(let name, let files):
            "tensor \(Self.printable(name)) occurs more than once: in \(files.joined(separator: " and "))"
        case .missingTensor(let name, let expected, let nearest):
            "tensor \(Self.printable(name))\(expected.map { " \($0)" } ?? "") is missing"
                + (nearest.isEmpty ? "" : "; nearest: \(nearest.map(Self.printable).joined(separator: ", "))")
        case .shapeMismatch(let file, let tensor, let expected, let found):
            "\(file): tensor \(Self.printable(tensor)): expected shape \(expected), found \(found)"
        case .elementTypeMismatch(let file, let tensor, let expected, let found):
            "\(file): tensor \(Self.printable(tensor)): expected element type \(expected), found \(found)"
        case .alreadyRead(let tensor):
            "tensor \(tensor) was read twice"
        case .unreadTensors(let names):
            "\(names.count) tensor\(names.count == 1 ? "" : "s") of the checkpoint not used by the model: "
                + names.map(Self.printable).joined(separator: ", ")
        }
    }
}

extension CheckpointError {
    /// A text taken from a file, made fit for a message: without control characters, and not endless.
    static func printable(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars.prefix(printableLimit) {
            out += scalar.value < 32 || scalar.value == 127 ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        return text.unicodeScalars.count > printableLimit ? out + "…" : out
    }

    static func quoted(_ text: String) -> String { "\"" + printable(text) + "\"" }

    /// Real tensor names have under 80 characters.
    private static let printableLimit = 200
}
