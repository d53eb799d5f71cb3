import Foundation
package import TensorCore

extension ModelConfig {
    /// Bounds that no real model comes near; within them, no product of sizes overflows.
    enum Bounds {
        static let width = 1...1 << 20
        static let vocabulary = 1...1 << 22
        static let layers = 1...4096
        static let heads = 1...4096
        static let positions = 1...1 << 30
        static let epsilon = 1e-12...1e-2
    }

    /// Reads `config.json`, flat (as the official checkpoints have it) or with a `text_config` (Transformers 5).
    ///
    /// What is missing in `vision_config` is taken from the tensors' shapes where they tell, otherwise it is as in all
    /// official checkpoints; Transformers' own defaults belong to no published model.
    /// - Parameter shapes: of the checkpoint's tensors, by official name; empty when they are not at hand.
    /// - Throws: `CheckpointError.malformedJSON`, `.invalidField` or `.unsupported`.
    package init(
        parsing bytes: [UInt8], file: String, shapes: [String: Shape] = [:]
    ) throws(CheckpointError) {
        let root = try ConfigFields(parsing: bytes, file: file)
        guard let type = try root.string("model_type"), type == "qwen2_5_vl" else {
            throw root.error(
                "model_type", expected: "\"qwen2_5_vl\"", found: try root.value("model_type")?.summary ?? "nothing")
        }
        let nested = try root.object("text_config")
        var fields = nested ?? root
        if nested != nil { fields.outer = root.members }
        packing = try Self.packing(root)
        for holder in [root, fields] where packing == nil { try Self.refuseQuantization(holder) }
        text = try Text(fields, root: root, shapes: shapes)
        let visionFields = try root.object("vision_config")
        vision = try Vision(
            visionFields ?? ConfigFields(file: file, path: "vision_config.", members: [:]), text: text, shapes: shapes)
        tokens = try SpecialTokens(root, vocabularySize: text.vocabularySize)
    }

    /// What `qwenvl quantize` wrote.
    private static func packing(_ root: ConfigFields) throws(CheckpointError) -> Packing? {
        guard let fields = try root.object("quantization_config"),
            try fields.string("quant_method") == Packing.method
        else { return nil }
        let version = try fields.requiredInteger("version", in: 1...Int.max)
        guard version == Packing.version else {
            throw fields.unsupported(
                "version", "layout \(version) is not that of this release, \(Packing.version): quantise the model again"
            )
        }
        func format(_ key: String) throws(CheckpointError) -> WeightFormat {
            let name = try fields.string(key) ?? ""
            guard let format = WeightFormat(rawValue: name) else {
                throw fields.error(
                    key, expected: WeightFormat.allCases.map(\.rawValue).joined(separator: ", "),
                    found: "\"\(CheckpointError.printable(name))\"")
            }
            return format
        }
        return Packing(text: try format("text"), vision: try format("vision"))
    }

    private static func refuseQuantization(_ fields: ConfigFields) throws(CheckpointError) {
        guard let quantization = try fields.object("quantization_config") else { return }
        let method = try quantization.string("quant_method") ?? "of an unnamed method"
        throw fields.unsupported(
            "quantization_config",
            "the weights are quantised (\(CheckpointError.printable(method))): not supported yet; "
                + "use the checkpoint with float32, bfloat16 or float16 weights")
    }
}

extension ModelConfig.Text {
    fileprivate init(
        _ fields: ConfigFields, root: ConfigFields, shapes: [String: Shape]
    ) throws(CheckpointError) {
        typealias Bounds = ModelConfig.Bounds
        hiddenSize = try fields.requiredInteger("hidden_size", in: Bounds.width)
        layers = try fields.requiredInteger("num_hidden_layers", in: Bounds.layers)
        heads = try fields.requiredInteger("num_attention_heads", in: Bounds.heads)
        keyValueHeads = try fields.requiredInteger("num_key_value_heads", in: Bounds.heads)
        guard heads % keyValueHeads == 0 else {
            throw fields.error(
                "num_key_value_heads", expected: "a divisor of num_attention_heads, \(heads)",
                found: "\(keyValueHeads)")
        }
        headSize = try Self.headSize(fields, hiddenSize: hiddenSize, heads: heads)
        intermediateSize = try fields.requiredInteger("intermediate_size", in: Bounds.width)
        vocabularySize = try fields.requiredInteger("vocab_size", in: Bounds.vocabulary)
        maximumPositions = try fields.requiredInteger("max_position_embeddings", in: Bounds.positions)
        rmsNormEpsilon = try fields.number("rms_norm_eps", in: Bounds.epsilon) ?? 1e-6
        tiesWordEmbeddings = try Self.tiesWordEmbeddings(fields, root: root, shapes: shapes)
        rope = try ModelConfig.Rope(fields, root: root, headSize: headSize)
        try fields.requireSiLU()
        try Self.refuseSlidingWindow(fields, layers: layers)
    }

