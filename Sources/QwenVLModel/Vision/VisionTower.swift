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
        var pass = begin(patches, grid: grid, backend: backend, trace: trace)
        while !pass.isComplete { advance(&pass, backend: backend, trace: trace) }
        return finish(pass, backend: backend, trace: trace)
    }

    /// Embeds the patches and puts them in window order.
    func begin(_ patches: Tensor, grid: PatchGrid, backend: any Backend, trace: ActivationTrace?) -> VisionPass {
        precondition(patches.rows == grid.patches)
        let plan = VisionPlan(grid: grid, config: config, backend: backend)
        let cell = config.mergeSize * config.mergeSize
        let embedded = backend.linear(patches, patchEmbedding)
        trace?("vision.patch_embed", embedded)
        let h = backend.gatherRows(embedded.reshaped(columns: cell * config.hiddenSize), plan.partition.cellOrder)
            .reshaped(columns: config.hiddenSize)
        return VisionPass(plan: plan, h: h, blockCount: blocks.count)
    }

    /// One block.
    func advance(_ pass: inout VisionPass, backend: any Backend, trace: ActivationTrace?) {
        let index = pass.nextBlock
        let full = config.fullAttentionBlocks.contains(index)
        let partition = pass.plan.partition
        blocks[index].apply(
            to: pass.h, segments: full ? partition.frameSegments : partition.windowSegments,
            rotary: pass.plan.rotary, backend: backend)
        trace?("vision.block.\(index)", pass.h)
        pass.nextBlock += 1
    }

    /// Merges cells and undoes the window order.
    func finish(_ pass: VisionPass, backend: any Backend, trace: ActivationTrace?) -> Tensor {
        precondition(pass.isComplete)
        let merged = merger(pass.h, backend: backend)
        let result = backend.makeTensor(rows: merged.rows, columns: merged.columns)
        backend.scatterRows(merged, pass.plan.partition.cellOrder, into: result)
        trace?("vision.merger", result)
        return result
    }
}

/// A picture on its way through the vision tower, a block at a time: a large one takes seconds, and others'
/// answers go on in between.
package struct VisionPass {
    let plan: VisionPlan
    /// [patches, hidden], in window order; changed in place.
    let h: Tensor
    let blockCount: Int
    fileprivate(set) var nextBlock = 0

    init(plan: VisionPlan, h: Tensor, blockCount: Int) {
        self.plan = plan
        self.h = h
        self.blockCount = blockCount
    }

    /// Whether all blocks are done.
    package var isComplete: Bool { nextBlock == blockCount }
}
