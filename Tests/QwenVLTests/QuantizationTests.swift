import Checkpoint
import Foundation
import QwenVL
import TensorCore
import Testing

/// Weights of 8 and 4 bits, packed while loading or beforehand.
@Suite struct QuantizationTests {
    private static var greedy: GenerationOptions {
        var options = GenerationOptions.greedy
        options.ignoreEndOfSequence = true
        options.maxTokens = 8
        options.logprobs = 5
        return options
    }

    private static func quantize(
        _ checkpoint: String, _ weights: EngineOptions.Weights, _ vision: EngineOptions.Weights
    ) async throws -> TemporaryDirectory {
        let (source, target) = (try FixtureLibrary.directory(checkpoint), try TemporaryDirectory())
        var options = QuantizedCheckpoint.Options()
        options.weights = weights
        options.visionWeights = vision
        try await QuantizedCheckpoint.write(source.path, to: target.path, options: options)
        withExtendedLifetime(source) {}
        return target
    }

    private static func load(_ directory: TemporaryDirectory) async throws -> Engine {
        var options = EngineOptions()
        options.cacheTokens = 2048
        return try await Engine.load(directory.path, options: options)
    }

    /// Tied and untied heads, all three types of source, one half or both.
    @Test(arguments: [
        ("tied-bfloat16", EngineOptions.Weights.int4, EngineOptions.Weights.int8), ("untied-float32", .int8, .int4),
        ("yarn-float16", .int4, .bfloat16), ("head-size-128", .bfloat16, .int8),
    ])
    func packedBeforehandIsPackedOnLoad(
        _ checkpoint: String, weights: EngineOptions.Weights, vision: EngineOptions.Weights
    ) async throws {
        let messages = try FixtureLibrary.messages("one-picture")[0]
        let packed = try await Self.quantize(checkpoint, weights, vision)
        let fromFile = try await Self.load(packed).reply(to: messages, options: Self.greedy)
        let onLoad = try await FixtureLibrary.engine(checkpoint) {
            $0.weights = weights
            $0.visionWeights = vision
        }.reply(to: messages, options: Self.greedy)
        #expect(fromFile.tokenIDs == onLoad.tokenIDs)
        #expect(fromFile.logprobs == onLoad.logprobs)
        let summary = try CheckpointSummary(directory: packed.path)
        #expect(summary.isComplete, "\(summary.text)")
    }

    @Test(arguments: [EngineOptions.Weights.int8, .int4])
    func anyChunkingIsOneShot(_ weights: EngineOptions.Weights) async throws {
        let conversations = try FixtureLibrary.messages("one-picture") + FixtureLibrary.messages("text")
        func answers(chunk: Int) async throws -> [Completion] {
            try await FixtureLibrary.engine("tied-bfloat16") {
                $0.weights = weights
                $0.prefillChunk = chunk
            }.replies(to: conversations, options: Self.greedy)
        }
        let whole = try await answers(chunk: 4096)
        for (one, other) in zip(whole, try await answers(chunk: 7)) {
            #expect(one.tokenIDs == other.tokenIDs)
            #expect(one.logprobs == other.logprobs)
        }
    }

    @Test func anotherFormatIsRefused() async throws {
        let packed = try await Self.quantize("tied-bfloat16", .int4, .int8)
        var options = EngineOptions()
        options.weights = .int8
        await #expect(throws: QwenVLError.self) { _ = try await Engine.load(packed.path, options: options) }
        let again = try TemporaryDirectory()
        await #expect(throws: QwenVLError.self) { try await QuantizedCheckpoint.write(packed.path, to: again.path) }
        // And nothing is written over.
        let source = try FixtureLibrary.directory("tied-bfloat16")
        await #expect(throws: QwenVLError.self) { try await QuantizedCheckpoint.write(source.path, to: packed.path) }
    }

    @Test func aNewerLayoutIsRefusedByName() async throws {
        let packed = try await Self.quantize("tied-bfloat16", .int4, .int8)
        let config = packed.url.appending(path: "config.json")
        let text = try String(contentsOf: config, encoding: .utf8)
        try packed.write("config.json", Data(text.replacing("\"version\": 1", with: "\"version\": 2").utf8))
        await #expect {
            _ = try await Self.load(packed)
        } throws: {
            "\($0)".contains("quantization_config.version")
        }
    }

    /// The files' layout is the kernels'.
    @Test func layoutAgreesWithTheKernels() throws {
        for (rows, columns) in [(1, 1), (32, 128), (33, 129), (3420, 1280), (1280, 3420)] {
            for format in [WeightFormat.int8, .int4] {
                let shape = try #require(PackedLayout.matrix(rows: rows, columns: columns, format: format))
                let padded = (rows + 31) / 32 * 32 * ((columns + 127) / 128 * 128)
                #expect(Double(shape.count) * 8 == Double(padded) * format.bitsPerWeight)
            }
        }
        #expect(PackedLayout.matrix(rows: 32, columns: 128, format: .bfloat16) == nil)
    }
}
