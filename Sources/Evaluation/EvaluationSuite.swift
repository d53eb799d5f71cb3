import Foundation
package import QwenVL

/// Questions about pictures and clips, with the right answers and how to score what a model says.
///
/// A suite is a folder: `suite.json` with the questions, `media.tar` with the pictures, frames and videos.
package struct EvaluationSuite: Sendable {
    /// One question.
    package struct Item: Sendable, Decodable {
        /// Its name, never given twice.
        package let id: String
        /// The row of the table it counts for.
        package let task: String
        let system: String?
        let images: [String]?
        let frames: [String]?
        let fps: Double?
        /// A video file, and how many of its frames are looked at.
        let video: String?
        let nframes: Int?
        let min_pixels: Int?
        package let question: String
        /// The right answer.
        package let answer: String
        package let scoring: Scoring
        /// What a point or a click must hit, in pixels of the picture as the model sees it.
        let target: PixelBox?
    }

    private struct Document: Decodable {
        let items: [Item]
    }

    package let items: [Item]
    private let media: TarArchive
    private let name: String

    /// Reads a suite's folder.
    package init(folder: String) throws(InputError) {
        name = folder
        let document = try Self.read("\(folder)/suite.json")
        do {
            items = try JSONDecoder().decode(Document.self, from: document).items
        } catch {
            throw Self.failure(error, of: "\(folder)/suite.json")
        }
        media = try TarArchive(Self.read("\(folder)/media.tar"), named: "\(folder)/media.tar")
    }

    /// Names the item and the key that are wrong.
    private static func failure(_ error: any Error, of file: String) -> InputError {
        let context: DecodingError.Context? =
            switch error as? DecodingError {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
                .dataCorrupted(let context):
                context
            default: nil
            }
        let path = (context?.codingPath ?? []).map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }
        return InputError(
            field: file + (path.isEmpty ? "" : ", " + path.joined().trimmingCharacters(in: ["."])),
            expected: "a suite of questions", found: context?.debugDescription ?? "\(error)")
    }

    private static func read(_ path: String) throws(InputError) -> Data {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError(field: path, expected: "a file that can be read", found: "none")
        }
        return data
    }

    /// The tasks in the order of the file.
    package var tasks: [String] {
        var seen: Set<String> = []
        return items.map(\.task).filter { seen.insert($0).inserted }
    }

    /// The question as a conversation.
    package func messages(_ item: Item) throws(InputError) -> [ChatMessage] {
        var parts: [ContentPart] = []
        for image in item.images ?? [] { parts.append(.image(ImagePart(try source(image, of: item)))) }
        if let names = item.frames {
            var frames: [MediaSource] = []
            for name in names { frames.append(try source(name, of: item)) }
            parts.append(.video(frames: frames, fps: item.fps))
        }
        if let file = item.video {
            var video = VideoPart(.file(try source(file, of: item)))
            (video.frameCount, video.minPixels) = (item.nframes, item.min_pixels)
            parts.append(.video(video))
        }
        parts.append(.text(item.question))
        return (item.system.map { [.system($0)] } ?? []) + [.user(parts)]
    }

    private func source(_ file: String, of item: Item) throws(InputError) -> MediaSource {
        guard let data = media[file] else {
            throw InputError(
                field: "\(name)/suite.json, \(item.id)", expected: "a file of media.tar", found: "\"\(file)\"")
        }
        return .data(data)
    }
}
