import Checkpoint

/// What a model directory holds, what it needs and what it lacks, from its headers alone.
public struct CheckpointSummary: Sendable {
    private let report: CheckpointReport

    /// Looks at a directory; what is missing or wrong in it is reported, not thrown.
    /// - Throws: ``QwenVLError`` when there is no such directory.
    public init(directory: String) throws {
        do {
            report = CheckpointReport(inspecting: try CheckpointDirectory(directory))
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// Whether a model can be loaded from it.
    public var isComplete: Bool { report.isComplete }
    /// For people.
    public var text: String { report.text }
}

extension CheckpointSummary: Encodable {
    /// For programs.
    public func encode(to encoder: any Encoder) throws { try report.encode(to: encoder) }
}
