/// What can be wrong with a tokenizer's files, or with what is asked of it.
package enum TokenizerError: Error, Equatable, Sendable {
    /// No file of the directory holds what is needed.
    case missingFiles(directory: String, expected: String)
    case unreadable(file: String, reason: String)
    /// A file that is not what its format says. `offset` counts bytes.
    case malformed(file: String, offset: Int, expected: String)
    /// A well-formed file that asks for something other than the Qwen2 tokenizer.
    case unsupported(file: String, field: String, expected: String, found: String)
    /// Parts that contradict each other, such as a merge of tokens that do not exist.
    case inconsistent(field: String, expected: String, found: String)
    case unknownID(Int32, vocabularySize: Int)
    case invalidUTF8(offset: Int)
}

extension TokenizerError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missingFiles(let directory, let expected):
            "no tokenizer in \(directory): expected \(expected)"
        case .unreadable(let file, let reason):
            "cannot read \(file): \(reason)"
        case .malformed(let file, let offset, let expected):
            "\(file) is malformed at byte \(offset): expected \(expected)"
        case .unsupported(let file, let field, let expected, let found):
            "\(file): unsupported \(field): expected \(expected), found \(found)"
        case .inconsistent(let field, let expected, let found):
            "tokenizer is inconsistent in \(field): expected \(expected), found \(found)"
        case .unknownID(let id, let size):
            "no token has id \(id) (vocabulary size \(size))"
        case .invalidUTF8(let offset):
            "text is not UTF-8 at byte \(offset)"
        }
    }
}
