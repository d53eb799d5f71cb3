import Checkpoint
import Testing

/// The numbers that tell the official checkpoints apart.
struct OfficialSize: Sendable, CustomTestStringConvertible {
    let name: String
    let hidden, layers, heads, keyValueHeads, intermediate, vocabulary: Int
    let tied: Bool
    let visionIntermediate: Int
    /// Elements of all tensors of the published checkpoint, as the hub shows them.
    let parameters: Int

    var testDescription: String { name }

    static let all = [
        OfficialSize(
            name: "3B", hidden: 2048, layers: 36, heads: 16, keyValueHeads: 2, intermediate: 11008,
            vocabulary: 151936, tied: true, visionIntermediate: 3420, parameters: 3_754_622_976),
        OfficialSize(
            name: "7B", hidden: 3584, layers: 28, heads: 28, keyValueHeads: 4, intermediate: 18944,
            vocabulary: 152064, tied: false, visionIntermediate: 3420, parameters: 8_292_166_656),
        OfficialSize(
            name: "32B", hidden: 5120, layers: 64, heads: 40, keyValueHeads: 8, intermediate: 27648,
            vocabulary: 152064, tied: false, visionIntermediate: 3456, parameters: 33_452_718_336),
        OfficialSize(
            name: "72B", hidden: 8192, layers: 80, heads: 64, keyValueHeads: 8, intermediate: 29568,
            vocabulary: 152064, tied: false, visionIntermediate: 3456, parameters: 73_410_777_344),
    ]

    var ropeScaling: String { #"{"type": "mrope", "mrope_section": [16, 24, 24]}"# }

    var textFields: String {
        """
        "hidden_size": \(hidden), "intermediate_size": \(intermediate), "num_hidden_layers": \(layers),
        "num_attention_heads": \(heads), "num_key_value_heads": \(keyValueHeads), "hidden_act": "silu",
        "max_position_embeddings": 128000, "max_window_layers": \(layers), "rms_norm_eps": 1e-06,
        "sliding_window": 32768, "use_sliding_window": false, "vocab_size": \(vocabulary)
        """
    }

    var tokenFields: String {
        """
        "image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652,
        "vision_end_token_id": 151653
        """
    }

    var visionConfig: String {
        """
        {"depth": 32, "hidden_act": "silu", "hidden_size": 1280, "intermediate_size": \(visionIntermediate),
         "num_heads": 16, "in_chans": 3, "out_hidden_size": \(hidden), "patch_size": 14, "spatial_merge_size": 2,
         "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
         "tokens_per_second": 2, "temporal_patch_size": 2}
        """
    }

    /// As the official checkpoints have it. `extra` members go to the top level.
    func flat(rope: String? = nil, vision: String? = nil, extra: String = "") -> String {
        """
        {"model_type": "qwen2_5_vl", "tie_word_embeddings": \(tied), "rope_theta": 1000000.0, "torch_dtype": "bfloat16",
         \(textFields), \(tokenFields), "vision_config": \(vision ?? visionConfig),
         "rope_scaling": \(rope ?? ropeScaling)\(extra.isEmpty ? "" : ", " + extra)}
        """
    }

    /// As Transformers 5 writes it.
    func nested() -> String {
        """
        {"model_type": "qwen2_5_vl", "tie_word_embeddings": \(tied), "dtype": "bfloat16", \(tokenFields),
         "text_config": {"model_type": "qwen2_5_vl_text", \(textFields),
           "layer_types": ["full_attention", "full_attention"], "quantization_config": null,
           "rope_parameters": {"mrope_section": [16, 24, 24], "rope_theta": 1000000.0, "rope_type": "default",
             "type": "default"}},
         "vision_config": {"model_type": "qwen2_5_vl", "hidden_size": 1280, "depth": 32, "num_heads": 16,
           "intermediate_size": \(visionIntermediate), "in_channels": 3, "out_hidden_size": \(hidden),
           "tokens_per_second": 2}}
        """
    }

    func config(_ text: String) throws -> ModelConfig {
        try ModelConfig(parsing: Array(text.utf8), file: "config.json")
    }
}
