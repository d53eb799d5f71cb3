import CPUBackend
import Checkpoint
import Foundation
import QwenVLModel
import TensorCore

/// How far loading has come.
public struct LoadProgress: Sendable, Hashable {
    /// Bytes of weights read and packed.
    public var bytesDone: Int
    /// Bytes of weights in the checkpoint.
    public var bytesTotal: Int
    /// Between 0 and 1.
    public var fraction: Double { bytesTotal == 0 ? 1 : Double(bytesDone) / Double(bytesTotal) }
}

/// A checkpoint brought into memory on the compute thread.
struct LoadedModel: Sendable {
    let model: QwenVLModel
    let backend: any Backend
    let generation: GenerationConfig
}

/// Loads on the thread that will compute: packing uses the same workers as products do.
actor ModelLoader {
    private let thread: ComputeThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(thread: ComputeThread) { self.thread = thread }

    func load(
        _ path: String, options: EngineOptions, progress: (@Sendable (LoadProgress) -> Void)?
    ) throws -> LoadedModel {
        let directory = try CheckpointDirectory(path)
        let index = try directory.weights()
        let config = try directory.modelConfig(weights: index)
        let generation = try directory.generationConfig()
        let formats = try options.formats(for: config, in: path)
        let backend = try makeBackend(options)
        if let packing = config.packing, packing.text.isQuantized || packing.vision.isQuantized {
            index.advise(.largePages)
        }
        backend.setActive(true)
        defer { backend.setActive(false) }
        let model = try QwenVLModel(
            config: config, weights: WeightReader(index), backend: backend,
            formats: formats
        ) { done, total in progress?(LoadProgress(bytesDone: done, bytesTotal: total)) }
        return LoadedModel(model: model, backend: backend, generation: generation)
    }

    /// Random weights in this shape.
    func make(
        _ config: ModelConfig, options: EngineOptions, progress: (@Sendable (LoadProgress) -> Void)?
    ) throws -> LoadedModel {
        let backend = try makeBackend(options)
        backend.setActive(true)
        defer { backend.setActive(false) }
        let model = try QwenVLModel(randomOf: config, backend: backend, formats: options.formats) { done, total in
            progress?(LoadProgress(bytesDone: done, bytesTotal: total))
        }
        return LoadedModel(model: model, backend: backend, generation: GenerationConfig())
    }
}
