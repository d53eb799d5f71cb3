import Checkpoint
import Foundation
import TensorCore
import Testing

@Suite struct ModelConfigTests {
    @Test(arguments: OfficialSize.all) func readsOfficialFiles(size: OfficialSize) throws {
        let config = try size.config(size.flat())
        #expect(config.text.hiddenSize == size.hidden)
        #expect(config.text.layers == size.layers)
        #expect(config.text.heads == size.heads)
        #expect(config.text.keyValueHeads == size.keyValueHeads)
        #expect(config.text.headSize == 128)
        #expect(config.text.intermediateSize == size.intermediate)
        #expect(config.text.vocabularySize == size.vocabulary)
        #expect(config.text.maximumPositions == 128000)
        #expect(config.text.contextLength == 128000)
        #expect(config.text.rmsNormEpsilon == 1e-6)
        #expect(config.text.tiesWordEmbeddings == size.tied)
        #expect(config.text.rope == .init(theta: 1e6, sections: [16, 24, 24], yarn: nil))
        let vision = config.vision
        #expect(vision.depth == 32 && vision.hiddenSize == 1280 && vision.heads == 16 && vision.inChannels == 3)
        #expect(vision.intermediateSize == size.visionIntermediate && vision.outHiddenSize == size.hidden)
        #expect(vision.patchSize == 14 && vision.temporalPatchSize == 2 && vision.mergeSize == 2)
        #expect(vision.windowSize == 112 && vision.fullAttentionBlocks == [7, 15, 23, 31])
        #expect(vision.tokensPerSecond == 2 && vision.rmsNormEpsilon == 1e-6)
        #expect(config.vision.headSize == 80)
        #expect(config.vision.patchElements == 1176)
        #expect(config.vision.mergedSize == 5120)
        #expect(config.vision.windowCells == 4)
        #expect(config.tokens == .init(image: 151655, video: 151656, visionStart: 151652, visionEnd: 151653))
    }

    @Test(arguments: OfficialSize.all) func nestedFormIsTheSameModel(size: OfficialSize) throws {
        #expect(try size.config(size.nested()) == size.config(size.flat()))
    }

    @Test(arguments: OfficialSize.all) func missingVisionKeysAreOfficial(size: OfficialSize) throws {
        let expected = try size.config(size.flat())
        #expect(try size.config(size.flat(vision: "{}")) == expected)
        let without = size.flat().replacingOccurrences(of: "\"vision_config\"", with: "\"other\"")
        #expect(try size.config(without) == expected)
    }

