internal import CVideo

/// The frames of a video file, from its packets alone: nothing is decoded.
///
/// As decord counts them: one frame for each packet, in the order of their times of presentation.
package struct VideoIndex: Sendable {
    /// Frames per second on average, as the container says; from the frames' times where it says nothing.
    package let averageRate: Double
    /// The frames' size, upright.
    package let size: PixelSize
    package let container: String
    package let codec: String
    /// For each packet, in the order of the file.
    private(set) var times: [Int64] = []
    /// Packets in the order in which their frames are shown.
    private(set) var shown: [Int32] = []
    /// Packets that decoding can begin with.
    private(set) var keys: [KeyPacket] = []
    /// Whether every frame has a time of its own. Where not, frames are told apart by counting them from the start.
    let hasTimes: Bool
    private let secondsPerUnit: Double

    struct KeyPacket: Sendable {
        let packet: Int
        let pts: Int64
        /// A time that lies at the packet or before, for every container's way of seeking.
        let seekTime: Int64
    }

    package var frameCount: Int { times.count }

    /// - Throws: `VisionInputError.Reason` where the file holds no video, is larger or longer than the limits say, or
    ///   takes too long.
    package init(_ source: VideoSource, limits: VideoLimits) throws(VisionInputError.Reason) {
        let handle = try VideoHandle(source, limits: limits)
        let info = handle.info
        handle.setDeadline(limits.timeout)
        var isTimed = true
        while let packet = try handle.read() {
            guard times.count < limits.maxStoredFrames else {
                throw .tooManyFrames(found: times.count + 1, limit: limits.maxStoredFrames)
            }
            if packet.pts == CVIDEO_NO_TIME { isTimed = false }
            if packet.is_key != 0 {
                let seekTime = packet.dts == CVIDEO_NO_TIME ? packet.pts : min(packet.pts, packet.dts)
                keys.append(KeyPacket(packet: times.count, pts: packet.pts, seekTime: seekTime))
            }
            times.append(packet.pts)
            // The limit is on standing still: a long file on a slow disk may take its time.
            if times.count % 1024 == 0 { handle.setDeadline(limits.timeout) }
        }
        guard !times.isEmpty else { throw .unusableVideo(reason: "it has no frames") }
        let times = times
        // Stable, so that frames without times keep the file's order.
        let order = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        shown = order.map(Int32.init)
        hasTimes = isTimed && zip(order, order.dropFirst()).allSatisfy { times[$0] != times[$1] }
        secondsPerUnit = handle.secondsPerUnit
        container = Self.text(info.container)
        codec = Self.text(info.codec)
        let size = handle.size
        self.size = info.rotation % 180 == 0 ? size : PixelSize(width: size.height, height: size.width)
        averageRate = Self.rate(info, times: isTimed ? times : [], secondsPerUnit: secondsPerUnit)
        // What the container says of its duration may be a lie in either direction; the frames are what they are.
        let seconds =
            isTimed
            ? (Double(times.max() ?? 0) - Double(times.min() ?? 0)) * secondsPerUnit : Double(times.count) / averageRate
        guard seconds <= limits.maxDuration else { throw .tooLong(seconds: seconds, limit: limits.maxDuration) }
    }

    private static func rate(_ info: cvideo_info, times: [Int64], secondsPerUnit: Double) -> Double {
        if info.rate_numerator > 0, info.rate_denominator > 0 {
            return Double(info.rate_numerator) / Double(info.rate_denominator)
        }
        if times.count > 1, let first = times.min(), let last = times.max(), last > first {
            return Double(times.count - 1) / ((Double(last) - Double(first)) * secondsPerUnit)
        }
        // A lone frame has no rate; any makes it a video of one moment.
        return 25
    }

    /// When a frame is shown, in seconds from the first.
    package func time(ofFrame frame: Int) -> Double {
        guard hasTimes else { return Double(frame) / averageRate }
        return (Double(pts(ofFrame: frame)) - Double(pts(ofFrame: 0))) * secondsPerUnit
    }

    func pts(ofFrame frame: Int) -> Int64 { times[Int(shown[frame])] }

    /// The last key packet from which the frame can be decoded: before it in the file, and not shown after it. Frames
    /// that follow a key packet in the file but are shown before it lean on what came before.
    func key(forFrame frame: Int) -> KeyPacket? {
        let packet = Int(shown[frame])
        let pts = times[packet]
        // The first key packet behind the frame's own, by halving.
        var (low, high) = (0, keys.count)
        while low < high {
            let middle = (low + high) / 2
            if keys[middle].packet <= packet { low = middle + 1 } else { high = middle }
        }
        return keys[..<low].last { $0.pts <= pts }
    }

    private static func text<T>(_ characters: T) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
