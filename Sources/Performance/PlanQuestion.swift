import CPUBackend
import Checkpoint
import Foundation
package import QwenVL

/// What a person asks about a plan; `plan()` looks the rest up.
package struct PlanQuestion: Sendable {
    package struct Video: Sendable {
        let seconds: Double
        let fps: Double
        let size: NoiseRequest.PictureSize

        package init(seconds: Double, fps: Double, size: NoiseRequest.PictureSize) {
            (self.seconds, self.fps, self.size) = (seconds, fps, size)
        }
    }

    /// A directory, a published size, or a name that tells one.
    let model: String
    let pictures: [NoiseRequest.PictureSize]
    let video: Video?
    let textTokens: Int
    let context: Int?
    let batch: Int
    let options: EngineOptions

    package init(
        model: String, pictures: [NoiseRequest.PictureSize], video: Video?, textTokens: Int, context: Int?, batch: Int,
        options: EngineOptions
    ) {
        (self.model, self.pictures, self.video) = (model, pictures, video)
        (self.textTokens, self.context, self.batch, self.options) = (textTokens, context, batch, options)
    }

    /// Measures the machine and plans.
    /// - Throws: `PlanError`, `QwenVLError`.
    package func plan() throws -> Plan {
        let (label, config) = try lookUp()
        var request = PlanRequest(
            label: label, config: config, formats: try options.formats(for: config, in: label))
        request.cacheStorage = options.kvCache.storage
        request.media = try pictures.map {
            try PlannedMedia.picture(width: $0.width, height: $0.height, config: config)
        }
        if let video {
            request.media.append(
                try PlannedMedia.video(
                    seconds: video.seconds, fps: video.fps, width: video.size.width, height: video.size.height,
                    config: config))
        }
        (request.textTokens, request.context, request.batch) = (textTokens, context, batch)
        let backend = try CPUBackend(threads: options.threads)
        return try Plan(request, backend: backend, limits: .measure(threads: backend.threads))
    }

    private func lookUp() throws -> (String, ModelConfig) {
        // A name that tells the size stands for a model that is not here.
        if let shape = OfficialShape(modelName: model), !FileManager.default.fileExists(atPath: model) {
            return ("Qwen2.5-VL \(shape.label)", try shape.config)
        }
        do {
            return (model, try CheckpointDirectory(model).modelConfig())
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }
}
