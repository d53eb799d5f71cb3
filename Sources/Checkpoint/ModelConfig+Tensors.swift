package import TensorCore

extension ModelConfig {
    /// The tensors a checkpoint of this model holds, by official name, in the order of computing.
    package var expectedTensors: [(name: String, shape: Shape)] {
        visionTensors + textTensors
    }

    /// Elements of the matrices that products run over, the head among them: vectors, and a table that is only looked
    /// up in, do not count.
    package var matrixElements: (text: Int, vision: Int) {
        func elements(_ tensors: [(name: String, shape: Shape)]) -> Int {
            tensors.reduce(0) { $0 + ($1.shape.dimensions.count > 1 ? $1.shape.count : 0) }
        }
        let table = text.tiesWordEmbeddings ? 0 : text.vocabularySize * text.hiddenSize
        return (elements(textTensors) - table, elements(visionTensors))
    }

    package var visionTensors: [(name: String, shape: Shape)] {
        let v = vision
        let patch: Shape = [v.hiddenSize, v.inChannels, v.temporalPatchSize, v.patchSize, v.patchSize]
        var tensors: [(name: String, shape: Shape)] = [("visual.patch_embed.proj.weight", patch)]
        for block in 0..<v.depth {
            let prefix = "visual.blocks.\(block)."
            tensors += [
                (prefix + "norm1.weight", [v.hiddenSize]),
                (prefix + "attn.qkv.weight", [3 * v.hiddenSize, v.hiddenSize]),
                (prefix + "attn.qkv.bias", [3 * v.hiddenSize]),
                (prefix + "attn.proj.weight", [v.hiddenSize, v.hiddenSize]),
                (prefix + "attn.proj.bias", [v.hiddenSize]),
                (prefix + "norm2.weight", [v.hiddenSize]),
                (prefix + "mlp.gate_proj.weight", [v.intermediateSize, v.hiddenSize]),
                (prefix + "mlp.gate_proj.bias", [v.intermediateSize]),
                (prefix + "mlp.up_proj.weight", [v.intermediateSize, v.hiddenSize]),
                (prefix + "mlp.up_proj.bias", [v.intermediateSize]),
                (prefix + "mlp.down_proj.weight", [v.hiddenSize, v.intermediateSize]),
                (prefix + "mlp.down_proj.bias", [v.hiddenSize]),
            ]
        }
        tensors += [
            ("visual.merger.ln_q.weight", [v.hiddenSize]),
            ("visual.merger.mlp.0.weight", [v.mergedSize, v.mergedSize]),
            ("visual.merger.mlp.0.bias", [v.mergedSize]),
            ("visual.merger.mlp.2.weight", [v.outHiddenSize, v.mergedSize]),
            ("visual.merger.mlp.2.bias", [v.outHiddenSize]),
        ]
        return tensors
    }

    package var textTensors: [(name: String, shape: Shape)] {
        let t = text
        let queries = t.heads * t.headSize
        let keys = t.keyValueHeads * t.headSize
        var tensors: [(name: String, shape: Shape)] = [
            ("model.embed_tokens.weight", [t.vocabularySize, t.hiddenSize])
        ]
        for layer in 0..<t.layers {
            let prefix = "model.layers.\(layer)."
            tensors += [
                (prefix + "input_layernorm.weight", [t.hiddenSize]),
                (prefix + "self_attn.q_proj.weight", [queries, t.hiddenSize]),
                (prefix + "self_attn.q_proj.bias", [queries]),
                (prefix + "self_attn.k_proj.weight", [keys, t.hiddenSize]),
                (prefix + "self_attn.k_proj.bias", [keys]),
                (prefix + "self_attn.v_proj.weight", [keys, t.hiddenSize]),
                (prefix + "self_attn.v_proj.bias", [keys]),
                (prefix + "self_attn.o_proj.weight", [t.hiddenSize, queries]),
                (prefix + "post_attention_layernorm.weight", [t.hiddenSize]),
                (prefix + "mlp.gate_proj.weight", [t.intermediateSize, t.hiddenSize]),
                (prefix + "mlp.up_proj.weight", [t.intermediateSize, t.hiddenSize]),
                (prefix + "mlp.down_proj.weight", [t.hiddenSize, t.intermediateSize]),
            ]
        }
        tensors.append(("model.norm.weight", [t.hiddenSize]))
        if !t.tiesWordEmbeddings { tensors.append(("lm_head.weight", [t.vocabularySize, t.hiddenSize])) }
        return tensors
    }
}
