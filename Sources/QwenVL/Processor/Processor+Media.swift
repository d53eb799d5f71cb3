import Foundation
import QwenVLModel
import VisionInput

/// A picture or video that is ready to take its place in a prompt.
struct DecodedMedia: Sendable {
    let content: PreparedMedia.Content
    let key: PatchKey
    /// Seconds from one grid frame of a video to the next; nil for a picture.
    let secondsPerGrid: Float?
    let original: PixelSize
    let processed: PixelSize
    let video: VideoReport?

    var isVideo: Bool { secondsPerGrid != nil }
    var grid: PatchGrid { key.grid }
}

extension Processor {
    /// Decodes, resizes and cuts up all of a prompt's pictures, a few at a time. Long videos are only looked at; they
    /// are decoded while the model works.
    /// - Throws: ``QwenVLError`` of the first in order that cannot be used.
    func decode(_ requests: [MediaRequest]) async throws -> [DecodedMedia] {
        try await inOrder(requests.map { request in { try await decode(request) } })
    }

    private func decode(_ request: MediaRequest) async throws -> DecodedMedia {
        do {
            return try await pictureThreads.run { [self] in
                switch request.content {
                case .picture(let picture): try DecodedMedia(images.process(picture))
                case .frames(let frames, let fps): try decode(frames, fps: fps)
                case .video(let source, let sampler): try decode(source, sampler: sampler)
                }
            }
        } catch let error as VisionInputError {
            throw QwenVLError(error, field: request.field)
        }
    }

    private func decode(_ frames: [ImageRequest], fps: Double) throws -> DecodedMedia {
        let patches = try images.process(frames: frames)
        let perGrid = images.config.temporalPatchSize
        let seconds = Double(perGrid) / fps
        return DecodedMedia(
            patches, secondsPerGrid: Float(seconds),
            video: VideoReport(
                frames: patches.grid.t * perGrid, fps: fps, secondsPerGrid: seconds, timestamps: nil))
    }

    private func decode(_ source: VideoSource, sampler: FrameSampler) throws -> DecodedMedia {
        let plan = try images.plan(source, sampler: sampler, limits: loader.videoLimits)
        let seconds = Double(images.config.temporalPatchSize) / plan.fps
        let content: PreparedMedia.Content
        if plan.grid.patchCount * images.config.valuesPerPatch <= options.valuesAtOnce {
            var patches: [Float] = []
            let reader = VideoSliceReader(plan, config: images.config)
            while let slice = try reader.readSlice() { patches += slice }
            content = .patches(patches)
        } else {
            content = .video(plan)
        }
        return DecodedMedia(
            content: content,
            key: PatchKey(
                contentHash: plan.contentHash,
                grid: PatchGrid(frames: plan.grid.t, height: plan.grid.h, width: plan.grid.w)),
            secondsPerGrid: Float(seconds), original: plan.originalSize, processed: plan.processedSize,
            video: VideoReport(
                frames: plan.frames.count, fps: plan.fps, secondsPerGrid: seconds, timestamps: plan.timestamps))
    }
}

extension DecodedMedia {
    init(_ patches: VisionPatches, secondsPerGrid: Float? = nil, video: VideoReport? = nil) {
        self.init(
            content: .patches(patches.pixels),
            key: PatchKey(
                contentHash: patches.contentHash,
                grid: PatchGrid(frames: patches.grid.t, height: patches.grid.h, width: patches.grid.w)),
            secondsPerGrid: secondsPerGrid, original: patches.originalSize, processed: patches.processedSize,
            video: video)
    }
}

/// Pictures are decoded on threads of their own, few at a time: each may take much memory, and Swift's own threads
/// are not to be held up.
final class PictureThreads: Sendable {
    private let queue: OperationQueue = {
        let queue = OperationQueue()
        queue.name = "qwenvl pictures"
        queue.maxConcurrentOperationCount = 2
        return queue
    }()

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.addOperation { continuation.resume(with: Result(catching: body)) }
        }
    }
}
