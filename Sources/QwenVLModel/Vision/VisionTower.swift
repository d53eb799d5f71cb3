import Checkpoint
import TensorCore

/// The vision transformer: patches in, rows of the language model's width out.
struct VisionTower: Sendable {
    private let config: ModelConfig.Vision
    private let patchEmbedding: any Weight
    private let blocks: [VisionBlock]
    private let merger: PatchMerger

    init(config: ModelConfig.Vision, loader: WeightLoader) throws {
        self.config = config
        // A 3-D convolution whose stride is its kernel: a matrix over a patch's values.
        patchEmbedding = try loader["patch_embed"].convolution(
            "proj", rows: config.hiddenSize,
            kernel: [config.inChannels, config.temporalPatchSize, config.patchSize, config.patchSize])
        blocks = try (0..<config.depth).map {
            try loader["blocks"][$0].module { try VisionBlock(config: config, loader: $0) }
        }
        merger = try PatchMerger(config: config, loader: loader["merger"])
    }

    /// - Parameters:
    ///   - patches: [grid.patches, channels * temporalPatch * patch * patch], cells of merged patches together.
    ///   - trace: sees the embedded patches and each block's output in window order.
    /// - Returns: [grid.patches / mergeSize², outHidden] in the picture's own order.
    func encode(_ patches: Tensor, grid: PatchGrid, backend: any Backend, trace: ActivationTrace?) -> Tensor {
        precondition(patches.rows == grid.patches)
        let plan = VisionPlan(grid: grid, config: config, backend: backend)
        let cell = config.mergeSize * config.mergeSize
        let embedded = backend.linear(patches, patchEmbedding)
        trace?("vision.patch_embed", embedded)
        let h = backend.gatherRows(embedded.reshaped(columns: cell * config.hiddenSize), plan.partition.cellOrder)
            .reshaped(columns: config.hiddenSize)
        for (index, block) in blocks.enumerated() {
            let full = config.fullAttentionBlocks.contains(index)
            block.apply(
                to: h, segments: full ? plan.partition.frameSegments : plan.partition.windowSegments,
                rotary: plan.rotary, backend: backend)
            trace?("vision.block.\(index)", h)
        }
        let merged = merger(h, backend: backend)
        let result = backend.makeTensor(rows: merged.rows, columns: merged.columns)
        backend.scatterRows(merged, plan.partition.cellOrder, into: result)
        trace?("vision.merger", result)
        return result
    }
}
