package import Checkpoint

/// The published sizes of Qwen2.5-VL.
package enum OfficialShape: String, Sendable, CaseIterable {
    case b3 = "3b"
    case b7 = "7b"
    case b32 = "32b"
    case b72 = "72b"

    /// "3B"
    package var label: String { rawValue.uppercased() }

    /// The size that a checkpoint's name tells, as in "Qwen/Qwen2.5-VL-7B-Instruct-AWQ"; nil when it tells none.
    package init?(modelName: String) {
        let words = modelName.lowercased().split { !$0.isLetter && !$0.isNumber }
        guard let shape = words.compactMap({ OfficialShape(rawValue: String($0)) }).last else { return nil }
        self = shape
    }

    package var config: ModelConfig {
        get throws(CheckpointError) { try ModelConfig(parsing: Array(json.utf8), file: "\(label)'s config.json") }
    }

    /// What of config.json differs between the sizes.
    private struct Sizes {
        let hidden, layers, heads, keyValueHeads, intermediate, vocabulary: Int
        let visionIntermediate: Int
        let tied: Bool
    }

    private var sizes: Sizes {
        switch self {
        case .b3:
            Sizes(
                hidden: 2048, layers: 36, heads: 16, keyValueHeads: 2, intermediate: 11008, vocabulary: 151_936,
                visionIntermediate: 3420, tied: true)
        case .b7:
            Sizes(
                hidden: 3584, layers: 28, heads: 28, keyValueHeads: 4, intermediate: 18944, vocabulary: 152_064,
                visionIntermediate: 3420, tied: false)
        case .b32:
            Sizes(
                hidden: 5120, layers: 64, heads: 40, keyValueHeads: 8, intermediate: 27648, vocabulary: 152_064,
                visionIntermediate: 3456, tied: false)
        case .b72:
            Sizes(
                hidden: 8192, layers: 80, heads: 64, keyValueHeads: 8, intermediate: 29568, vocabulary: 152_064,
                visionIntermediate: 3456, tied: false)
        }
    }

    private var json: String {
        let s = sizes
        return """
            {"model_type": "qwen2_5_vl", "hidden_size": \(s.hidden), "num_hidden_layers": \(s.layers),
             "num_attention_heads": \(s.heads), "num_key_value_heads": \(s.keyValueHeads),
             "intermediate_size": \(s.intermediate), "vocab_size": \(s.vocabulary),
             "max_position_embeddings": 128000, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
             "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "hidden_act": "silu",
             "tie_word_embeddings": \(s.tied), "vision_config": {
               "depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": \(s.visionIntermediate),
               "in_chans": 3, "out_hidden_size": \(s.hidden), "patch_size": 14, "temporal_patch_size": 2,
               "spatial_merge_size": 2, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
               "tokens_per_second": 2, "hidden_act": "silu"}}
            """
    }
}
