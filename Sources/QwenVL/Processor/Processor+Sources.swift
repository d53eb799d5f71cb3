import Foundation
import VisionInput

/// A picture or video of the messages, opened and not yet decoded.
struct MediaRequest: Sendable {
    enum Content: Sendable {
        case picture(ImageRequest)
        case frames([ImageRequest], fps: Double)
        case video(VideoSource, FrameSampler)
    }

    /// Where it stands, for messages: `messages[0].content[1].image`.
    let field: String
    let content: Content
}

/// A part of a message once its pictures are at hand: documents have become one part for each page.
private struct ResolvedPart: Sendable {
    var parts: [ContentPart]
    var requests: [MediaRequest]
}

extension Processor {
    /// Fetches what the messages name and spreads documents over their pages.
    /// - Returns: the messages as the template is to see them, and their pictures and videos in order.
    /// - Throws: ``QwenVLError`` naming the field.
    func resolve(_ messages: [ChatMessage]) async throws -> ([ChatMessage], [MediaRequest]) {
        var places: [(message: Int, part: Int, content: ContentPart)] = []
        for (index, message) in messages.enumerated() {
            for (place, part) in message.parts.enumerated() {
                if case .text = part { continue }
                places.append((index, place, part))
            }
        }
        try checkCount(places.count)
        let resolved = try await inOrder(
            places.map { place in
                let field = "messages[\(place.message)].content[\(place.part)]"
                return { try await resolve(place.content, field: field) }
            })
        try checkCount(resolved.reduce(0) { $0 + $1.requests.count })
        var result = messages
        // From the end, so that places before stay where they are.
        for (place, part) in zip(places, resolved).reversed() {
            guard case .parts(var parts) = result[place.message].content else { continue }
            parts.replaceSubrange(place.part...place.part, with: part.parts)
            result[place.message].content = .parts(parts)
        }
        return (result, resolved.flatMap(\.requests))
    }

    private func checkCount(_ count: Int) throws {
        let limit = options.media.maxItems
        guard count <= limit else {
            throw QwenVLError.mediaRefused(
                field: "messages", reason: "expected at most \(limit) pictures, pages and videos, found \(count)")
        }
    }

    private func resolve(_ part: ContentPart, field: String) async throws -> ResolvedPart {
        switch part {
        case .text: return ResolvedPart(parts: [part], requests: [])
        case .image(let image): return try await resolve(image, field: field + ".image")
        case .video(let video): return try await resolve(video, field: field + ".video")
        }
    }

    // MARK: Pictures and documents

    private func resolve(_ image: ImagePart, field: String) async throws -> ResolvedPart {
        var image = image
        image.source = try await loader.fetched(image.source, field: field)
        let source = try loader.picture(image.source, field: field)
        guard let pages = try await pages(of: image, source: source, field: field) else {
            return ResolvedPart(parts: [.image(image)], requests: [request(image, source: source, field: field)])
        }
        var result = ResolvedPart(parts: [], requests: [])
        for page in pages {
            image.pages = [page...page]
            result.parts.append(.image(image))
            result.requests.append(request(image, source: source, field: "\(field) (page \(page))"))
        }
        return result
    }

    /// The pages to show, from 1; nil where the picture is shown as it is.
    private func pages(of image: ImagePart, source: ImageSource, field: String) async throws -> [Int]? {
        let limit = options.media.maxPages
        do {
            let found: [Int]? = try await pictureThreads.run { [images] in
                guard try image.pages != nil || source.isPDF() else { return nil }
                let count = try images.decoder.pageCount(source)
                guard let wanted = image.pages else { return Array(1...count) }
                if let beyond = wanted.first(where: { $0.lowerBound < 1 || $0.upperBound > count }) {
                    throw InputError(
                        field: field + ".pages", expected: "pages from 1 to \(count)",
                        found: "\(beyond.lowerBound)-\(beyond.upperBound)")
                }
                return Array(wanted.joined().prefix(limit + 1))
            }
            guard let found, found.count > limit else { return found }
            throw QwenVLError.mediaRefused(
                field: field, reason: "expected at most \(limit) pages, found more; name some of them")
        } catch let error as VisionInputError {
            throw QwenVLError(error, field: field)
        }
    }

