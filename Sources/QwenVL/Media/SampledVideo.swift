import Foundation
import VisionInput

/// The frames of a video as the model sees them: chosen, turned upright and resized. No model is needed.
public struct SampledVideo: Sendable {
    private let plan: VideoPlan
    private let config: ImageProcessorConfig

    /// One frame.
    public struct Frame: Sendable {
        /// Its place among the sampled frames, from 0.
        public let number: Int
        /// Its place among the frames of the file, from 0.
        public let index: Int
        /// When it is shown, in seconds from the first frame of the file.
        public let time: Double
        /// What the model sees.
        public let pixels: PixelBuffer
    }

    /// Looks at a video file and chooses its frames; decodes nothing yet.
    /// - Parameter options: its limits on pixels and its policy count.
    /// - Throws: ``QwenVLError``.
    public init(_ part: VideoPart, options: ProcessorOptions = ProcessorOptions()) async throws {
        do {
            try options.validate()
            var config = ImageProcessorConfig()
            config.minPixels = options.minPixels ?? config.minPixels
            config.maxPixels = options.maxPixels ?? config.maxPixels
            let loader = MediaLoader(policy: options.media)
            guard case .file(let source) = part.source else {
                throw InputError(field: "video", expected: "a video file", found: "a list of frames")
            }
            let video = try await loader.video(source, field: "video")
            let images = ImageProcessor(config)
            self.config = config
            plan = try await PictureThreads().run {
                try images.plan(video, sampler: FrameSampler(part), limits: loader.videoLimits)
            }
        } catch let error as VisionInputError {
            throw QwenVLError(error, field: "video")
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// Frames sampled; an even number.
    public var count: Int { plan.frames.count }
    /// Frames in the file.
    public var storedFrames: Int { plan.index.frameCount }
    /// Frames per second in the file, on average.
    public var storedFPS: Double { plan.index.averageRate }
    /// Frames per second as sampled.
    public var fps: Double { plan.fps }
    /// Width and height as stored, upright, in pixels.
    public var originalSize: (width: Int, height: Int) { (plan.originalSize.width, plan.originalSize.height) }
    /// Width and height as the model sees it, in pixels.
    public var processedSize: (width: Int, height: Int) { (plan.processedSize.width, plan.processedSize.height) }
    /// Tokens that the language model gets.
    public var tokens: Int { plan.grid.tokenCount(mergeSize: config.mergeSize) }

    /// Decodes the frames in order, one in memory at a time. Blocks the calling thread.
    /// - Throws: ``QwenVLError``; what `body` throws.
    public func forEachFrame(_ body: (Frame) throws -> Void) throws {
        let reader = VideoSliceReader(plan, config: config)
        for (number, index) in plan.frames.enumerated() {
            let image: RGBImage?
            do { image = try reader.readFrame() } catch { throw QwenVLError(error, field: "video") }
            guard let image else { return }
            let pixels = try PixelBuffer(
                width: image.width, height: image.height, format: .rgb, data: Data(image.pixels))
            try body(Frame(number: number, index: index, time: plan.index.time(ofFrame: index), pixels: pixels))
        }
    }
}

extension PixelBuffer {
    /// Writes an RGB picture as a PNG file.
    /// - Throws: ``QwenVLError`` when the file cannot be written.
    public func writePNG(to path: String) throws {
        do {
            try PNGWriter.write(RGBImage(self), to: path)
        } catch {
            throw QwenVLError.machine("\(error)")
        }
    }
}
