import Checkpoint
import Performance
import QwenVL
import QwenVLModel
import Testing

@Suite struct BenchmarkTests {
    /// All parts of the architecture, as small as they get.
    private static let tiny = """
        {"model_type": "qwen2_5_vl", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 320, "max_position_embeddings": 4096,
         "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
         "tie_word_embeddings": true, "image_token_id": 300, "video_token_id": 301, "vision_start_token_id": 302,
         "vision_end_token_id": 303, "vision_config": {"depth": 4, "hidden_size": 32, "num_heads": 2,
         "intermediate_size": 48, "out_hidden_size": 64, "fullatt_block_indexes": [1, 3]}}
        """

    private static func config() throws -> ModelConfig { try ModelConfig(parsing: Array(tiny.utf8), file: "tiny") }

    @Test func measuresATinyShape() async throws {
        let config = try Self.config()
        var options = EngineOptions()
        options.threads = 1
        options.cacheTokens = 2048
        let engine = try await Engine.make(config, options: options)
        let results = try await engine.measure([
            NoiseRequest(textTokens: 20, picture: .init(width: 140, height: 84), newTokens: 3, seed: 1),
            NoiseRequest(textTokens: 7, newTokens: 5, seed: 2),
        ])
        // 140×84 is 10×6 patches, 15 tokens.
        #expect(results.map(\.promptTokens) == [35, 7])
        #expect(results.map(\.answerTokens) == [3, 5])
        #expect(results[0].grid?.patches == 60)
        #expect(results[1].grid == nil)
        let vision = try #require(results[0].vision)
        #expect(vision.windowed > 0 && vision.fullAttention > 0 && vision.embeddingAndMerger > 0)
        #expect(vision.total <= results[0].timings.vision)
        #expect(results[1].timings.decode > 0)
    }

    @Test func looksWithoutAsking() async throws {
        let config = try Self.config()
        var options = EngineOptions()
        options.threads = 1
        let engine = try await Engine.make(config, options: options)
        let result = try await engine.measureVision(.init(width: 84, height: 56), seed: 1)
        #expect(result.grid?.patches == 24)
        #expect(result.timings.prefill == 0)
        #expect(try #require(result.vision).windowed > 0)
    }

    /// Equal seeds would be answered from the caches, and measure nothing.
    @Test func differentSeedsShareNothing() async throws {
        let config = try Self.config()
        var options = EngineOptions()
        options.threads = 1
        let engine = try await Engine.make(config, options: options)
        func patchesSeen(_ seed: UInt64) async throws -> Double {
            let request = NoiseRequest(
                textTokens: 20, picture: .init(width: 84, height: 84), newTokens: 2, seed: seed)
            return try await engine.measure([request])[0].timings.vision
        }
        #expect(try await patchesSeen(1) > 0)
        #expect(try await patchesSeen(2) > 0)
        #expect(try await patchesSeen(2) == 0)
    }
}
