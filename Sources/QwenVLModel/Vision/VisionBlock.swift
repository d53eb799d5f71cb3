import Checkpoint
import TensorCore

/// One layer of the vision tower: attention within segments, then a gated MLP, each on a normed input.
struct VisionBlock: Sendable {
    private let norm1: Tensor
    private let norm2: Tensor
    private let qkv: any Weight
    private let projection: any Weight
    private let gate: any Weight
    private let up: any Weight
    private let down: any Weight
    private let heads: HeadLayout
    private let format: AttentionFormat
    private let epsilon: Float

    init(config: ModelConfig.Vision, loader: WeightLoader) throws {
        let (hidden, ffn) = (config.hiddenSize, config.intermediateSize)
        norm1 = try loader.norm("norm1", count: hidden)
        norm2 = try loader.norm("norm2", count: hidden)
        let attention = loader["attn"]
        qkv = try attention.linear("qkv", rows: 3 * hidden, columns: hidden, bias: .present)
        projection = try attention.linear("proj", rows: hidden, columns: hidden, bias: .present)
        let mlp = loader["mlp"]
        gate = try mlp.linear("gate_proj", rows: ffn, columns: hidden, bias: .present)
        up = try mlp.linear("up_proj", rows: ffn, columns: hidden, bias: .present)
        down = try mlp.linear("down_proj", rows: hidden, columns: ffn, bias: .present)
        heads = HeadLayout(heads: config.heads, size: config.headSize)
        format = loader.format.attention
        epsilon = Float(config.rmsNormEpsilon)
    }

    /// Rows that go through the MLP together: 3420 values of each, 14 MB, stay in a last-level cache between its
    /// products, and memory holds no more of them.
    private static let mlpRows = 1008

    /// Changes h [patches, hidden] in place.
    func apply(to h: Tensor, segments: [Int32], rotary: RotaryTable, backend: any Backend) {
        let x = backend.rmsNorm(h, weight: norm1, epsilon: epsilon)
        let qkv = backend.linear(x, qkv)
        backend.rotate(qkv.columns(0..<2 * heads.width), headSize: heads.size, by: rotary)
        let attended = backend.segmentAttention(qkv: qkv, heads: heads, segments: segments, format: format)
        backend.addLinear(attended, projection, to: h)
        for start in stride(from: 0, to: h.rows, by: Self.mlpRows) {
            let part = h.rows(start..<min(start + Self.mlpRows, h.rows))
            let y = backend.rmsNorm(part, weight: norm2, epsilon: epsilon)
            backend.addLinear(backend.swiGLU(y, gate: gate, up: up), down, to: part)
        }
    }
}
