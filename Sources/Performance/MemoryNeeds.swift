import CPUBackend
import Checkpoint
import QwenVLModel
import TensorCore

/// Bytes that a model needs, by what they are for.
package struct MemoryNeeds: Sendable, Equatable, Encodable {
    package var textWeights: Int
    /// Rows are looked up in place.
    package var embeddingTable: Int
    package var visionWeights: Int
    package var cache: Int
    /// While a picture is looked at, at the most; given back afterwards, up to 1 GiB of it to be used again.
    package var visionActivations: Int
    package var textActivations: Int
    /// Pixels decoded and cut into patches.
    package var pictures: Int
    package var program: Int

    package var total: Int {
        // The language model's activations take over what the vision tower's leave.
        textWeights + embeddingTable + visionWeights + cache + max(visionActivations, textActivations) + pictures
            + program
    }

    /// The binary and its libraries, the tokenizer's tables, threads and queues: measured with the smallest model.
    private static let programBytes = 160 << 20

    package init(
        _ workload: Workload, media: [PlannedMedia], promptTokens: Int, context: Int, batch: Int, chunk: Int = 512
    ) {
        let text = workload.config.text
        textWeights = workload.textWeightBytes
        // Quantised checkpoints keep it in 8 bits, the others as they were published.
        let tableBits = workload.formats.text.isQuantized ? WeightFormat.int8.bitsPerWeight : 16
        embeddingTable = Int(Double(text.vocabularySize * text.hiddenSize) * tableBits / 8)
        visionWeights = workload.visionWeightBytes
        cache = workload.cacheBytes(context: context, batch: batch)
        visionActivations = media.map { Self.vision($0.grid, workload.config.vision) }.max() ?? 0
        textActivations = Self.text(text, rows: min(chunk, max(promptTokens, batch)), batch: batch)
        pictures = media.reduce(0) { $0 + Self.decoding($1, workload.config.vision) }
        program = Self.programBytes
    }

    /// The buffers of one block that live at the same time, float32: the residual, a normed copy, queries with keys and
    /// values, what attention gives, the MLP's inner rows; and the patches themselves.
    private static func vision(_ grid: PatchGrid, _ v: ModelConfig.Vision) -> Int {
        let columns = v.patchElements + 3 * v.hiddenSize + 3 * v.hiddenSize + v.intermediateSize
        // The rotary tables, and products' inputs converted to the weights' format.
        let tables = 2 * (v.headSize / 2) * 2 + v.intermediateSize / 2
        return grid.patches * 4 * (columns + tables)
    }

    private static func text(_ t: ModelConfig.Text, rows: Int, batch: Int) -> Int {
        let queries = (t.heads + 2 * t.keyValueHeads) * t.headSize
        let columns = 4 * t.hiddenSize + queries + t.heads * t.headSize + t.intermediateSize * 3 / 2
        return rows * 4 * columns + 2 * batch * t.vocabularySize * 4
    }

    /// The decoded picture, resized, and its patches in float32; a video's frames are decoded one after another.
    private static func decoding(_ media: PlannedMedia, _ v: ModelConfig.Vision) -> Int {
        let decoded = 2 * media.width * media.height * 3
        let resized = media.processedWidth * media.processedHeight * 3 * media.frames
        return decoded + resized + media.grid.patches * v.patchElements * 4
    }
}
