/// What can go wrong, in the caller's terms.
///
/// Each description names the file, field or picture, what was expected and what was found.
public enum QwenVLError: Error, Sendable, CustomStringConvertible {
    /// The model directory: a file or tensor is missing, damaged or of a kind that is not supported.
    case checkpoint(String)
    /// A message or a setting.
    case input(InputError)
    /// A picture cannot be read or used.
    case picture(field: String, reason: String)
    /// The ``MediaPolicy`` forbids a source, or a picture or video exceeds its limits.
    case mediaRefused(field: String, reason: String)
    /// A host does not answer, or answers with something else than the file.
    case mediaUnavailable(field: String, reason: String)
    /// The chat template cannot render the messages.
    case template(String)
    /// The prompt is longer than the context or the cache.
    case promptTooLong(tokens: Int, limit: Int, what: String)
    /// What a server said (its HTTP status, 0 when there was none) about a request that it did not answer.
    case remote(status: Int, reason: String)
    /// As many conversations wait as the engine takes; later there will be room again.
    case busy(waiting: Int)
    /// Asked for something that this version does not do.
    case unsupported(field: String, reason: String)
    /// The machine: threads, instruction sets, memory.
    case machine(String)
    /// The model computed no number (NaN): weights or memory are damaged.
    case numerical(String)

    /// A sentence for people.
    public var description: String {
        switch self {
        case .checkpoint(let reason), .template(let reason), .machine(let reason), .numerical(let reason): reason
        case .input(let error): error.description
        case .picture(let field, let reason), .unsupported(let field, let reason),
            .mediaRefused(let field, let reason), .mediaUnavailable(let field, let reason):
            "\(field): \(reason)"
        case .promptTooLong(let tokens, let limit, let what):
            "the prompt has \(tokens) tokens; \(what) holds \(limit)"
        case .remote(let status, let reason): status == 0 ? reason : "the server says (\(status)): \(reason)"
        case .busy(let waiting): "too many requests: \(waiting) are waiting already"
        }
    }

    /// Whether the caller can mend it by asking for something else (true), or the program or machine failed (false).
    public var isUserError: Bool {
        switch self {
        case .checkpoint, .input, .picture, .template, .promptTooLong, .unsupported, .mediaRefused,
            .mediaUnavailable:
            true
        case .remote(let status, _): (400..<500).contains(status)
        case .machine, .numerical, .busy: false
        }
    }
}
