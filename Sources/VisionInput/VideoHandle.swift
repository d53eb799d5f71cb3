internal import CVideo

/// An open video, from FFmpeg's point of view. Used by one thread at a time.
final class VideoHandle {
    private let pointer: OpaquePointer
    private let owner: (any Sendable)?
    let info: cvideo_info

    init(_ source: VideoSource, limits: VideoLimits) throws(VisionInputError.Reason) {
        guard source.size > 0 else { throw .emptyFile }
        guard source.size <= limits.maxBytes else {
            throw .tooManyBytes(found: source.size, limit: limits.maxBytes)
        }
        var settings = cvideo_limits(
            max_pixels: Int64(limits.maxPixels), seconds: limits.timeout, threads: Int32(limits.threads))
        var info = cvideo_info()
        var message = ErrorText()
        var description: cvideo_source
        switch source.storage {
        case .memory(let bytes):
            description = cvideo_source(descriptor: -1, bytes: bytes.start, size: Int64(bytes.count))
            owner = bytes
        case .file(let descriptor, let size, let keeper):
            description = cvideo_source(descriptor: descriptor, bytes: nil, size: Int64(size))
            owner = keeper
        }
        let opened = message.withBuffer { cvideo_open(&description, &settings, &info, $0, $1) }
        guard let pointer = opened else { throw .unusableVideo(reason: message.text) }
        self.pointer = pointer
        self.info = info
    }

    deinit { cvideo_close(pointer) }

    var size: PixelSize { PixelSize(width: Int(info.width), height: Int(info.height)) }
    var secondsPerUnit: Double { Double(info.base_numerator) / Double(max(1, info.base_denominator)) }

    func setDeadline(_ seconds: Double) { cvideo_set_deadline(pointer, seconds) }

    /// The next packet; nil at the end.
    func read() throws(VisionInputError.Reason) -> cvideo_packet? {
        var packet = cvideo_packet()
        switch Int(cvideo_read(pointer, &packet)) {
        case 1: return packet
        case CVIDEO_TIMED_OUT: throw .tooSlow
        default: return nil
        }
    }

    func seek(_ time: Int64) -> Bool { cvideo_seek(pointer, time) == 0 }

    enum Sent { case taken, full, damaged }
    func send(frameWanted: Bool) -> Sent {
        switch cvideo_send(pointer, frameWanted ? 1 : 0) {
        case 0: .taken
        case 1: .full
        default: .damaged
        }
    }

    func drain() { cvideo_drain(pointer) }

    /// The next frame's time; nil where there is none at present.
    func receive() throws(VisionInputError.Reason) -> Int64? {
        var time: Int64 = 0
        while true {
            switch Int(cvideo_receive(pointer, &time)) {
            case 1: return time
            case 0: return nil
            case CVIDEO_TIMED_OUT: throw .tooSlow
            // A damaged frame; the next one may be whole.
            default: continue
            }
        }
    }

    /// The received frame, upright; nil where it cannot be converted.
    func image() -> RGBImage? {
        let size = size
        var status: Int32 = 0
        let pixels = [UInt8](unsafeUninitializedCapacity: size.width * size.height * 3) { out, written in
            status = cvideo_rgb(pointer, out.baseAddress)
            written = status == 0 ? out.count : 0
        }
        guard status == 0, pixels.count == size.width * size.height * 3 else { return nil }
        // EXIF's numbers for the quarter turns.
        let orientation = [90: 6, 180: 3, 270: 8][info.rotation] ?? 1
        return RGBImage(width: size.width, height: size.height, pixels: pixels).upright(fromOrientation: orientation)
    }
}