    private static func headSize(
        _ fields: ConfigFields, hiddenSize: Int, heads: Int
    ) throws(CheckpointError) -> Int {
        if let size = try fields.integer("head_dim", in: 2...4096) {
            guard size % 2 == 0 else {
                throw fields.error("head_dim", expected: "an even number", found: "\(size)")
            }
            return size
        }
        guard hiddenSize % heads == 0, hiddenSize / heads % 2 == 0, hiddenSize / heads <= 4096 else {
            throw fields.error(
                "hidden_size", expected: "an even multiple of num_attention_heads, \(heads), up to 4096 times",
                found: "\(hiddenSize)")
        }
        return hiddenSize / heads
    }

    /// Releases of Transformers differ in which of the two places counts, so where they disagree the tensors decide.
    private static func tiesWordEmbeddings(
        _ fields: ConfigFields, root: ConfigFields, shapes: [String: Shape]
    ) throws(CheckpointError) -> Bool {
        var inner = fields
        inner.outer = [:]
        let values = [try inner.bool("tie_word_embeddings"), try root.bool("tie_word_embeddings")].compactMap { $0 }
        if let first = values.first, values.allSatisfy({ $0 == first }) { return first }
        if !shapes.isEmpty { return shapes["lm_head.weight"] == nil }
        guard values.isEmpty else {
            throw fields.error(
                "tie_word_embeddings", expected: "the same as at the top level", found: "the opposite")
        }
        return false  // as in the class that the official files were written with
    }

    private static func refuseSlidingWindow(_ fields: ConfigFields, layers: Int) throws(CheckpointError) {
        guard try fields.bool("use_sliding_window") ?? false, try fields.value("sliding_window") != nil else { return }
        // Layers from max_window_layers on would slide; newer files list each layer's type instead.
        let slides: Bool
        if case .array(let types)? = try fields.value("layer_types") {
            slides = types.contains(.string("sliding_attention"))
        } else {
            slides = try fields.integer("max_window_layers", in: 0...Int.max) ?? 0 < layers
        }
        if slides {
            throw fields.unsupported("use_sliding_window", "attention in sliding windows is not supported")
        }
    }
}

extension ModelConfig.Vision {
    fileprivate init(
        _ fields: ConfigFields, text: ModelConfig.Text, shapes: [String: Shape]
    ) throws(CheckpointError) {
        typealias Bounds = ModelConfig.Bounds
        // [hidden, channels, frames, height, width]
        let patch = shapes["visual.patch_embed.proj.weight"].map(\.dimensions).flatMap { $0.count == 5 ? $0 : nil }
        func width(_ key: String, _ found: Int?, _ official: Int) throws(CheckpointError) -> Int {
            try fields.integer(key, in: Bounds.width) ?? found ?? official
        }
        depth = try fields.integer("depth", in: Bounds.layers) ?? Self.blockCount(shapes) ?? 32
        hiddenSize = try width("hidden_size", patch?[0], 1280)
        heads = try fields.integer("num_heads", in: Bounds.heads) ?? 16
        // The two larger models have a wider MLP.
        intermediateSize = try width(
            "intermediate_size", shapes["visual.blocks.0.mlp.gate_proj.weight"]?.dimensions.first,
            text.hiddenSize >= 5120 ? 3456 : 3420)
        let channels = [try fields.integer("in_chans", in: 1...16), try fields.integer("in_channels", in: 1...16)]
            .compactMap { $0 }
        guard Set(channels).count <= 1 else {
            throw fields.error("in_channels", expected: "the same as in_chans, \(channels[0])", found: "\(channels[1])")
        }
        inChannels = channels.first ?? patch?[1] ?? 3
        patchSize = try fields.integer("patch_size", in: 1...1024) ?? patch?[3] ?? 14
        temporalPatchSize = try fields.integer("temporal_patch_size", in: 1...64) ?? patch?[2] ?? 2
        mergeSize = try fields.integer("spatial_merge_size", in: 1...16) ?? 2
        windowSize = try fields.integer("window_size", in: Bounds.width) ?? 112
        fullAttentionBlocks =
            try fields.integers("fullatt_block_indexes", in: 0...depth - 1)?.sorted() ?? [7, 15, 23, 31]
        tokensPerSecond = try fields.integer("tokens_per_second", in: 1...1000) ?? 2
        outHiddenSize = try fields.integer("out_hidden_size", in: Bounds.width) ?? text.hiddenSize
        rmsNormEpsilon = 1e-6
        try fields.requireSiLU()
        try check(fields, text: text)
    }

