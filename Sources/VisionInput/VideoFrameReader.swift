internal import CVideo

/// Decodes chosen frames of a video, in order, and nothing that they do not need: runs of packets from a key packet to
/// the last one needed, with a jump where a key packet lies in between. Used by one thread at a time.
package final class VideoFrameReader {
    private let source: VideoSource
    private let index: VideoIndex
    private let limits: VideoLimits
    private let wanted: [Int]
    /// Where in `wanted` a frame comes first, by its time; by its number where frames have no times.
    private var places: [Int64: Int] = [:]
    private var runs: [Run] = []

    private var handle: VideoHandle?
    private var run = 0
    private var phase = Phase.starting
    /// The packet of the file that is read next.
    private var packet = 0
    /// Frames that the decoder gave since the start of the file.
    private var frames = 0

    /// The next of `wanted` to give.
    private var next = 0
    /// A frame that was decoded before its turn: those before it are missing.
    private var held: (place: Int, image: RGBImage)?
    private var last: RGBImage?

    /// Frames that could not be decoded, in whose place another stands: the one before, as decord does it.
    package private(set) var repeatedFrames = 0
    /// Packets given to the decoder.
    package private(set) var packetsDecoded = 0

    /// Packets to decode for the wanted frames up to (not including) `end`.
    private struct Run {
        /// nil: from the start of the file.
        let key: VideoIndex.KeyPacket?
        var lastPacket: Int
        var end: Int
    }

    private enum Phase { case starting, sending, draining, done }

    /// - Parameter frames: indices in ascending order; one may come several times.
    package init(_ source: VideoSource, index: VideoIndex, frames: [Int], limits: VideoLimits) {
        precondition(zip(frames, frames.dropFirst()).allSatisfy { $0 <= $1 })
        precondition(frames.allSatisfy { (0..<index.frameCount).contains($0) })
        self.source = source
        self.index = index
        self.limits = limits
        wanted = frames
        for (place, frame) in frames.enumerated() {
            let name = index.hasTimes ? index.pts(ofFrame: frame) : Int64(frame)
            if places[name] == nil { places[name] = place }
        }
        runs = plan()
    }

    /// A jump costs a new start of the decoder's threads, as much as decoding some frames.
    private static let packetsWorthAJump = 8

    private func plan() -> [Run] {
        guard index.hasTimes, !index.keys.isEmpty else {
            return [Run(key: nil, lastPacket: index.frameCount - 1, end: wanted.count)]
        }
        var runs: [Run] = []
        for (place, frame) in wanted.enumerated() {
            let packet = Int(index.shown[frame])
            let key = index.key(forFrame: frame)
            if let current = runs.last, (key?.packet ?? 0) <= current.lastPacket + Self.packetsWorthAJump {
                runs[runs.count - 1].lastPacket = max(current.lastPacket, packet)
                runs[runs.count - 1].end = place + 1
            } else {
                runs.append(Run(key: key, lastPacket: packet, end: place + 1))
            }
        }
        return runs
    }

    /// The next frame, upright, as large as it is stored; nil after the last.
    /// - Throws: where nothing can be decoded, and where it takes too long.
    package func read() throws(VisionInputError.Reason) -> RGBImage? {
        guard next < wanted.count else { return nil }
        if next > 0, wanted[next] == wanted[next - 1], let last {
            next += 1
            return last
        }
        handle?.setDeadline(limits.timeout)
        while true {
            if let held {
                let image = held.place == next ? held.image : last ?? held.image
                if held.place == next { self.held = nil } else { try countRepeated() }
                return give(image)
            }
            if run == runs.count || phase == .done && next < runs[run].end {
                if let last {
                    try countRepeated()
                    return give(last)
                }
                // Nothing was decoded yet: the first frame that comes stands for those before it.
                guard run < runs.count else { throw .unusableVideo(reason: "none of its frames can be decoded") }
            }
            try advance()
        }
    }

    /// Where more than a quarter is missing, what is shown is no longer the video; decord warns from there on.
    private func countRepeated() throws(VisionInputError.Reason) {
        repeatedFrames += 1
        guard repeatedFrames * 4 <= wanted.count || wanted.count < 4 else {
            throw .unusableVideo(reason: "\(repeatedFrames) of \(wanted.count) frames cannot be decoded")
        }
    }

    private func give(_ image: RGBImage) -> RGBImage {
        last = image
        next += 1
        return image
    }

    // MARK: Runs

    /// One step of decoding.
    private func advance() throws(VisionInputError.Reason) {
        switch phase {
        case .starting: try begin(runs[run])
        case .sending: try send(runs[run])
        case .draining: if try !receive() { phase = .done }
        case .done:
            run += 1
            phase = .starting
        }
    }

    /// Goes to where the run begins. What lies between the place that a jump leads to and the key packet is read over.
    private func begin(_ run: Run) throws(VisionInputError.Reason) {
        if let key = run.key, key.packet > 0 {
            let opened = if let handle { handle } else { try open() }
            if opened.seek(key.seekTime), try find(key, in: opened) { return }
        }
        let opened = try open()
        if let key = run.key, key.packet > 0 {
            guard try find(key, in: opened) else { throw .unusableVideo(reason: "it cannot be read a second time") }
        } else {
            packet = 0
            frames = 0
            phase = .sending
        }
    }

    private func open() throws(VisionInputError.Reason) -> VideoHandle {
        handle = nil
        let opened = try VideoHandle(source, limits: limits)
        opened.setDeadline(limits.timeout)
        handle = opened
        return opened
    }

    /// Reads up to a key packet and gives it to the decoder.
    private func find(_ key: VideoIndex.KeyPacket, in handle: VideoHandle) throws(VisionInputError.Reason) -> Bool {
        while let found = try handle.read() {
            guard found.is_key != 0, found.pts == key.pts else { continue }
            packet = key.packet
            phase = .sending
            try give(found, to: handle)
            return true
        }
        return false
    }

    private func send(_ run: Run) throws(VisionInputError.Reason) {
        guard let handle else { return }
        if try receive() { return }
        guard packet <= run.lastPacket, let found = try handle.read() else {
            handle.drain()
            phase = .draining
            return
        }
        try give(found, to: handle)
    }

    private func give(_ found: cvideo_packet, to handle: VideoHandle) throws(VisionInputError.Reason) {
        packet += 1
        packetsDecoded += 1
        // Which packets may be left out is known by their times alone.
        let isWanted = !index.hasTimes || places[found.pts] != nil
        // A decoder that is full gives frames until it is not; damaged packets are left out.
        while handle.send(frameWanted: isWanted) == .full {
            guard try receive() else { return }
        }
    }

    /// Takes a frame from the decoder. False where there is none at present.
    private func receive() throws(VisionInputError.Reason) -> Bool {
        guard let handle, let time = try handle.receive() else { return false }
        let name = index.hasTimes ? time : Int64(frames)
        frames += 1
        if let place = places[name], place >= next, held == nil, let image = handle.image() { held = (place, image) }
        return true
    }
}
