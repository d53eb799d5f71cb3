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
        vision = try VisionTower(
            config: config.vision,
            loader: WeightLoader(reader: weights["visual"], backend: backend, format: formats.vision, meter: meter))
        let root = WeightLoader(reader: weights, backend: backend, format: formats.text, meter: meter)
        text = try TextDecoder(config: config.text, loader: root["model"], head: root)
        try weights.finish()
        meter.finish()
    }

    /// The picture's or video's rows for the language model.
    /// - Parameter patches: [grid.patches, 1176 in the official models], as the processor lays them out.
    /// - Returns: [grid.patches / mergeSize², hidden]
    package func encode(
        _ patches: Tensor, grid: PatchGrid, backend: any Backend, trace: ActivationTrace? = nil
    ) -> Tensor {
        vision.encode(patches, grid: grid, backend: backend, trace: trace)
    }

    /// Takes new tokens of some sequences through the language model; their keys and values join the cache.
    /// - Returns: logits [step.logitRows.count, vocabulary], float32
    package func forward(
        _ step: TextStep, cache: any KVCache, backend: any Backend, trace: ActivationTrace? = nil
    ) -> Tensor {
        text.forward(step, cache: cache, backend: backend, trace: trace)
    }

    /// The cache that this model's sequences need.
    package var cacheShape: KVCacheShape {
        KVCacheShape(
            layers: config.text.layers, kvHeads: config.text.keyValueHeads, headSize: config.text.headSize,
            format: formats.text)
    }
}