    private func request(_ image: ImagePart, source: ImageSource, field: String) -> MediaRequest {
        var frame = ImageRequest(source, decoding: decoding)
        frame.decoding.page = (image.pages?.first?.lowerBound ?? 1) - 1
        frame.decoding.dpi = image.dpi
        (frame.minPixels, frame.maxPixels) = (image.minPixels, image.maxPixels)
        (frame.resizedHeight, frame.resizedWidth) = (image.resizedHeight, image.resizedWidth)
        return MediaRequest(field: field, content: .picture(frame))
    }

    private var decoding: DecodeOptions {
        DecodeOptions(
            orientation: options.appliesOrientation ? .applied : .ignored,
            appliesProfile: options.appliesColorProfiles)
    }

    // MARK: Videos

    private func resolve(_ video: VideoPart, field: String) async throws -> ResolvedPart {
        let content: MediaRequest.Content
        switch video.source {
        case .file(let source):
            content = .video(try await loader.video(source, field: field), FrameSampler(video))
        case .frames(let sources): content = try await frames(sources, of: video, field: field)
        }
        return ResolvedPart(parts: [.video(video)], requests: [MediaRequest(field: field, content: content)])
    }

    /// A list of frames: each goes the way of a picture (`fetch_video` of qwen-vl-utils 0.0.11).
    private func frames(
        _ sources: [MediaSource], of video: VideoPart, field: String
    ) async throws -> MediaRequest.Content {
        guard !sources.isEmpty else {
            throw InputError(field: field, expected: "a list of at least one frame", found: "none")
        }
        let limit = options.media.maxFrames
        guard sources.count <= limit else {
            throw QwenVLError.mediaRefused(
                field: field, reason: "expected at most \(limit) frames, found \(sources.count)")
        }
        let requests = try await inOrder(
            sources.enumerated().map { index, source in
                let field = "\(field)[\(index)]"
                return { try loader.picture(try await loader.fetched(source, field: field), field: field) }
            }
        ).map { source in
            var frame = ImageRequest(source, decoding: decoding)
            (frame.minPixels, frame.maxPixels) = (video.minPixels, video.maxPixels)
            (frame.resizedHeight, frame.resizedWidth) = (video.resizedHeight, video.resizedWidth)
            return frame
        }
        // What qwen-vl-utils assumes of frames whose rate is not told.
        return .frames(requests, fps: video.fps ?? 2)
    }

    /// Runs jobs a few at a time.
    /// - Throws: the error of the first in order that failed.
    func inOrder<Value: Sendable>(_ jobs: [@Sendable () async throws -> Value]) async throws -> [Value] {
        // Each may hold a whole file in memory or a connection to a host.
        let atOnce = 4
        let results = await withTaskGroup(of: (Int, Result<Value, any Error>).self) { group in
            var results: [Int: Result<Value, any Error>] = [:]
            for (index, job) in jobs.enumerated() {
                if index >= atOnce, let (done, result) = await group.next() { results[done] = result }
                group.addTask {
                    do { return (index, .success(try await job())) } catch { return (index, .failure(error)) }
                }
            }
            for await (index, result) in group { results[index] = result }
            return results
        }
        return try jobs.indices.compactMap { try results[$0]?.get() }
    }
}

extension ImageSource {
    /// Told by the first bytes.
    fileprivate func isPDF() throws(VisionInputError) -> Bool {
        switch self {
        case .path(let path): MediaKind(sniffing: VideoSource(try LocalFile(path: path)).head) == .pdf
        case .confined(let path, let roots):
            MediaKind(sniffing: VideoSource(try LocalFile(path: path, within: roots)).head) == .pdf
        case .data(let data, _): MediaKind(sniffing: data) == .pdf
        case .pixels: false
        }
    }
}

extension FrameSampler {
    init(_ video: VideoPart) {
        self.init()
        fps = video.fps
        frameCount = video.frameCount
        (minFrames, maxFrames) = (video.minFrames, video.maxFrames)
        (minPixels, maxPixels, totalPixels) = (video.minPixels, video.maxPixels, video.totalPixels)
        (resizedHeight, resizedWidth) = (video.resizedHeight, video.resizedWidth)
        (start, end) = (video.start, video.end)
    }
}
