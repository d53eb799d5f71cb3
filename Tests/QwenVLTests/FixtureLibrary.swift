import Foundation
import QwenVL

/// The random checkpoints of the fixtures, their conversations, and what the reference computed for them.
enum FixtureLibrary {
    static let checkpoints = ["tied-bfloat16", "untied-float32", "yarn-float16", "head-size-128"]
    static let conversations = [
        "text", "one-picture", "two-pictures", "batch", "multi-turn", "resize-options", "frames",
    ]

    static var root: URL {
        get throws {
            guard let root = Bundle.module.url(forResource: "Fixtures", withExtension: nil) else {
                throw CocoaError(.fileNoSuchFile)
            }
            return root
        }
    }

    /// A picture or video of the layer below, whose fixtures lie beside these.
    static func media(_ name: String) -> String {
        Bundle.module.bundleURL.deletingLastPathComponent()
            .appending(path: "QwenVL_VisionInputTests.resources/Fixtures/\(name)").path
    }

    /// A directory with the weights of one checkpoint and the tokenizer that all share, as links.
    static func directory(_ checkpoint: String) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        for folder in ["Tokenizer", "Checkpoints/\(checkpoint)"] {
            let source = try root.appending(path: folder)
            for file in try FileManager.default.contentsOfDirectory(atPath: source.path) {
                try FileManager.default.createSymbolicLink(
                    at: directory.url.appending(path: file), withDestinationURL: source.appending(path: file))
            }
        }
        return directory
    }

    /// A checkpoint's model; what is not said otherwise is float32.
    static func engine(_ checkpoint: String, _ change: (inout EngineOptions) -> Void = { _ in }) async throws -> Engine
    {
        var options = EngineOptions()
        options.weights = .float32
        options.cacheTokens = 2048
        change(&options)
        let directory = try directory(checkpoint)
        let engine = try await Engine.load(directory.path, options: options)
        withExtendedLifetime(directory) {}
        return engine
    }

    static func messages(_ name: String) throws -> [[ChatMessage]] {
        let json = try String(contentsOf: root.appending(path: "Messages/\(name).json"), encoding: .utf8)
        let pictures = try root.appending(path: "Pictures").path
        return try ChatMessage.conversations(json: json.replacing("\"Pictures/", with: "\"\(pictures)/"))
    }

    static func golden<Record: Decodable>(_ path: String, as type: Record.Type = Record.self) throws -> Record {
        try JSONDecoder().decode(type, from: Data(contentsOf: root.appending(path: "Golden/\(path).json")))
    }
}

/// A directory that goes when its owner does.
final class TemporaryDirectory: Sendable {
    let url: URL
    var path: String { url.path }

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "qwenvl-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Replaces a linked file by one of its own.
    func write(_ name: String, _ data: Data) throws {
        let target = url.appending(path: name)
        try? FileManager.default.removeItem(at: target)
        try data.write(to: target)
    }
}

/// A tensor's fingerprint in the fixtures.
struct TensorSample: Decodable {
    let shape: [Int]
    let sha256: String
    let at: [Int]
    let values: [Float]
}

/// What the reference's processor and position ids give.
struct GoldenInputs: Decodable {
    let texts: [String]
    let input_ids: [[Int64]]
    let attention_mask: [[Int64]]
    let image_grid_thw: [[Int64]]?
    let pixel_values: TensorSample?
    let video_grid_thw: [[Int64]]?
    let second_per_grid_ts: [Float]?
    let pixel_values_videos: TensorSample?
    let position_ids: [[[Int64]]]
    let rope_deltas: [Int64]
}

/// What the reference's model gives, in float32.
struct GoldenOutputs: Decodable {
    struct Conversation: Decodable {
        let prompt_token_ids: [Int]
        let top_ids: [Int]
        let top_logprobs: [Float]
        let greedy_ids: [Int]
        let greedy_logprobs: [Float]
        let margins: [Float]
    }
    struct Rows: Decodable {
        let shape: [Int]
        let rows: [Int]
        let values: [[Float]]
    }
    let conversations: [Conversation]
    let vision_embeddings: TensorSample?
    let activations: [String: Rows]?
}
