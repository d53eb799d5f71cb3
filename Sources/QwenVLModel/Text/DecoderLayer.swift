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

    /// Changes h [rows, hidden] in place, and adds the rows' keys and values to the cache.
    func apply(to h: Tensor, step: StepContext, backend: any Backend) {
        let x = backend.rmsNorm(h, weight: inputNorm, epsilon: epsilon)
        let qkv = backend.linear(x, qkv)
        let (keys, values) = (heads.width, heads.width + kvHeads.width)
        backend.rotate(qkv.columns(0..<values), headSize: heads.size, by: step.rotary)
        backend.append(
            keys: qkv.columns(keys..<values), values: qkv.columns(values..<values + kvHeads.width), to: step.cache,
            layer: index, sequences: step.sequences)
        let attended = backend.cachedAttention(
            queries: qkv.columns(0..<keys), heads: heads, cache: step.cache, layer: index, sequences: step.sequences)
        backend.addLinear(attended, output, to: h)
        let y = backend.rmsNorm(h, weight: postNorm, epsilon: epsilon)
        backend.addLinear(backend.swiGLU(y, gate: gate, up: up), down, to: h)
    }
}

/// What all layers of one step share.
struct StepContext {
    let rotary: RotaryTable
    let cache: any KVCache
    let sequences: [SequenceSpan]
}
