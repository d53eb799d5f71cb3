import Checkpoint
import TensorCore

/// Joins each cell of mergeSize × mergeSize patches into one row of the language model's width.
struct PatchMerger: Sendable {
    private let norm: Tensor
    private let first: any Weight
    private let second: any Weight
    private let cellWidth: Int
    private let epsilon: Float

    init(config: ModelConfig.Vision, loader: WeightLoader) throws {
        cellWidth = config.mergedSize
        epsilon = Float(config.rmsNormEpsilon)
        norm = try loader.norm("ln_q", count: config.hiddenSize)
        first = try loader["mlp"].linear("0", rows: cellWidth, columns: cellWidth, bias: .present)
        second = try loader["mlp"].linear("2", rows: config.outHiddenSize, columns: cellWidth, bias: .present)
    }

    /// - Parameter h: [patches, hidden]
    /// - Returns: [cells, outHidden]
    func callAsFunction(_ h: Tensor, backend: any Backend) -> Tensor {
        let cells = backend.rmsNorm(h, weight: norm, epsilon: epsilon).reshaped(columns: cellWidth)
        return backend.linear(backend.linearGELU(cells, first), second)
    }
}
