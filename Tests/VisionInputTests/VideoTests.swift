import Foundation
import Testing
import VisionInput

/// Videos against what decord, torchvision and FFmpeg make of the same files (Tools/vision/make_video_fixtures.py).
@Suite struct VideoTests {
    @Test(arguments: ExpectedVideos.all.videos)
    func asTheReference(_ expected: ExpectedVideos.Video) throws {
        let images = ImageProcessor(Self.config)
        let source = try Self.source(expected.clip)
        if expected.error == true {
            #expect(throws: VisionInputError.self) {
                try images.plan(source, sampler: expected.sampler, limits: VideoLimits())
            }
            return
        }
        let plan = try images.plan(source, sampler: expected.sampler, limits: VideoLimits())
        #expect(plan.index.frameCount == expected.count)
        #expect(plan.index.averageRate == expected.rate)
        #expect(plan.frames == expected.frames)
        #expect(plan.fps == expected.fps)
        #expect(plan.fetchedSize == PixelSize(width: expected.width ?? 0, height: expected.height ?? 0))
        #expect([plan.grid.t, plan.grid.h, plan.grid.w] == expected.grid)
        // decord decodes with its own copy of FFmpeg: the frames are equal to the bit.
        let reader = VideoFrameReader(source, index: plan.index, frames: plan.frames, limits: VideoLimits())
        var stored: [UInt8] = []
        while let frame = try reader.read() { stored += frame.pixels }
        #expect(ContentHash(stored).description == expected.stored_sha256)
        #expect(reader.repeatedFrames == 0)
        try compareFirst(expected, plan)
    }

    /// Single precision leaves the last bit of a sum open, and so a step where it is rounded.
    private func compareFirst(_ expected: ExpectedVideos.Video, _ plan: VideoPlan) throws {
        guard let first = expected.first else { return }
        let bytes = try #require(Data(base64Encoded: first))
        let theirs = [UInt8](bytes)
        let ours = try #require(try VideoSliceReader(plan, config: ImageProcessorConfig()).readFrame()).pixels
        #expect(ours.count == theirs.count)
        let differences = zip(ours, theirs).map { abs(Int($0) - Int($1)) }
        #expect((differences.max() ?? 0) <= 1)
        #expect(differences.filter { $0 > 0 }.count * 1000 <= differences.count)
    }

    /// Frame by frame, where decord's jumps miss or it does not open the file.
    @Test(arguments: ExpectedVideos.all.decoded)
    func everyFrame(_ expected: ExpectedVideos.Decoded) throws {
        let source = try Self.source(expected.clip)
        let index = try VideoIndex(source, limits: VideoLimits())
        #expect(index.frameCount == expected.sha256.count)
        for frames in [Array(0..<index.frameCount), [index.frameCount - 1], [1, index.frameCount / 2]] {
            let reader = VideoFrameReader(source, index: index, frames: frames, limits: VideoLimits())
            for frame in frames {
                let image = try #require(try reader.read())
                #expect(ContentHash(image.pixels).description == expected.sha256[frame], "frame \(frame)")
            }
            #expect(try reader.read() == nil)
        }
    }

    @Test(arguments: ExpectedVideos.all.sampling)
    func sampling(_ expected: ExpectedVideos.Sampling) throws {
        let sampler = expected.options.sampler
        let (indices, _) = try sampler.frames(count: expected.count, rate: expected.rate)
        #expect(indices.count == expected.frames)
        let hash = indices.map { Int64($0) }.withUnsafeBytes { ContentHash($0) }
        #expect(hash.description == expected.indices_sha256)
        let size = try sampler.size(
            of: PixelSize(width: expected.width, height: expected.height), frames: indices.count)
        #expect([size.height, size.width] == expected.resized)
    }

    /// A jump leads to the same frames as reading through, and decodes less.
    @Test(arguments: ["clip-30fps.mp4", "clip-2997.mkv", "clip-vp9.webm", "clip.ts"])
    func jumps(_ clip: String) throws {
        let source = try Self.source(clip)
        let index = try VideoIndex(source, limits: VideoLimits())
        let all = VideoFrameReader(
            source, index: index, frames: Array(0..<index.frameCount), limits: VideoLimits())
        var frames: [RGBImage] = []
        while let frame = try all.read() { frames.append(frame) }
        #expect(frames.count == index.frameCount)
        for chosen in [[0, index.frameCount - 1], [index.frameCount - 2], [3, 3, 30], [25, 26]] {
            let reader = VideoFrameReader(source, index: index, frames: chosen, limits: VideoLimits())
            for frame in chosen { #expect(try reader.read() == frames[frame], "frame \(frame) of \(chosen)") }
            #expect(reader.packetsDecoded < index.frameCount)
        }
    }

    @Test func oneFrameIsAVideoOfTwoAlike() throws {
        let plan = try Self.plan("one-frame.mp4")
        #expect(plan.frames == [0, 0])
        #expect(plan.grid.t == 1)
        let reader = VideoSliceReader(plan, config: ImageProcessorConfig())
        let first = try #require(try reader.readFrame())
        #expect(try reader.readFrame() == first)
        #expect(try reader.readFrame() == nil)
    }

    @Test func audioIsNoVideo() throws {
        let error = #expect(throws: VisionInputError.self) { try Self.plan("audio-only.m4a") }
        #expect(error?.reason == .unusableVideo(reason: "it has no moving pictures"))
    }

    @Test func rotationIsApplied() throws {
        let upright = try Self.firstFrame("clip-30fps.mp4")
        let right = try Self.firstFrame("rotated-90.mp4")
        let left = try Self.firstFrame("rotated-270.mp4")
        #expect(right.size == PixelSize(width: upright.height, height: upright.width))
        #expect(left.size == right.size)
        // The top left corner goes to the top right, and to the bottom left.
        let corner = Array(upright.pixels[..<3])
        #expect(Array(right.pixels[(right.width - 1) * 3..<right.width * 3]) == corner)
        #expect(
            Array(left.pixels[(left.height - 1) * left.width * 3..<((left.height - 1) * left.width + 1) * 3]) == corner)
    }

    @Test func timesAreTheFiles() throws {
        let plan = try Self.plan("clip-vfr.mp4")
        let times = plan.timestamps
        #expect(times.first == 0)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
        // The frames lie unevenly: their times are not those that the average rate would give.
        #expect(zip(plan.frames, times).contains { abs(Double($0) / plan.index.averageRate - $1) > 0.02 })
    }

    /// Slices taken from the middle are the slices of the whole.
    @Test func aReaderCanBeginLater() throws {
        let plan = try Self.plan("clip-30fps.mp4") { $0.fps = 6 }
        let whole = VideoSliceReader(plan, config: ImageProcessorConfig())
        var slices: [[Float]] = []
        while let slice = try whole.readSlice() { slices.append(slice) }
        #expect(slices.count == plan.grid.t)
        for first in [1, slices.count - 1] {
            let later = VideoSliceReader(plan, config: ImageProcessorConfig(), first: first)
            for slice in slices[first...] { #expect(try later.readSlice() == slice) }
            #expect(try later.readSlice() == nil)
        }
    }

    @Test func vectorCodeGivesPlainCodesBits() {
        var generator = Generator(seed: 7)
        for (width, height, toWidth, toHeight) in [
            (97, 61, 28, 56), (64, 48, 168, 112), (5, 3, 56, 28), (320, 181, 196, 112), (56, 28, 56, 84),
        ] {
            let image = RGBImage(
                width: width, height: height,
                pixels: (0..<width * height * 3).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
            let resample = TorchResample(from: image.size, to: PixelSize(width: toWidth, height: toHeight))
            #expect(resample(image) == resample.resizeGeneric(image))
        }
    }

    // MARK: Support

    /// Small enough that the second resizing has something to do for no clip, as in the fixtures.
    static let config: ImageProcessorConfig = {
        var config = ImageProcessorConfig()
        config.maxPixels = 28 * 28 * 1280
        return config
    }()

    static func source(_ clip: String) throws -> VideoSource {
        VideoSource(try LocalFile(path: Fixture.path("Videos/\(clip)")))
    }

    static func plan(_ clip: String, _ change: (inout FrameSampler) -> Void = { _ in }) throws -> VideoPlan {
        var sampler = FrameSampler()
        change(&sampler)
        return try ImageProcessor().plan(source(clip), sampler: sampler, limits: VideoLimits())
    }

    private static func firstFrame(_ clip: String) throws -> RGBImage {
        let source = try source(clip)
        let index = try VideoIndex(source, limits: VideoLimits())
        return try #require(
            try VideoFrameReader(source, index: index, frames: [0], limits: VideoLimits()).read())
    }
}

