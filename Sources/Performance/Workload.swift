package import CPUBackend
package import Checkpoint
package import QwenVLModel
package import TensorCore

/// What a model of this shape has to compute and to read, counted from its sizes. Products and attention are counted;
/// norms, rotations and activations are passes over memory that are small beside them.
package struct Workload: Sendable {
    package let config: ModelConfig
    package let formats: QwenVLModel.Formats
    package let cacheStorage: KVCacheStorage
    private let backend: CPUBackend

    /// - Parameter backend: knows how large weights become when they are packed.
    package init(
        _ config: ModelConfig, formats: QwenVLModel.Formats, cacheStorage: KVCacheStorage = .full, backend: CPUBackend
    ) {
        self.config = config
        self.formats = formats
        self.cacheStorage = cacheStorage
        self.backend = backend
    }

    // MARK: Weights

    /// A weight matrix, and how many there are of its kind.
    package struct Matrix: Sendable, Equatable {
        package let rows: Int
        package let columns: Int
        package var count = 1
        var values: Double { Double(rows * columns * count) }
    }

    package var textLayers: [Matrix] {
        let t = config.text
        let (queries, keys) = (t.heads * t.headSize, t.keyValueHeads * t.headSize)
        return [
            Matrix(rows: queries + 2 * keys, columns: t.hiddenSize, count: t.layers),
            Matrix(rows: t.hiddenSize, columns: queries, count: t.layers),
            Matrix(rows: t.intermediateSize, columns: t.hiddenSize, count: 2 * t.layers),
            Matrix(rows: t.hiddenSize, columns: t.intermediateSize, count: t.layers),
        ]
    }

    package var head: Matrix { Matrix(rows: config.text.vocabularySize, columns: config.text.hiddenSize) }

    /// Of `blocks` blocks of the vision tower.
    package func visionBlocks(_ blocks: Int) -> [Matrix] {
        let v = config.vision
        return [
            Matrix(rows: 3 * v.hiddenSize, columns: v.hiddenSize, count: blocks),
            Matrix(rows: v.hiddenSize, columns: v.hiddenSize, count: blocks),
            Matrix(rows: v.intermediateSize, columns: v.hiddenSize, count: 2 * blocks),
            Matrix(rows: v.hiddenSize, columns: v.intermediateSize, count: blocks),
        ]
    }

    package var patchEmbedding: Matrix {
        Matrix(rows: config.vision.hiddenSize, columns: config.vision.patchElements)
    }

    /// Both take one row for each merged cell.
    package var merger: [Matrix] {
        let v = config.vision
        return [
            Matrix(rows: v.mergedSize, columns: v.mergedSize), Matrix(rows: v.outHiddenSize, columns: v.mergedSize),
        ]
    }

    package func bytes(_ matrices: [Matrix], _ format: WeightFormat) -> Int {
        matrices.reduce(0) {
            $0 + $1.count * backend.weightBytes(rows: $1.rows, columns: $1.columns, format: format)
        }
    }

    /// Bytes of the packed text part, head included, without the embedding table.
    package var textWeightBytes: Int { bytes(textLayers + [head], formats.text) }
    package var visionWeightBytes: Int {
        bytes(visionBlocks(config.vision.depth) + [patchEmbedding] + merger, formats.vision)
    }

    private func product(_ matrices: [Matrix], rows: Int, _ format: WeightFormat) -> Work {
        Work(2 * Double(rows) * matrices.reduce(0) { $0 + $1.values }, format.arithmetic)
    }

    // MARK: Vision

    /// The parts of the vision tower's work on one grid.
    package struct VisionWork: Sendable, Equatable {
        package var windowed = Work()
        package var fullAttention = Work()
        package var embeddingAndMerger = Work()
        package var total: Work { windowed + fullAttention + embeddingAndMerger }
    }

    package func vision(_ grid: PatchGrid) -> VisionWork {
        let v = config.vision
        let full = v.fullAttentionBlocks.count
        let frame = Double(grid.height * grid.width)
        var work = VisionWork()
        work.windowed = block(grid, pairs: windowPairs(grid)) * Double(v.depth - full)
        work.fullAttention = block(grid, pairs: Double(grid.frames) * frame * frame) * Double(full)
        let cells = grid.tokens(mergeSize: v.mergeSize)
        work.embeddingAndMerger =
            product([patchEmbedding], rows: grid.patches, formats.vision)
            + product(merger, rows: cells, formats.vision)
        return work
    }

    /// One block: its products, and attention between so many pairs of a query and a key.
    private func block(_ grid: PatchGrid, pairs: Double) -> Work {
        // Scores and outputs, a multiply-add each for every pair and element.
        let attention = Work(4 * pairs * Double(config.vision.hiddenSize), formats.vision.attention.arithmetic)
        return product(visionBlocks(1), rows: grid.patches, formats.vision) + attention
    }

    /// Sum of the squared lengths of all windows, in patches.
    private func windowPairs(_ grid: PatchGrid) -> Double {
        let v = config.vision
        let side = v.windowCells * v.mergeSize
        func squares(_ extent: Int) -> Double {
            let rest = extent % side
            return Double(extent / side * side * side + rest * rest)
        }
        // A window is as many rows by as many columns, so the sum of products is a product of sums.
        return Double(grid.frames) * squares(grid.height) * squares(grid.width)
    }

    // MARK: Text

    /// Reading so many tokens after `past` others, with logits for the last.
    /// - Parameter chunk: tokens that go through the model at a time; weights are read once for each chunk.
    package func prefill(_ tokens: Int, past: Int = 0, chunk: Int = 512) -> Work {
        let t = config.text
        // Token i sees the past and itself. Behind the last layer's keys and values the last token alone goes on.
        let pairs =
            (Double(tokens) * Double(past) + Double(tokens) * Double(tokens + 1) / 2) * Double(t.layers - 1)
            + Double(past + tokens)
        let attention = Work(4 * pairs * Double(t.heads * t.headSize), formats.text.attention.arithmetic)
        let behindKeys = textLayers.dropFirst().map { ($0, $0.count / t.layers) }
        let all =
            textLayers.prefix(1) + behindKeys.map { Matrix(rows: $0.rows, columns: $0.columns, count: $0.count - $1) }
        let last = behindKeys.map { Matrix(rows: $0.rows, columns: $0.columns, count: $1) } + [head]
        var work =
            product(Array(all), rows: tokens, formats.text) + product(last, rows: 1, formats.text) + attention
        let passes = (tokens + chunk - 1) / max(1, chunk)
        work.bytes = Double(passes * bytes(textLayers, formats.text) + bytes([head], formats.text))
        return work
    }

    /// One step in which each of `batch` conversations, so many tokens long, gets a token.
    package func decodeStep(batch: Int = 1, context: Int) -> Work {
        let t = config.text
        let pairs = Double(batch * (context + 1))
        let attention = Work(4 * pairs * Double(t.heads * t.headSize * t.layers), formats.text.attention.arithmetic)
        var work = product(textLayers + [head], rows: batch, formats.text) + attention
        work.bytes = Double(textWeightBytes) + pairs * cacheBytesPerToken
        return work
    }

    // MARK: Cache

    package var cacheShape: KVCacheShape {
        KVCacheShape(
            layers: config.text.layers, kvHeads: config.text.keyValueHeads, headSize: config.text.headSize,
            format: formats.text.attention, storage: cacheStorage)
    }

    package var cacheBytesPerToken: Double {
        Double(backend.cacheBlockBytes(cacheShape)) / Double(backend.kvBlockTokens)
    }

    /// Bytes of a cache for so many tokens of each of `batch` conversations, in whole blocks.
    package func cacheBytes(context: Int, batch: Int = 1) -> Int {
        let blocks = (context + backend.kvBlockTokens - 1) / backend.kvBlockTokens
        return batch * blocks * backend.cacheBlockBytes(cacheShape)
    }
}
