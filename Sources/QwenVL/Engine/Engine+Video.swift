import QwenVLModel
import TensorCore
import VisionInput

/// A long video on its way through a sequence: which slices of time are encoded and not yet read by the model.
final class VideoProgress {
    let feed: VideoFeed
    /// Rows of the slices that wait for their tokens' turn.
    var rows: [Int: Tensor] = [:]

    init(feed: VideoFeed) { self.feed = feed }
    deinit { feed.stop() }
}

/// Long videos through the vision tower, slice by slice.
extension Engine {
    /// How many of the next `count` tokens can be read now: those of a long video only as far as it is decoded. What is
    /// decoded of them goes through the vision tower here.
    /// - Throws: what is wrong with the video.
    func readable(_ count: Int, of sequence: RunningSequence) throws -> Int {
        let range = sequence.cached..<sequence.cached + count
        for (index, media) in sequence.request.prompt.media.enumerated() {
            guard case .video(let plan) = media.content else { continue }
            let overlap = media.tokens.clamped(to: range)
            guard !overlap.isEmpty else {
                if media.tokens.upperBound <= range.lowerBound { sequence.videos[index] = nil }
                continue
            }
            let perSlice = media.tokens.count / media.grid.frames
            let first = (overlap.lowerBound - media.tokens.lowerBound) / perSlice
            let last = (overlap.upperBound - 1 - media.tokens.lowerBound) / perSlice
            let progress = progress(of: plan, at: index, from: first, in: sequence)
            let end = try encode(first...last, of: media, progress, for: sequence)
            if end <= last { return max(0, media.tokens.lowerBound + end * perSlice - range.lowerBound) }
        }
        return count
    }

    /// A sequence that lost its place in the cache begins its video again where it is needed.
    private func progress(
        of plan: VideoPlan, at index: Int, from slice: Int, in sequence: RunningSequence
    ) -> VideoProgress {
        if let known = sequence.videos[index] {
            known.rows = known.rows.filter { $0.key >= slice }
            if known.feed.next <= slice || known.rows[slice] != nil { return known }
        }
        let feed = VideoFeed(plan, config: processor.images.config, first: slice) { [wakeup] in wakeup.notify() }
        let progress = VideoProgress(feed: feed)
        sequence.videos[index] = progress
        return progress
    }

    /// Encodes slices as far as they are decoded.
    /// - Returns: the first one that is not.
    private func encode(
        _ slices: ClosedRange<Int>, of media: PreparedMedia, _ progress: VideoProgress, for sequence: RunningSequence
    ) throws -> Int {
        var slice = slices.lowerBound
        while slice <= slices.upperBound {
            if progress.rows[slice] != nil {
                slice += 1
                continue
            }
            // What another sequence has read meanwhile is passed over.
            while progress.feed.next < slice {
                guard case .slice = try progress.feed.take() else { return slice }
            }
            var patches: [Float] = []
            var count = 0
            while slice + count <= slices.upperBound, count < Self.slicesAtOnce(media.grid),
                case .slice(let next) = try progress.feed.take()
            {
                patches += next
                count += 1
            }
            if count == 0 { return slice }
            let grid = PatchGrid(frames: count, height: media.grid.height, width: media.grid.width)
            let rows = encode(patches, grid: grid, for: sequence)
            let each = rows.rows / count
            for i in 0..<count { progress.rows[slice + i] = rows.rows(i * each..<(i + 1) * each) }
            slice += count
        }
        return slice
    }

    /// Slices do not see each other in the vision tower. 1024 patches keep its products at full rate, and whoever
    /// waits for a token does so for no longer than a picture of that size takes.
    private static func slicesAtOnce(_ grid: PatchGrid) -> Int { max(1, 1024 / (grid.height * grid.width)) }

    /// The rows of a long video's tokens, slice by slice; `readable` has encoded every slice that they touch.
    /// - Parameter firstRow: what is added to a token's place to give its row in the step.
    func rows(of sequence: RunningSequence, video index: Int, tokens: Range<Int>, firstRow: Int) -> [VisionRows] {
        let media = sequence.request.prompt.media[index]
        let perSlice = media.tokens.count / media.grid.frames
        let slices =
            (tokens.lowerBound - media.tokens.lowerBound)
            / perSlice...(tokens.upperBound - 1
            - media.tokens.lowerBound) / perSlice
        return slices.map { slice in
            let start = media.tokens.lowerBound + slice * perSlice
            let part = tokens.clamped(to: start..<start + perSlice)
            guard let rows = sequence.videos[index]?.rows[slice] else {
                preconditionFailure("a slice of a video was not encoded")
            }
            return VisionRows(
                firstRow: firstRow + part.lowerBound,
                embeddings: rows.rows(part.lowerBound - start..<part.upperBound - start))
        }
    }

    private func encode(_ patches: [Float], grid: PatchGrid, for sequence: RunningSequence) -> Tensor {
        let start = ContinuousClock.now
        defer { sequence.timings.vision += start.duration(to: .now).seconds }
        let input = patches.withUnsafeBufferPointer {
            backend.makeTensor($0, rows: grid.patches, columns: $0.count / grid.patches)
        }
        visionClock?.begin()
        counted.visionEncoded += 1
        return model.encode(input, grid: grid, backend: backend, trace: visionTrace)
    }
}