    @Test func missingVisionWidthsComeFromShapes() throws {
        let size = OfficialSize.all[0]
        var shapes: [String: Shape] = [
            "visual.patch_embed.proj.weight": [640, 4, 3, 16, 16],
            "visual.blocks.0.mlp.gate_proj.weight": [1111, 640],
            "lm_head.weight": [1, 1],
        ]
        for block in 0..<9 { shapes["visual.blocks.\(block).norm1.weight"] = [640] }
        let text = size.flat(vision: #"{"window_size": 128, "fullatt_block_indexes": [8, 2]}"#)
        let vision = try ModelConfig(parsing: Array(text.utf8), file: "config.json", shapes: shapes).vision
        #expect(vision.hiddenSize == 640 && vision.inChannels == 4 && vision.temporalPatchSize == 3)
        #expect(vision.patchSize == 16 && vision.intermediateSize == 1111 && vision.depth == 9)
        #expect(vision.fullAttentionBlocks == [2, 8])
        // What the file does say wins; a contradiction comes out when the tensors are read.
        let stated = try ModelConfig(parsing: Array(size.flat().utf8), file: "config.json", shapes: shapes).vision
        #expect(stated.hiddenSize == 1280 && stated.depth == 32)
    }

    @Test(arguments: OfficialSize.all) func countsThePublishedParameters(size: OfficialSize) throws {
        let tensors = try size.config(size.flat()).expectedTensors
        #expect(tensors.reduce(0) { $0 + $1.shape.count } == size.parameters)
        #expect(Set(tensors.map(\.name)).count == tensors.count)
    }

    // MARK: - Positions

    private let yarn = """
        "type": "yarn", "mrope_section": [16, 24, 24], "factor": 4, "original_max_position_embeddings": 32768
        """

    @Test func readsYaRN() throws {
        let size = OfficialSize.all[1]
        let expected = ModelConfig.YaRN(
            factor: 4, originalMaximumPositions: 32768, betaFast: 32, betaSlow: 1,
            attentionFactor: 0.1 * log(4.0) + 1)
        let inside = try size.config(size.flat(rope: "{\(yarn)}"))
        #expect(inside.text.rope == .init(theta: 1e6, sections: [16, 24, 24], yarn: expected))
        #expect(inside.text.contextLength == 131072)
        // As the model card prints it, with and without the official rope_scaling left in.
        #expect(try size.config(size.flat(extra: yarn)) == inside)
        #expect(try size.config(size.flat(rope: "null", extra: yarn)) == inside)
        let modern = size.nested().replacingOccurrences(
            of: #""rope_type": "default","#,
            with: #""rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768,"#
        ).replacingOccurrences(of: #""type": "default""#, with: #""type": "yarn""#)
        #expect(try size.config(modern) == inside)
        let explicit =
            #"{"rope_type": "yarn", "mrope_section": [16, 24, 24], "factor": 2.5, "original_max_position_embeddings": 1000, "beta_fast": 16, "beta_slow": 2, "attention_factor": 1.5}"#
        #expect(
            try size.config(size.flat(rope: explicit)).text.rope.yarn
                == .init(factor: 2.5, originalMaximumPositions: 1000, betaFast: 16, betaSlow: 2, attentionFactor: 1.5))
    }

    @Test(arguments: [
        (
            #"{"type": "mrope"}"#,
            "rope_scaling.mrope_section: expected three positive integers that sum to half the head size, 64, found nothing"
        ),
        ("null", "mrope_section"),
        (#"{"mrope_section": [16, 24, 23]}"#, "found [16, 24, 23]"),
        (#"{"mrope_section": [32, 32]}"#, "found [32, 32]"),
        (#"{"mrope_section": [64, 0, 0]}"#, "integers from 1 to 64, found 0"),
        (#"{"mrope_section": "all"}"#, "an array of integers, found \"all\""),
        (#"{"mrope_section": [16, 24, 24], "type": "dynamic"}"#, "found \"dynamic\""),
        (#"{"mrope_section": [16, 24, 24], "type": "yarn", "rope_type": "default"}"#, "found \"default\" and \"yarn\""),
        (
            #"{"mrope_section": [16, 24, 24], "type": "yarn", "factor": 4}"#,
            "rope_scaling.original_max_position_embeddings"
        ),
        (
            #"{"mrope_section": [16, 24, 24], "type": "yarn", "original_max_position_embeddings": 32768}"#,
            "rope_scaling.factor"
        ),
        (
            #"{"mrope_section": [16, 24, 24], "type": "yarn", "factor": 0.5, "original_max_position_embeddings": 32768}"#,
            "factor"
        ),
        (
            #"{"mrope_section": [16, 24, 24], "type": "yarn", "factor": 4, "original_max_position_embeddings": 32768, "beta_fast": 1}"#,
            "more than beta_slow"
        ),
        (
            #"{"mrope_section": [16, 24, 24], "type": "yarn", "factor": 4, "original_max_position_embeddings": 32768, "mscale": 1}"#,
            "mscale: not supported"
        ),
        (
            #"{"mrope_section": [16, 24, 24], "rope_theta": 5000}"#,
            "rope_theta: expected the same as beside it, 1000000.0, found 5000.0"
        ),
    ])
    func refusesRope(rope: String, expected: String) {
        let size = OfficialSize.all[1]
        #expect(message { _ = try size.config(size.flat(rope: rope)) }.contains(expected))
    }

    @Test func refusesContradictingSnippet() {
        let size = OfficialSize.all[1]
        let rope =
            #"{"type": "yarn", "mrope_section": [16, 24, 24], "factor": 2, "original_max_position_embeddings": 32768}"#
        let found = message { _ = try size.config(size.flat(rope: rope, extra: yarn)) }
        #expect(found.contains("rope_scaling.factor: expected the same as at the top level, 4, found 2"))
    }

    // MARK: - What is refused

    @Test(arguments: [
        (
            #""hidden_size": 3584"#, #""hidden_size": 3585"#,
            "hidden_size: expected an even multiple of num_attention_heads, 28"
        ),
        (#""hidden_size": 3584"#, #""hidden_size": 0"#, "hidden_size: expected an integer from 1 to"),
        (#""hidden_size": 3584"#, #""hidden_size": -3584"#, "found -3584"),
        (#""hidden_size": 3584"#, #""hidden_size": "3584""#, "found \"3584\""),
        (#""hidden_size": 3584"#, #""hidden_size": 3584.0"#, "found 3584.0"),
        (
            #""hidden_size": 3584"#, #""hidden_size": null"#,
            "hidden_size: expected an integer from 1 to 1048576, found nothing"
        ),
        (#""num_hidden_layers": 28"#, #""num_hidden_layers": 1e9"#, "num_hidden_layers"),
        (#""num_key_value_heads": 4"#, #""num_key_value_heads": 5"#, "a divisor of num_attention_heads, 28, found 5"),
        (#""num_key_value_heads": 4"#, #""num_key_value_heads": 0"#, "num_key_value_heads"),
        (
            #""vocab_size": 152064"#, #""vocab_size": 151000"#,
            "image_token_id: expected an integer from 0 to 150999, found 151655"
        ),
        (#""rms_norm_eps": 1e-06"#, #""rms_norm_eps": 0"#, "rms_norm_eps: expected a number from"),
        (#""rope_theta": 1000000.0"#, #""rope_theta": 1"#, "rope_theta: expected a number from"),
        (#""video_token_id": 151656"#, #""video_token_id": 151655"#, "four different ids"),
        (#""hidden_act": "silu""#, #""hidden_act": "gelu""#, "expected \"silu\", found \"gelu\""),
        (
            #""model_type": "qwen2_5_vl""#, #""model_type": "qwen2_vl""#,
            "model_type: expected \"qwen2_5_vl\", found \"qwen2_vl\""
        ),
        (#""model_type": "qwen2_5_vl""#, #""model_type": null"#, "model_type: expected \"qwen2_5_vl\", found nothing"),
        (
            #""tie_word_embeddings": false"#, #""tie_word_embeddings": 0"#,
            "tie_word_embeddings: expected true or false, found 0"
        ),
        (#""num_heads": 16"#, #""num_heads": 15"#, "vision_config.num_heads: expected a divisor of hidden_size, 1280"),
        (#""num_heads": 16"#, #""num_heads": 640"#, "into multiples of 4, found 640"),
        (
            #""window_size": 112"#, #""window_size": 100"#,
            "a multiple of patch_size * spatial_merge_size, 28, found 100"
        ),
        (
            #""fullatt_block_indexes": [7, 15, 23, 31]"#, #""fullatt_block_indexes": [7, 32]"#,
            "integers from 0 to 31, found 32"
        ),
        (
            #""fullatt_block_indexes": [7, 15, 23, 31]"#, #""fullatt_block_indexes": [7, 7]"#,
            "different numbers below depth, 32"
        ),
        (#""depth": 32"#, #""depth": 31"#, "fullatt_block_indexes: expected integers from 0 to 30"),
        (#""out_hidden_size": 3584"#, #""out_hidden_size": 2048"#, "the decoder's hidden_size, 3584, found 2048"),
        (#""in_chans": 3"#, #""in_chans": 3, "in_channels": 4"#, "the same as in_chans, 3, found 4"),
        (
            #""use_sliding_window": false"#, #""use_sliding_window": true, "layer_types": ["sliding_attention"]"#,
            "use_sliding_window: attention in sliding windows is not supported"
        ),
        (#""use_sliding_window": false, "#, #""use_sliding_window": true, "max_window_layers": 27, "#, "duplicate key"),
        (
            #""max_window_layers": 28"#,
            #""max_window_layers": 28, "quantization_config": {"quant_method": "awq", "bits": 4}"#,
            "quantization_config: the weights are quantised (awq)"
        ),
        ("{", "[", "not valid JSON"),
    ])
    func refuses(original: String, replacement: String, expected: String) {
        let size = OfficialSize.all[1]
        let text = size.flat()
        #expect(text.contains(original))
        let changed = text.replacingOccurrences(of: original, with: replacement)
        #expect(message { _ = try size.config(changed) }.contains(expected))
    }

    @Test func slidingWindowsThatNoLayerUsesAreFine() throws {
        let size = OfficialSize.all[1]
        let used = size.flat().replacingOccurrences(
            of: #""use_sliding_window": false"#, with: #""use_sliding_window": true"#)
        #expect(try size.config(used) == size.config(size.flat()))
        let some = used.replacingOccurrences(of: #""max_window_layers": 28"#, with: #""max_window_layers": 27"#)
        #expect(message { _ = try size.config(some) }.contains("use_sliding_window"))
    }

    @Test func headSizeMayBeStated() throws {
        let size = OfficialSize.all[1]
        let config = try size.config(size.flat(rope: #"{"mrope_section": [8, 12, 12]}"#, extra: #""head_dim": 64"#))
        #expect(config.text.headSize == 64)
        let shapes = Dictionary(uniqueKeysWithValues: config.expectedTensors.map { ($0.name, $0.shape) })
        #expect(shapes["model.layers.0.self_attn.q_proj.weight"] == [1792, 3584])
    }

    @Test func contradictingLevelsAreRefused() throws {
        let size = OfficialSize.all[1]
        let text = size.nested().replacingOccurrences(of: #""dtype": "bfloat16""#, with: #""hidden_size": 4096"#)
        #expect(
            message { _ = try size.config(text) }.contains(
                "hidden_size: expected the same as at the top level, 4096, found 3584"))
    }

    @Test func tensorsDecideAboutTyingWhereTheFileIsOfTwoMinds() throws {
        let size = OfficialSize.all[1]
        let text = size.nested().replacingOccurrences(
            of: #""quantization_config": null"#, with: #""tie_word_embeddings": true"#)
        #expect(message { _ = try size.config(text) }.contains("tie_word_embeddings"))
        let embedding: [String: Shape] = ["model.embed_tokens.weight": [152064, 3584]]
        let head = embedding.merging(["lm_head.weight": [152064, 3584]]) { $1 }
        let bytes = Array(text.utf8)
        #expect(try ModelConfig(parsing: bytes, file: "c", shapes: embedding).text.tiesWordEmbeddings)
        #expect(try !ModelConfig(parsing: bytes, file: "c", shapes: head).text.tiesWordEmbeddings)
    }
}

@Suite struct GenerationConfigTests {
    @Test func readsTheOfficialFile() throws {
        let text = """
            {"bos_token_id": 151643, "pad_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
             "repetition_penalty": 1.05, "temperature": 0.000001, "transformers_version": "4.49.0"}
            """
        let config = try GenerationConfig(parsing: Array(text.utf8), file: "g")
        #expect(config.doSample == true && config.temperature == 1e-6 && config.repetitionPenalty == 1.05)
        #expect(config.eosTokenIDs == [151645, 151643] && config.padTokenID == 151643 && config.bosTokenID == 151643)
        #expect(config.topK == nil && config.topP == nil && config.maximumNewTokens == nil)
    }

    @Test func readsOtherForms() throws {
        let text =
            #"{"eos_token_id": 5, "top_k": 1, "top_p": 0.5, "max_new_tokens": 9, "temperature": 1, "do_sample": null}"#
        let config = try GenerationConfig(parsing: Array(text.utf8), file: "g")
        #expect(config.eosTokenIDs == [5] && config.topK == 1 && config.topP == 0.5 && config.maximumNewTokens == 9)
        #expect(config.temperature == 1 && config.doSample == nil)
    }

    @Test(arguments: [
        (#"{"temperature": -1}"#, "temperature: expected a number from 0.0"),
        (#"{"top_p": 1.5}"#, "top_p: expected a number from 0.0 to 1.0, found 1.5"),
        (#"{"top_k": 1.5}"#, "top_k: expected an integer"),
        (#"{"eos_token_id": "</s>"}"#, "eos_token_id: expected an integer"),
        (#"{"eos_token_id": [1, null]}"#, "eos_token_id: expected integers"),
        (#"{"repetition_penalty": 0}"#, "repetition_penalty"),
        (#"{"max_new_tokens": 0}"#, "max_new_tokens"),
        (#"{"do_sample": "yes"}"#, "do_sample: expected true or false, found \"yes\""),
    ])
    func refuses(text: String, expected: String) {
        #expect(message { _ = try GenerationConfig(parsing: Array(text.utf8), file: "g") }.contains(expected))
    }

    @Test func missingFileSaysNothing() throws {
        let directory = try TemporaryDirectory()
        #expect(try CheckpointDirectory(directory.path).generationConfig() == GenerationConfig())
    }
}
