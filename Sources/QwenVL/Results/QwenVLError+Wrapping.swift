import ChatTemplate
import Checkpoint
import QwenTokenizer
import TensorCore
import VisionInput

extension QwenVLError {
    /// The public form of an error of the layers below. Being cancelled is no error of ours and stays what it is.
    package static func wrapping(_ error: any Error) -> any Error {
        error is CancellationError ? error : QwenVLError(error)
    }

    private init(_ error: any Error) {
        switch error {
        case let error as QwenVLError: self = error
        case let error as InputError: self = .input(error)
        case let error as CheckpointError: self = .checkpoint("\(error)")
        case let error as TokenizerError: self = .checkpoint("\(error)")
        case let error as ChatTemplateFileError: self = .checkpoint("\(error)")
        case let error as VisionInputError: self = .checkpoint("\(error)")
        case let error as TemplateError: self = .template("\(error)")
        case BackendError.instructionSetUnavailable(let name, let available):
            self = .unsupported(
                field: "instruction set",
                reason: "expected one of \(available.joined(separator: ", ")), found \"\(name)\"")
        case let error as BackendError: self = .machine("\(error)")
        case let error as SamplingError: self = .numerical("\(error)")
        default: self = .machine("\(error)")
        }
    }
}
