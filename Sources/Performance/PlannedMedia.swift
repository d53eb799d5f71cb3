package import Checkpoint
package import QwenVLModel
internal import VisionInput

/// A picture or a video that is planned for, by its size alone.
package struct PlannedMedia: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case picture
        /// Frames that are looked at.
        case video(frames: Int)
    }

    package let kind: Kind
    /// As it comes.
    package let width: Int
    package let height: Int
    /// As the model sees it.
    package let processedWidth: Int
    package let processedHeight: Int
    package let grid: PatchGrid

    /// - Throws: `PlanError` for a size that the model refuses.
    package static func picture(width: Int, height: Int, config: ModelConfig) throws -> PlannedMedia {
        let limits = ImageProcessorConfig()
        return try PlannedMedia(
            kind: .picture, width: width, height: height, minPixels: limits.minPixels, maxPixels: limits.maxPixels,
            config: config)
    }

    /// Frames are chosen and reduced as qwen-vl-utils 0.0.11 does it.
    /// - Throws: `PlanError`.
    package static func video(
        seconds: Double, fps: Double, width: Int, height: Int, config: ModelConfig
    ) throws -> PlannedMedia {
        // Counts in pairs, 4 to 768.
        let frames = min(max(Int((seconds * fps).rounded(.down)), 4), 768) / 2 * 2
        let cell = 28 * 28
        let total = 128_000.0 * Double(cell) * 0.9
        let least = 128 * cell
        let most = max(min(Double(768 * cell), total / Double(frames) * 2), Double(least) * 1.05)
        return try PlannedMedia(
            kind: .video(frames: frames), width: width, height: height, minPixels: least, maxPixels: Int(most),
            config: config)
    }

    private init(
        kind: Kind, width: Int, height: Int, minPixels: Int, maxPixels: Int, config: ModelConfig
    ) throws {
        let vision = config.vision
        let resize = SmartResize(
            factor: vision.patchSize * vision.mergeSize, minPixels: minPixels, maxPixels: maxPixels)
        let size: PixelSize
        do {
            size = try resize(PixelSize(width: width, height: height))
        } catch {
            throw PlanError(field: kind == .picture ? "--image" : "--video-size", reason: "\(error)")
        }
        self.kind = kind
        (self.width, self.height) = (width, height)
        (processedWidth, processedHeight) = (size.width, size.height)
        var frames = 1
        if case .video(let count) = kind { frames = count }
        grid = PatchGrid(
            frames: (frames + vision.temporalPatchSize - 1) / vision.temporalPatchSize,
            height: size.height / vision.patchSize, width: size.width / vision.patchSize)
    }

    package var frames: Int {
        if case .video(let count) = kind { return count }
        return 1
    }

    /// Pixels that are decoded, and pixels that the model sees.
    var decodedPixels: Double { Double(width * height * frames) }
    var processedPixels: Double { Double(processedWidth * processedHeight * frames) }
}

/// A question that cannot be planned for.
package struct PlanError: Error, Sendable, Equatable, CustomStringConvertible {
    package let field: String
    package let reason: String
    package var description: String { "\(field): \(reason)" }
}
