package import Checkpoint
package import TensorCore

/// Qwen2.5-VL's arithmetic: immutable once loaded. What a conversation remembers lives outside (`KVCache`, `TextStep`).
package struct QwenVLModel: Sendable {
    /// Formats of the two halves.
    package struct Formats: Sendable, Hashable {
        package var text: WeightFormat
        package var vision: WeightFormat
        package init(text: WeightFormat, vision: WeightFormat) {
            self.text = text
            self.vision = vision
        }

        /// Bytes that a model's matrices take in memory.
        package func byteCount(_ config: ModelConfig) -> Int {
            let (text, vision) = config.matrixElements
            return Int((Double(text) * self.text.bitsPerWeight + Double(vision) * self.vision.bitsPerWeight) / 8)
        }
    }

    package let config: ModelConfig
    package let formats: Formats
    private let vision: VisionTower
    private let text: TextDecoder

    /// Reads every tensor of the checkpoint once.
    /// - Parameter progress: bytes of weights packed, of how many.
    /// - Throws: `CheckpointError` for a tensor that is missing, misshapen or left over; what the backend throws.
    package init(
        config: ModelConfig, weights: WeightReader, backend: any Backend, formats: Formats,
        progress: @escaping (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        self.config = config
        self.formats = formats
        let meter = LoadMeter(total: weights.totalBytes, report: progress)
        let root = WeightLoader(source: .checkpoint(weights), backend: backend, format: formats.text, meter: meter)
        (vision, text) = try Self.halves(config: config, root: root, visionFormat: formats.vision)
        try weights.finish()
        meter.finish()
    }

    /// A model of random weights, made in memory in the formats asked for: for measuring shapes.
    /// - Parameter progress: bytes of weights made, of how many.
    package init(
        randomOf config: ModelConfig, backend: any Backend, formats: Formats,
        progress: @escaping (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        var config = config
        config.packing = nil
        self.config = config
        self.formats = formats
        let meter = LoadMeter(total: formats.byteCount(config), report: progress)
        let root = WeightLoader(
            source: .random(RandomSeeds()), backend: backend, format: formats.text, meter: meter)
        (vision, text) = try Self.halves(config: config, root: root, visionFormat: formats.vision)
        meter.finish()
    }

    private static func halves(
        config: ModelConfig, root: WeightLoader, visionFormat: WeightFormat
    ) throws -> (VisionTower, TextDecoder) {
        var (visual, root) = (root["visual"], root)
        visual.format = visionFormat
        visual.isPacked = config.packing?.vision.isQuantized ?? false
        root.isPacked = config.packing?.text.isQuantized ?? false
        return (
            try VisionTower(config: config.vision, loader: visual),
            try TextDecoder(config: config.text, loader: root["model"], head: root)
        )
    }

    /// The picture's or video's rows for the language model.
    /// - Parameter patches: [grid.patches, 1176 in the official models], as the processor lays them out.
    /// - Returns: [grid.patches / mergeSize², hidden]
    package func encode(
        _ patches: Tensor, grid: PatchGrid, backend: any Backend, trace: ActivationTrace? = nil
    ) -> Tensor {
        vision.encode(patches, grid: grid, backend: backend, trace: trace)
    }

    /// Begins the same work, to be done a block at a time.
    package func beginEncoding(
        _ patches: Tensor, grid: PatchGrid, backend: any Backend, trace: ActivationTrace? = nil
    ) -> VisionPass {
        vision.begin(patches, grid: grid, backend: backend, trace: trace)
    }

    /// Does the next block.
    package func advance(_ pass: inout VisionPass, backend: any Backend, trace: ActivationTrace? = nil) {
        vision.advance(&pass, backend: backend, trace: trace)
    }

    /// What ``encode(_:grid:backend:trace:)`` gives, once the pass is complete.
    package func finish(_ pass: VisionPass, backend: any Backend, trace: ActivationTrace? = nil) -> Tensor {
        vision.finish(pass, backend: backend, trace: trace)
    }

    /// Takes new tokens of some sequences through the language model; their keys and values join the cache.
    /// - Returns: logits [step.logitRows.count, vocabulary], float32
    package func forward(
        _ step: TextStep, cache: any KVCache, backend: any Backend, trace: ActivationTrace? = nil
    ) -> Tensor {
        text.forward(step, cache: cache, backend: backend, trace: trace)
    }

    /// The cache that this model's sequences need.
    package func cacheShape(_ storage: KVCacheStorage) -> KVCacheShape {
        KVCacheShape(
            layers: config.text.layers, kvHeads: config.text.keyValueHeads, headSize: config.text.headSize,
            format: formats.text.attention, storage: storage)
    }
}