    private static func blockCount(_ shapes: [String: Shape]) -> Int? {
        var count = 0
        while shapes["visual.blocks.\(count).norm1.weight"] != nil { count += 1 }
        return count == 0 ? nil : count
    }

    private func check(_ fields: ConfigFields, text: ModelConfig.Text) throws(CheckpointError) {
        // Half of a head's frequencies turn with the row, half with the column, and frequencies come in pairs.
        guard hiddenSize % heads == 0, hiddenSize / heads % 4 == 0 else {
            throw fields.error(
                "num_heads", expected: "a divisor of hidden_size, \(hiddenSize), into multiples of 4",
                found: "\(heads)")
        }
        guard windowSize % (patchSize * mergeSize) == 0 else {
            throw fields.error(
                "window_size", expected: "a multiple of patch_size * spatial_merge_size, \(patchSize * mergeSize)",
                found: "\(windowSize)")
        }
        guard Set(fullAttentionBlocks).count == fullAttentionBlocks.count,
            fullAttentionBlocks.allSatisfy({ $0 < depth })
        else {
            throw fields.error(
                "fullatt_block_indexes", expected: "different numbers below depth, \(depth)",
                found: "\(fullAttentionBlocks.prefix(64))")
        }
        guard outHiddenSize == text.hiddenSize else {
            throw fields.error(
                "out_hidden_size", expected: "the decoder's hidden_size, \(text.hiddenSize)",
                found: "\(outHiddenSize)")
        }
        let sizes = [
            ("hidden_size", hiddenSize, ModelConfig.Bounds.width.upperBound),
            ("intermediate_size", intermediateSize, ModelConfig.Bounds.width.upperBound),
            ("in_channels", inChannels, 16), ("patch_size", patchSize, 1024),
            ("temporal_patch_size", temporalPatchSize, 64), ("depth", depth, ModelConfig.Bounds.layers.upperBound),
        ]
        for (key, value, bound) in sizes where value < 1 || value > bound {  // those that shapes told
            throw fields.error(key, expected: "1 to \(bound)", found: "\(value) in the tensors' shapes")
        }
    }
}

extension ModelConfig.SpecialTokens {
    fileprivate init(_ root: ConfigFields, vocabularySize: Int) throws(CheckpointError) {
        func id(_ key: String, _ official: Int) throws(CheckpointError) -> Int {
            let id = try root.integer(key, in: 0...vocabularySize - 1) ?? official
            guard id < vocabularySize else {
                throw root.error(
                    key, expected: "an id below vocab_size, \(vocabularySize)", found: "nothing (\(id) by default)")
            }
            return id
        }
        image = try id("image_token_id", 151655)
        video = try id("video_token_id", 151656)
        visionStart = try id("vision_start_token_id", 151652)
        visionEnd = try id("vision_end_token_id", 151653)
        guard Set([image, video, visionStart, visionEnd]).count == 4 else {
            throw root.error(
                "image_token_id, video_token_id, vision_start_token_id, vision_end_token_id",
                expected: "four different ids", found: "\([image, video, visionStart, visionEnd])")
        }
    }
}

extension ConfigFields {
    fileprivate func requireSiLU() throws(CheckpointError) {
        if let activation = try string("hidden_act"), activation != "silu" {
            throw unsupported(
                "hidden_act", "expected \"silu\", found \(CheckpointError.quoted(activation))")
        }
    }
}
