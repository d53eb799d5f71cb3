internal import Foundation

/// Which frames of a video the model sees, and how large, as qwen-vl-utils 0.0.11 chooses them with decord as its reader
/// (`vision_process.py`: calculate_video_frame_range, smart_nframes, _read_video_decord, fetch_video).
package struct FrameSampler: Sendable, Hashable {
    /// Frames per second to sample; nil for 2. Excludes `frameCount`.
    package var fps: Double?
    package var frameCount: Int?
    package var minFrames: Int?
    package var maxFrames: Int?
    package var minPixels: Int?
    package var maxPixels: Int?
    package var totalPixels: Int?
    package var resizedHeight: Int?
    package var resizedWidth: Int?
    /// Seconds.
    package var start: Double?
    package var end: Double?

    package init() {}

    // qwen-vl-utils' own numbers; it knows no checkpoint.
    private static let factor = 28
    private static let defaultMinPixels = 128 * 28 * 28
    private static let largestMaxPixels = 768 * 28 * 28
    private static let defaultTotalPixels = Int(128_000 * 28 * 28 * 0.9)
    private static let imageMinPixels = 4 * 28 * 28
    private static let imageMaxPixels = 16384 * 28 * 28
    private static let frameFactor = 2
    private static let defaultFPS = 2.0
    private static let defaultMinFrames = 4
    private static let defaultMaxFrames = 768

    /// Indices in ascending order, an even count.
    package func frames(of video: VideoIndex) throws(VisionInputError.Reason) -> (indices: [Int], fps: Double) {
        try frames(count: video.frameCount, rate: video.averageRate)
    }

    package func frames(
        count: Int, rate: Double
    ) throws(VisionInputError.Reason) -> (indices: [Int], fps: Double) {
        try validate()
        // The reference refuses it; a video of one frame is two alike, as lists of frames make it.
        if count == 1 { return ([0, 0], Self.defaultFPS) }
        let range = try range(count: count, rate: rate)
        let wanted = try frameCount(of: range.count, rate: rate)
        let indices = Self.evenlySpaced(from: range.lowerBound, through: range.upperBound - 1, count: wanted)
        return (indices, Double(wanted) / max(Double(range.count), 1e-6) * rate)
    }

    private func range(count: Int, rate: Double) throws(VisionInputError.Reason) -> Range<Int> {
        guard start != nil || end != nil else { return 0..<count }
        let duration = Double(count) / rate
        let first = start.map { Int((max(0, min($0, duration)) * rate).rounded(.up)) } ?? 0
        let last = end.map { min(Int((max(0, min($0, duration)) * rate).rounded(.down)), count - 1) } ?? count - 1
        guard first < last else {
            throw .invalidValue(
                field: end == nil ? "video_start" : "video_end",
                expected: "two frames at least between video_start and video_end",
                found: "frames \(first) to \(last) of \(count), \(rate) a second")
        }
        return first..<last + 1
    }

    private func frameCount(of total: Int, rate: Double) throws(VisionInputError.Reason) -> Int {
        let factor = Double(Self.frameFactor)
        let count: Double
        if let frameCount {
            count = (Double(frameCount) / factor).rounded(.toNearestOrEven) * factor
        } else {
            let least = (Double(minFrames ?? Self.defaultMinFrames) / factor).rounded(.up) * factor
            let most =
                (Double(maxFrames ?? min(Self.defaultMaxFrames, total)) / factor).rounded(.down) * factor
            let sampled = Double(total) / rate * (fps ?? Self.defaultFPS)
            count = (min(min(max(sampled, least), most), Double(total)) / factor).rounded(.down) * factor
        }
        guard count >= factor, count <= Double(total) else {
            throw .invalidValue(
                field: frameCount != nil ? "nframes" : maxFrames != nil ? "max_frames" : "fps",
                expected: "from 2 to \(total) frames of this video", found: "\(count)")
        }
        return Int(count)
    }

    /// `torch.linspace(first, last, count).round()`: in single precision, counted from both ends, each value rounded once.
    static func evenlySpaced(from first: Int, through last: Int, count: Int) -> [Int] {
        let (start, end) = (Float(first), Float(last))
        let step = (end - start) / Float(count - 1)
        return (0..<count).map { i in
            let value =
                i < count / 2 ? start.addingProduct(step, Float(i)) : end.addingProduct(-step, Float(count - i - 1))
            return Int(value.rounded(.toNearestOrEven))
        }
    }

    /// The size that frames are brought to.
    package func size(of frame: PixelSize, frames: Int) throws(VisionInputError.Reason) -> PixelSize {
        if let resizedHeight, let resizedWidth {
            return try SmartResize(factor: Self.factor, minPixels: Self.imageMinPixels, maxPixels: Self.imageMaxPixels)(
                PixelSize(width: resizedWidth, height: resizedHeight))
        }
        let least = minPixels ?? Self.defaultMinPixels
        let share = Double(totalPixels ?? Self.defaultTotalPixels) / Double(frames) * Double(Self.frameFactor)
        let limit = max(min(Double(Self.largestMaxPixels), share), (Double(least) * 1.05).rounded(.down))
        let most = min(maxPixels.map(Double.init) ?? limit, limit)
        return try SmartResize(factor: Self.factor, minPixels: least, maxPixels: 1)(frame, maxPixels: most)
    }

    private func validate() throws(VisionInputError.Reason) {
        let counts = [
            ("nframes", frameCount), ("min_frames", minFrames), ("max_frames", maxFrames), ("min_pixels", minPixels),
            ("max_pixels", maxPixels), ("total_pixels", totalPixels), ("resized_height", resizedHeight),
            ("resized_width", resizedWidth),
        ]
        for case (let field, let value?) in counts where value <= 0 {
            throw .invalidValue(field: field, expected: "a positive integer", found: "\(value)")
        }
        if let fps, !(fps > 0 && fps.isFinite) {
            throw .invalidValue(field: "fps", expected: "a positive number", found: "\(fps)")
        }
        for case (let field, let value?) in [("video_start", start), ("video_end", end)] where !value.isFinite {
            throw .invalidValue(field: field, expected: "seconds", found: "\(value)")
        }
        if fps != nil, frameCount != nil {
            throw .invalidValue(field: "fps", expected: "either fps or nframes", found: "both")
        }
        guard (resizedHeight == nil) == (resizedWidth == nil) else {
            let missing = resizedHeight == nil ? "resized_height" : "resized_width"
            throw .invalidValue(field: missing, expected: "a value, as its counterpart has one", found: "none")
        }
    }
}
