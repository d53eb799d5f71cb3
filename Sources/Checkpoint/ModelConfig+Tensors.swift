import Foundation
package import TensorCore

extension ModelConfig {
    /// The tensors a checkpoint of this model holds, by official name, in the order of computing.
    package var expectedTensors: [(name: String, shape: Shape)] {
        visionTensors + textTensors
    }

    /// The tensors as the files hold them: quantised halves have packed matrices, queries, keys and values in one, and
    /// a head even where it is tied to the embedding.
    package var storedTensors: [(name: String, shape: Shape)] {
        guard let packing else { return expectedTensors }
        let head =
            text.tiesWordEmbeddings && packing.text.isQuantized
            ? [("lm_head.weight", Shape([text.vocabularySize, text.hiddenSize]))] : []
        return Self.packed(visionTensors, format: packing.vision)
            + Self.packed(textTensors + head, format: packing.text)
    }

    private static func packed(
        _ tensors: [(name: String, shape: Shape)], format: WeightFormat
    ) -> [(name: String, shape: Shape)] {
        guard format.isQuantized else { return tensors }
        var result: [(name: String, shape: Shape)] = []
        var stackedRows = 0
        for (name, shape) in tensors {
            let stacked = ["q_proj.", "k_proj.", "v_proj."].first { name.contains(".self_attn.\($0)") }
            if let stacked {
                // Queries' and keys' rows are counted, and the whole is told with the values.
                guard let range = name.range(of: stacked) else { continue }
                if shape.dimensions.count > 1 { stackedRows += shape.dimensions[0] }
                guard stacked == "v_proj." else { continue }
                let place = name[..<range.lowerBound] + "qkv_proj."
                if shape.dimensions.count == 1 {
                    result.append((place + "bias", [stackedRows]))
                    stackedRows = 0
                } else if let packed = PackedLayout.matrix(
                    rows: stackedRows, columns: shape.dimensions[1], format: format)
                {
                    result.append((place + "packed", packed))
                }
            } else if shape.dimensions.count > 1, name.hasSuffix(".weight") {
                let (rows, place) = (shape.dimensions[0], name.dropLast("weight".count))
                let columns = shape.count / max(1, rows)
                let packed =
                    name == "model.embed_tokens.weight"
                    ? PackedLayout.table(rows: rows, columns: columns)
                    : PackedLayout.matrix(rows: rows, columns: columns, format: format)
                if let packed { result.append((place + "packed", packed)) }
            } else {
                result.append((name, shape))
            }
        }
        return result
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
