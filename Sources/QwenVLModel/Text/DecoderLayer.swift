import Checkpoint
import TensorCore

/// One layer of the language model: causal attention over the cache, then a gated MLP, each on a normed input.
struct DecoderLayer: Sendable {
    private let index: Int
    private let inputNorm: Tensor
    private let postNorm: Tensor
    /// Queries, keys and values stacked: one product, and the rotation covers queries and keys in one call.
    private let qkv: any Weight
    private let output: any Weight
    private let gate: any Weight
    private let up: any Weight
    private let down: any Weight
    private let heads: HeadLayout
    private let kvHeads: HeadLayout
    private let epsilon: Float

    init(index: Int, config: ModelConfig.Text, loader: WeightLoader) throws {
        self.index = index
        let (hidden, ffn) = (config.hiddenSize, config.intermediateSize)
        heads = HeadLayout(heads: config.heads, size: config.headSize)
        kvHeads = HeadLayout(heads: config.keyValueHeads, size: config.headSize)
        inputNorm = try loader.norm("input_layernorm", count: hidden)
        postNorm = try loader.norm("post_attention_layernorm", count: hidden)
        let attention = loader["self_attn"]
        qkv = try attention.stackedLinear(
            "qkv_proj", of: [("q_proj", heads.width), ("k_proj", kvHeads.width), ("v_proj", kvHeads.width)],
            columns: hidden)
        output = try attention.linear("o_proj", rows: hidden, columns: heads.width, bias: .absent)
        let mlp = loader["mlp"]
        gate = try mlp.linear("gate_proj", rows: ffn, columns: hidden, bias: .absent)
        up = try mlp.linear("up_proj", rows: ffn, columns: hidden, bias: .absent)
        down = try mlp.linear("down_proj", rows: hidden, columns: ffn, bias: .absent)
        epsilon = Float(config.rmsNormEpsilon)
    }

    /// Bytes of its matrices.
    var weightBytes: Int { [qkv, output, gate, up, down].reduce(0) { $0 + $1.byteCount } }

    /// Changes h [rows, hidden] in place, and adds the rows' keys and values to the cache.
    func apply(to h: Tensor, step: StepContext, backend: any Backend) {
        let queries = append(h, step: step, backend: backend)
        attend(queries, in: step.sequences, of: step.cache, addingTo: h, backend: backend)
    }

    /// As `apply`, but for some of the rows alone, which leaves h as it is: nobody asks for the others behind the last
    /// layer. All rows' keys and values go to the cache.
    /// - Returns: [rows.count, hidden]
    func applied(to h: Tensor, rows: [Int32], step: StepContext, backend: any Backend) -> Tensor {
        let queries = append(h, step: step, backend: backend)
        let chosen = backend.gatherRows(h, rows)
        guard !rows.isEmpty else { return chosen }
        attend(
            backend.gatherRows(queries, rows), in: step.sequences.each(rows), of: step.cache, addingTo: chosen,
            backend: backend)
        return chosen
    }

    /// Adds the rows' keys and values to the cache.
    /// - Returns: the rows' queries.
    private func append(_ h: Tensor, step: StepContext, backend: any Backend) -> Tensor {
        let x = backend.rmsNorm(h, weight: inputNorm, epsilon: epsilon)
        let qkv = backend.linear(x, qkv)
        let (keys, values) = (heads.width, heads.width + kvHeads.width)
        backend.rotate(qkv.columns(0..<values), headSize: heads.size, by: step.rotary)
        backend.append(
            keys: qkv.columns(keys..<values), values: qkv.columns(values..<values + kvHeads.width), to: step.cache,
            layer: index, sequences: step.sequences)
        return qkv.columns(0..<keys)
    }

    private func attend(
        _ queries: Tensor, in sequences: [SequenceSpan], of cache: any KVCache, addingTo h: Tensor, backend: any Backend
    ) {
        let attended = backend.cachedAttention(
            queries: queries, heads: heads, cache: cache, layer: index, sequences: sequences)
        backend.addLinear(attended, output, to: h)
        let y = backend.rmsNorm(h, weight: postNorm, epsilon: epsilon)
        backend.addLinear(backend.swiGLU(y, gate: gate, up: up), down, to: h)
    }
}

extension [SequenceSpan] {
    /// Each of the rows as a span of its own: what it sees are the tokens up to itself.
    fileprivate func each(_ rows: [Int32]) -> [SequenceSpan] {
        var starts: [Int] = []
        var end = 0
        for span in self {
            starts.append(end)
            end += span.count
        }
        return rows.map { row in
            // Rows stand sequence by sequence.
            let place = starts.lastIndex { $0 <= Int(row) } ?? 0
            let span = self[place]
            return SequenceSpan(blocks: span.blocks, past: span.past + Int(row) - starts[place], count: 1)
        }
    }
}

/// What all layers of one step share.
struct StepContext {
    let rotary: RotaryTable
    let cache: any KVCache
    let sequences: [SequenceSpan]
}
