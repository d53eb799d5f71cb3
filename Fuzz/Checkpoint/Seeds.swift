/// Valid inputs, from which a fuzzer departs. The first byte picks the reader.
enum Seeds {
    static let header = """
        {"__metadata__":{"format":"pt"},"model.layers.0.mlp.up_proj.weight":{"dtype":"BF16","shape":[2,3],\
        "data_offsets":[0,12]},"model.language_model.norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},\
        "visual.blocks.0.norm1.weight":{"dtype":"F16","shape":[4],"data_offsets":[20,28]},\
        "a":{"dtype":"I64","shape":[],"data_offsets":[28,36]},"b":{"dtype":"F4","shape":[0],"data_offsets":[36,36]}}
        """

    static let shapes = """
        {"visual.patch_embed.proj.weight":{"dtype":"U8","shape":[20,3,2,2,2],"data_offsets":[0,480]},\
        "visual.blocks.0.norm1.weight":{"dtype":"U8","shape":[20],"data_offsets":[480,500]},\
        "visual.blocks.0.mlp.gate_proj.weight":{"dtype":"U8","shape":[3,20],"data_offsets":[500,560]}}
        """

    static let flat = """
        {"model_type": "qwen2_5_vl", "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 4,
         "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 128000,
         "max_window_layers": 4, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
         "rope_scaling": {"mrope_section": [2, 3, 3], "type": "mrope"}, "tie_word_embeddings": true,
         "use_sliding_window": false, "vocab_size": 151936, "image_token_id": 151655, "video_token_id": 151656,
         "vision_start_token_id": 151652, "vision_end_token_id": 151653,
         "vision_config": {"depth": 4, "fullatt_block_indexes": [1, 3], "hidden_size": 80, "in_chans": 3,
           "intermediate_size": 172, "num_heads": 4, "out_hidden_size": 64, "patch_size": 14, "window_size": 112,
           "spatial_merge_size": 2, "temporal_patch_size": 2, "tokens_per_second": 2, "hidden_act": "silu"}}
        """

    static let nested = """
        {"model_type": "qwen2_5_vl", "tie_word_embeddings": false, "text_config": {"hidden_size": 64, "head_dim": 16,
         "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
         "max_position_embeddings": 1024, "vocab_size": 152064, "use_sliding_window": true, "sliding_window": 8,
         "layer_types": ["full_attention"], "rope_parameters": {"mrope_section": [2, 3, 3], "rope_theta": 10000,
         "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512, "beta_fast": 32, "beta_slow": 1,
         "attention_factor": null, "truncate": true}}, "vision_config": {"fullatt_block_indexes": [0],
         "num_heads": 1, "depth": 1, "window_size": 56}, "quantization_config": null}
        """

    static let shapesConfig = """
        {"model_type": "qwen2_5_vl", "hidden_size": 8, "intermediate_size": 9, "num_hidden_layers": 1,
         "num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 8, "vocab_size": 151936,
         "type": "yarn", "factor": 2, "original_max_position_embeddings": 8, "mrope_section": [2, 1, 1],
         "vision_config": {"num_heads": 5, "fullatt_block_indexes": [], "window_size": 8}}
        """

    static let index = """
        {"metadata": {"total_size": 24}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors",
         "model.language_model.norm.weight": "model-00001-of-00002.safetensors",
         "visual.blocks.0.norm1.weight": "model-00001-of-00002.safetensors", "x": "b.safetensors"}}
        """

    static let generation = """
        {"bos_token_id": 151643, "pad_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
         "repetition_penalty": 1.05, "temperature": 1e-06, "top_k": 1, "top_p": 0.001, "max_new_tokens": 128}
        """

    static let all: [[UInt8]] = {
        var bytes: [[UInt8]] = [
            (1, header), (2, flat), (2, nested), (3, shapes + "\n" + shapesConfig), (4, index), (5, generation),
        ]
        .map { [UInt8($0.0)] + Array($0.1.utf8) }
        let file = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
        bytes.append([0] + file + [UInt8](repeating: 1, count: 36))
        return bytes
    }()

    /// What mutations put in.
    static let tokens: [String] =
        [
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "\\ud83d\\ude00", "null", "true", "false",
            "-", "0",
            "1", "-1", "2", "3", "7", "8", "0.5", "1e308", "1e999", "-0", "1e-400", "255", "256", "4096", "65536",
            "1048576", "2147483647", "4294967296", "4611686018427387904", "9223372036854775807", "9223372036854775808",
            "18446744073709551616", "{}", "[]", "../", "\u{e9}", "e\u{301}", "..", "/", " ", "\n", "\t", "\u{0}",
            "\u{7f}",
            "__metadata__", "model.", "model.visual.", "model.language_model.", ".weight", ".safetensors", "dtype",
            "shape",
            "data_offsets", "lm_head.weight", "yarn", "mrope", "default", "rope_type", "type", "head_dim",
            "sliding_attention", "quantization_config", "quant_method", "text_config", "vision_config", "rope_scaling",
            ".rotary_emb.inv_freq",
        ] + ["BOOL", "F4", "F6_E2M3", "U8", "F8_E4M3", "I16", "F16", "BF16", "F32", "F64", "C64", "U64"]
}
