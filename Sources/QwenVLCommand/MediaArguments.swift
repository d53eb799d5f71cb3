import ArgumentParser
import Foundation
import QwenVL

/// Pictures, documents and videos named on the command line.
struct MediaArguments: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: "A picture or a PDF: a path, a URL, a data URI; may be given several times.")
    var image: [String] = []

    @Option(help: "A video, or a directory of pictures as its frames; may be given several times.")
    var video: [String] = []

    @Option(help: "Pages of the documents, such as 3 or 1-4,7 (default: all).")
    var pages: String?

    @Option(help: "Dots per inch that documents are drawn at (default: 144).")
    var dpi: Double?

    @OptionGroup var sampling: VideoOptions

    func validate() throws {
        if let pages, PageRanges.parse(pages) == nil {
            throw ValidationError("--pages: expected pages such as 3 or 1-4,7, found \"\(pages)\"")
        }
        if let dpi, !(1...2400).contains(dpi) {
            throw ValidationError("--dpi: expected 1 to 2400, found \(dpi)")
        }
    }

    func message(_ text: String, images: [String]? = nil, videos: [String]? = nil) throws -> ChatMessage {
        var parts = try (images ?? image).map { name in
            var part = ImagePart(try MediaSource(name))
            part.pages = pages.flatMap(PageRanges.parse)
            part.dpi = dpi
            return ContentPart.image(part)
        }
        parts += try (videos ?? video).map { .video(try sampling.part(named: $0)) }
        return parts.isEmpty ? .user(text) : .user(parts + [.text(text)])
    }
}

/// Which frames of a video are looked at, and how large.
struct VideoOptions: ParsableArguments {
    @Option(help: "Frames per second to look at (default: 2).")
    var fps: Double?

    @Option(help: "Frames to look at, instead of a rate.")
    var nframes: Int?

    @Option(help: "Look at no fewer frames than these (default: 4).")
    var minFrames: Int?

    @Option(help: "Look at no more frames than these (default: 768).")
    var maxFrames: Int?

    @Option(help: "Begin at this second of the video.")
    var videoStart: Double?

    @Option(help: "End at this second of the video.")
    var videoEnd: Double?

    @Option(help: "Pixels of all frames together at most.")
    var totalPixels: Int?

    @Option(help: "Enlarge frames to at least this many pixels.")
    var frameMinPixels: Int?

    @Option(help: "Reduce frames to at most this many pixels.")
    var frameMaxPixels: Int?

    func validate() throws {
        if fps != nil, nframes != nil { throw ValidationError("either --fps or --nframes, not both") }
        if let fps, !(fps > 0 && fps.isFinite) {
            throw ValidationError("--fps: expected a positive number, found \(fps)")
        }
        let counts = [
            ("--nframes", nframes), ("--min-frames", minFrames),
            ("--max-frames", maxFrames),
            ("--total-pixels", totalPixels), ("--frame-min-pixels", frameMinPixels),
            ("--frame-max-pixels", frameMaxPixels),
        ]
        for case (let name, let value?) in counts where value < 1 {
            throw ValidationError("\(name): expected a positive number, found \(value)")
        }
    }

    /// The first option that says something about a video.
    var given: String? {
        let options: [(String, Bool)] = [
            ("--fps", fps != nil), ("--nframes", nframes != nil), ("--min-frames", minFrames != nil),
            ("--max-frames", maxFrames != nil), ("--video-start", videoStart != nil), ("--video-end", videoEnd != nil),
            ("--total-pixels", totalPixels != nil), ("--frame-min-pixels", frameMinPixels != nil),
            ("--frame-max-pixels", frameMaxPixels != nil),
        ]
        return options.first { $0.1 }?.0
    }

    func part(named name: String) throws -> VideoPart {
        var isDirectory: ObjCBool = false
        var part: VideoPart
        if FileManager.default.fileExists(atPath: name, isDirectory: &isDirectory), isDirectory.boolValue {
            part = VideoPart(.frames(try MediaFiles.pictures(in: name).map { .path($0) }))
        } else {
            part = VideoPart(.file(try MediaSource(name)))
        }
        (part.fps, part.frameCount) = (fps, nframes)
        (part.minFrames, part.maxFrames) = (minFrames, maxFrames)
        (part.start, part.end) = (videoStart, videoEnd)
        (part.totalPixels, part.minPixels, part.maxPixels) = (totalPixels, frameMinPixels, frameMaxPixels)
        return part
    }
}

/// Pictures and videos by the names of files.
enum MediaFiles {
    private static let pictureEndings: Set<String> = [
        "jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "svg", "pdf",
    ]
    private static let videoEndings: Set<String> = [
        "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "flv", "wmv", "ogv", "3gp",
    ]

    static func isVideo(_ path: String) -> Bool { videoEndings.contains(ending(path)) }

    /// A directory's pictures, by name.
    static func pictures(in directory: String) throws -> [String] {
        let found = try contents(of: directory).filter { pictureEndings.contains(ending($0)) }
        guard !found.isEmpty else {
            throw InputError(field: directory, expected: "a directory with pictures", found: "none")
        }
        return found
    }

    /// The pictures and videos that a file, a directory or a pattern stands for, by name.
    static func named(_ name: String) throws -> [String] {
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: name, isDirectory: &isDirectory) {
            guard isDirectory.boolValue else { return [name] }
            return try contents(of: name).filter { pictureEndings.contains(ending($0)) || isVideo($0) }
        }
        guard name.contains(where: { "*?[".contains($0) }) else {
            throw InputError(field: name, expected: "a file, a directory or a pattern", found: "nothing of that name")
        }
        var matches = glob_t()
        defer { globfree(&matches) }
        guard glob(name, 0, nil, &matches) == 0 else {
            throw InputError(field: name, expected: "a pattern that some file has", found: "none")
        }
        return (0..<Int(matches.gl_pathc)).compactMap { matches.gl_pathv[$0].map { String(cString: $0) } }
    }

    private static func contents(of directory: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory).sorted().map { directory + "/" + $0 }
        } catch {
            throw InputError(field: directory, expected: "a directory that can be read", found: "none")
        }
    }

    private static func ending(_ path: String) -> String { (path as NSString).pathExtension.lowercased() }
}
