/// A video that was looked at and not yet decoded: which frames the model sees, and how large.
package struct VideoPlan: Sendable {
    package let source: VideoSource
    package let index: VideoIndex
    package let limits: VideoLimits
    /// Ascending; one may come several times.
    package let frames: [Int]
    /// Frames per second as sampled.
    package let fps: Double
    /// After qwen-vl-utils' resizing; `processedSize` differs where the checkpoint's own limits are narrower.
    package let fetchedSize: PixelSize
    package let processedSize: PixelSize
    package let grid: GridTHW
    /// Names the patches: the file's bytes, the frames chosen and their size.
    package let contentHash: ContentHash

    /// As stored, upright.
    package var originalSize: PixelSize { index.size }
    /// When the frames are shown, in seconds from the start of the file.
    package var timestamps: [Double] { frames.map(index.time) }
    /// The model's tokens for one slice of time.
    package func tokensPerSlice(mergeSize: Int) -> Int { grid.h * grid.w / (mergeSize * mergeSize) }
}

extension ImageProcessor {
    /// Looks at a video and chooses its frames. Nothing is decoded.
    /// - Throws: `VisionInputError` where the file is no video, is beyond the limits, or lacks the frames asked for.
    package func plan(
        _ source: VideoSource, sampler: FrameSampler, limits: VideoLimits
    ) throws(VisionInputError) -> VideoPlan {
        do {
            let kind = MediaKind(sniffing: source.head)
            if case .other = kind { throw VisionInputError.Reason.unusableVideo(reason: "it is \(kind.name)") }
            let index = try VideoIndex(source, limits: limits)
            let (frames, fps) = try sampler.frames(of: index)
            guard frames.count <= limits.maxFrames else {
                throw VisionInputError.Reason.tooManyFrames(found: frames.count, limit: limits.maxFrames)
            }
            let fetched = try sampler.size(of: index.size, frames: frames.count)
            let processed = try processedSize(fetched)
            let slices = (frames.count + config.temporalPatchSize - 1) / config.temporalPatchSize
            return VideoPlan(
                source: source, index: index, limits: limits, frames: frames, fps: fps, fetchedSize: fetched,
                processedSize: processed,
                grid: GridTHW(
                    t: slices, h: processed.height / config.patchSize, w: processed.width / config.patchSize),
                contentHash: try Self.hash(source, frames: frames, sizes: [fetched, processed]))
        } catch let reason as VisionInputError.Reason {
            throw VisionInputError(source: source.name, reason)
        } catch {
            throw VisionInputError(source: source.name, .unreadable(reason: "\(error)"))
        }
    }

    private static func hash(
        _ source: VideoSource, frames: [Int], sizes: [PixelSize]
    ) throws(VisionInputError.Reason) -> ContentHash {
        var hash = ContentHash.Running()
        hash.append([UInt8]("video".utf8))
        hash.append(try source.contentHash().bytes)
        let numbers = frames + sizes.flatMap { [$0.width, $0.height] }
        numbers.withUnsafeBytes { hash.append($0) }
        return hash.finish()
    }
}

/// A planned video's patches, one slice of time after another. Used by one thread at a time.
package final class VideoSliceReader {
    private let plan: VideoPlan
    private let patchifier: Patchifier
    private let perSlice: Int
    private let frames: VideoFrameReader
    private let resample: TorchResample
    private var remaining: Int

    /// - Parameter first: the slice to begin with.
    package init(_ plan: VideoPlan, config: ImageProcessorConfig, first: Int = 0) {
        self.plan = plan
        patchifier = Patchifier(config: config)
        perSlice = config.temporalPatchSize
        let rest = Array(plan.frames.dropFirst(first * perSlice))
        frames = VideoFrameReader(plan.source, index: plan.index, frames: rest, limits: plan.limits)
        resample = TorchResample(from: plan.index.size, to: plan.fetchedSize)
        remaining = rest.count
    }

    package var repeatedFrames: Int { frames.repeatedFrames }

    /// The next frame as the model sees it; nil after the last.
    package func readFrame() throws(VisionInputError) -> RGBImage? {
        do {
            guard let frame = try frames.read() else { return nil }
            remaining -= 1
            let fetched = resample(frame)
            return plan.processedSize == plan.fetchedSize
                ? fetched : PILResample.resize(fetched, to: plan.processedSize)
        } catch {
            throw VisionInputError(source: plan.source.name, error)
        }
    }

    /// The next slice's patches, [grid.h * grid.w, values per patch]; nil after the last.
    package func readSlice() throws(VisionInputError) -> [Float]? {
        var slice: [RGBImage] = []
        while slice.count < perSlice, let frame = try readFrame() { slice.append(frame) }
        return slice.isEmpty ? nil : patchifier.patches(frames: slice).pixels
    }
}