/// What make_video_fixtures.py recorded.
struct ExpectedVideos: Decodable {
    struct Options: Decodable {
        let fps: Double?
        let nframes: Int?
        let min_frames: Int?
        let max_frames: Int?
        let video_start: Double?
        let video_end: Double?
        let total_pixels: Int?
        let min_pixels: Int?
        let max_pixels: Int?
        let resized_height: Int?
        let resized_width: Int?

        var sampler: FrameSampler {
            var sampler = FrameSampler()
            (sampler.fps, sampler.frameCount) = (fps, nframes)
            (sampler.minFrames, sampler.maxFrames) = (min_frames, max_frames)
            (sampler.start, sampler.end) = (video_start, video_end)
            (sampler.totalPixels, sampler.minPixels, sampler.maxPixels) = (total_pixels, min_pixels, max_pixels)
            (sampler.resizedHeight, sampler.resizedWidth) = (resized_height, resized_width)
            return sampler
        }
    }

    struct Video: Decodable, CustomTestStringConvertible {
        let clip: String
        let options: Options
        let error: Bool?
        let count: Int
        let rate: Double
        let frames: [Int]?
        let fps: Double?
        let stored_sha256: String?
        let height: Int?
        let width: Int?
        let grid: [Int]?
        let first: String?

        var sampler: FrameSampler { options.sampler }
        var testDescription: String { "\(clip) \(frames ?? [])" }
    }

    struct Decoded: Decodable, CustomTestStringConvertible {
        let clip: String
        let sha256: [String]
        var testDescription: String { clip }
    }

    struct Sampling: Decodable, CustomTestStringConvertible {
        let count: Int
        let rate: Double
        let height: Int
        let width: Int
        let options: Options
        let frames: Int
        let resized: [Int]
        let indices_sha256: String
        var testDescription: String { "\(count) frames, \(rate) a second, to \(frames) of \(resized)" }
    }

    let videos: [Video]
    let decoded: [Decoded]
    let sampling: [Sampling]

    static let all: ExpectedVideos = {
        do {
            return try JSONDecoder().decode(ExpectedVideos.self, from: Fixture.data("Videos/expected.json"))
        } catch {
            preconditionFailure("Videos/expected.json: \(error)")
        }
    }()
}
