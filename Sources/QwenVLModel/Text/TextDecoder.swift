import Checkpoint
import TensorCore

/// The language model: token ids and vision rows in, logits out.
struct TextDecoder: Sendable {
    private let embedding: any EmbeddingTable
    private let layers: [DecoderLayer]
    private let norm: Tensor
    private let head: any Weight
    private let mrope: MRoPE
    private let epsilon: Float
    /// Of all layers and the head: what each pass reads.
    private let weightBytes: Int

    /// - Parameter loader: at `model`.
    init(config: ModelConfig.Text, loader: WeightLoader, head headLoader: WeightLoader) throws {
        let table = try loader.embedding("embed_tokens", rows: config.vocabularySize, columns: config.hiddenSize)
        embedding = table.table
        layers = try (0..<config.layers).map { index in
            return try loader["layers"][index].module { try DecoderLayer(index: index, config: config, loader: $0) }
        }
        norm = try loader.norm("norm", count: config.hiddenSize)
        head = try headLoader.head(tiedTo: config.tiesWordEmbeddings ? table.source : nil, config: config)
        mrope = MRoPE(config: config)
        epsilon = Float(config.rmsNormEpsilon)
        weightBytes = layers.reduce(head.byteCount) { $0 + $1.weightBytes }
    }

    /// - Returns: logits [step.logitRows.count, vocabulary]
    func forward(_ step: TextStep, cache: any KVCache, backend: any Backend, trace: ActivationTrace?) -> Tensor {
        let lanes = trace == nil ? backend.lanes(rows: step.tokens.count, weightBytes: weightBytes) : 1
        guard lanes > 1, let parts = step.parts(lanes) else {
            return pass(step, cache: cache, backend: backend, trace: trace)
        }
        let logits = backend.makeTensor(rows: step.logitRows.count, columns: head.rows)
        backend.inLanes(parts.count) { index, backend in
            let made = pass(parts[index].step, cache: cache, backend: backend, trace: nil)
            backend.scatterRows(made, parts[index].logits, into: logits)
        }
        return logits
    }

    private func pass(_ step: TextStep, cache: any KVCache, backend: any Backend, trace: ActivationTrace?) -> Tensor {
        let h = backend.embed(step.tokens, embedding)
        for rows in step.vision {
            let index = (0..<rows.embeddings.rows).map { Int32(rows.firstRow + $0) }
            backend.scatterRows(rows.embeddings, index, into: h)
        }
        trace?("text.embed", h)
        let context = StepContext(
            rotary: mrope.table(step.positions, backend: backend), cache: cache, sequences: step.sequences)
        for (index, layer) in layers.dropLast().enumerated() {
            layer.apply(to: h, step: context, backend: backend)
            trace?("text.layer.\(index)", h)
        }
        let wanted = lastLayer(h, rows: step.logitRows, step: context, backend: backend, trace: trace)
        let logits = backend.linear(backend.rmsNorm(wanted, weight: norm, epsilon: epsilon), head)
        trace?("logits", logits)
        return logits
    }

    /// - Returns: the rows that logits are wanted of, behind the last layer.
    private func lastLayer(
        _ h: Tensor, rows: [Int32], step: StepContext, backend: any Backend, trace: ActivationTrace?
    ) -> Tensor {
        guard let layer = layers.last else { return backend.gatherRows(h, rows) }
        if trace == nil, rows.count < h.rows { return layer.applied(to: h, rows: rows, step: step, backend: backend) }
        layer.apply(to: h, step: step, backend: backend)
        trace?("text.layer.\(layers.count - 1)", h)
        trace?("text.norm", backend.rmsNorm(h, weight: norm, epsilon: epsilon))
        return backend.gatherRows(h, rows)
    }
}
