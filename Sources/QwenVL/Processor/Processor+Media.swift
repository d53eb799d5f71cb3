import Foundation
import QwenVLModel
import VisionInput

/// A picture or video of the messages, before it is decoded.
struct MediaRequest: Sendable {
    /// Where it stands, for messages: `messages[0].content[1].image`.
    let field: String
    /// One picture, or a video's frames.
    let frames: [ImageRequest]
    /// Frames per second of a video; nil for a picture.
    let fps: Double?
}

/// A picture or video that has become patches.
struct DecodedMedia: Sendable {
    let patches: VisionPatches
    /// Seconds from one grid frame of a video to the next; nil for a picture.
    let secondsPerGrid: Float?
    var isVideo: Bool { secondsPerGrid != nil }
}

extension Processor {
    /// The pictures and videos of a conversation, in order.
    /// - Throws: ``QwenVLError/unsupported(field:reason:)`` for sources that this version does not read.
    func mediaRequests(of messages: [ChatMessage]) throws -> [MediaRequest] {
        var requests: [MediaRequest] = []
        for (index, message) in messages.enumerated() {
            for (place, part) in message.parts.enumerated() {
                let field = "messages[\(index)].content[\(place)]"
                switch part {
                case .text: continue
                case .image(let image): requests.append(try request(image, field: field + ".image"))
                case .video(let video): requests.append(try request(video, field: field + ".video"))
                }
            }
        }
        return requests
    }

    private func request(_ image: ImagePart, field: String) throws -> MediaRequest {
        var frame = ImageRequest(
            try source(image.source, field: field), orientation: options.appliesOrientation ? .applied : .ignored)
        (frame.minPixels, frame.maxPixels) = (image.minPixels, image.maxPixels)
        (frame.resizedHeight, frame.resizedWidth) = (image.resizedHeight, image.resizedWidth)
        return MediaRequest(field: field, frames: [frame], fps: nil)
    }

    /// A list of frames: each goes the way of a picture (`fetch_video` of qwen-vl-utils 0.0.11).
    private func request(_ video: VideoPart, field: String) throws -> MediaRequest {
        guard case .frames(let sources) = video.source else {
            throw QwenVLError.unsupported(
                field: field, reason: "video files are not supported yet; a list of pictures as frames is")
        }
        guard !sources.isEmpty else {
            throw InputError(field: field, expected: "a list of at least one frame", found: "none")
        }
        let frames = try sources.enumerated().map { index, media in
            var frame = ImageRequest(
                try source(media, field: "\(field)[\(index)]"),
                orientation: options.appliesOrientation ? .applied : .ignored)
            (frame.minPixels, frame.maxPixels) = (video.minPixels, video.maxPixels)
            (frame.resizedHeight, frame.resizedWidth) = (video.resizedHeight, video.resizedWidth)
            return frame
        }
        // What qwen-vl-utils assumes of frames whose rate is not told.
        return MediaRequest(field: field, frames: frames, fps: video.fps ?? 2)
    }

    private func source(_ media: MediaSource, field: String) throws -> ImageSource {
        switch media {
        case .path(let path): return .path(path)
        case .data(let data): return .data(data, name: "the picture's data")
        case .url(let url):
            throw QwenVLError.unsupported(
                field: field, reason: "pictures from the network are not supported yet (\(url))")
        case .pixels:
            throw QwenVLError.unsupported(field: field, reason: "pixels are not supported yet")
        }
    }

    /// Decodes, resizes and cuts up all of a prompt's pictures, a few at a time.
    /// - Throws: ``QwenVLError/picture(field:reason:)`` of the first in order that cannot be used.
    func decode(_ requests: [MediaRequest]) async throws -> [DecodedMedia] {
        let results = await withTaskGroup(of: (Int, Result<DecodedMedia, any Error>).self) { group in
            for (index, request) in requests.enumerated() {
                group.addTask { (index, await decode(request)) }
            }
            var results: [Int: Result<DecodedMedia, any Error>] = [:]
            for await (index, result) in group { results[index] = result }
            return results
        }
        return try requests.indices.compactMap { try results[$0]?.get() }
    }

    private func decode(_ request: MediaRequest) async -> Result<DecodedMedia, any Error> {
        do {
            let patches = try await pictureThreads.run { [images] in try images.process(frames: request.frames) }
            let seconds = request.fps.map { Float(Double(images.config.temporalPatchSize) / $0) }
            return .success(DecodedMedia(patches: patches, secondsPerGrid: seconds))
        } catch let error as VisionInputError {
            return .failure(QwenVLError.picture(field: request.field, reason: "\(error)"))
        } catch {
            return .failure(error)
        }
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
