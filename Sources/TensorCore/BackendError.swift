/// What a backend cannot do on this machine.
package enum BackendError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `QWENVL_ISA` or a setting names an instruction set that is unknown or that this processor lacks.
    case instructionSetUnavailable(name: String, available: [String])
    case threadsUnavailable(count: Int)
    case outOfMemory(purpose: String, bytes: Int)

    package var description: String {
        switch self {
        case .instructionSetUnavailable(let name, let available):
            "instruction set: expected one of \(available.joined(separator: ", ")), found \"\(name)\""
        case .threadsUnavailable(let count): "cannot start \(count) compute threads"
        case .outOfMemory(let purpose, let bytes): "out of memory: \(bytes) bytes for \(purpose)"
        }
    }
}
