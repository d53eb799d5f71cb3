package import ChatTemplate

/// One part of a message: text, a picture or a video.
public enum ContentPart: Sendable, Hashable {
    /// Text.
    case text(String)
    /// A picture.
    case image(ImagePart)
    /// A video, or a list of frames.
    case video(VideoPart)
}

/// A picture in a message, with the limits its size is held to.
public struct ImagePart: Sendable, Hashable {
    /// Where the picture comes from.
    public var source: MediaSource
    /// The area the picture is enlarged to at least, in pixels.
    public var minPixels: Int?
    /// The area the picture is reduced to at most, in pixels.
    public var maxPixels: Int?
    /// The wanted height in pixels, rounded to a multiple of 28; used only with ``resizedWidth``.
    public var resizedHeight: Int?
    /// The wanted width in pixels, rounded to a multiple of 28; used only with ``resizedHeight``.
    public var resizedWidth: Int?
    /// OpenAI's `detail` ("low", "high", "auto"), as given.
    public var detail: String?
    /// Pages of a document or frames of an animation to show, from 1, each as a picture of its own. nil shows every
    /// page of a PDF, and the first of anything else.
    public var pages: [ClosedRange<Int>]?
    /// Dots per inch that documents are drawn at; nil for 144, and for an SVG picture's own size.
    public var dpi: Double?

    /// A picture.
    public init(
        _ source: MediaSource, minPixels: Int? = nil, maxPixels: Int? = nil, resizedHeight: Int? = nil,
        resizedWidth: Int? = nil, detail: String? = nil
    ) {
        self.source = source
        self.minPixels = minPixels
        self.maxPixels = maxPixels
        self.resizedHeight = resizedHeight
        self.resizedWidth = resizedWidth
        self.detail = detail
    }
}

/// A video in a message: what to sample, and the limits its frames are held to.
public struct VideoPart: Sendable, Hashable {
    /// A file, or pictures that serve as frames.
    public enum Source: Sendable, Hashable {
        /// A video file.
        case file(MediaSource)
        /// Pictures in order; an odd count repeats the last.
        case frames([MediaSource])
    }

    /// Where the frames come from.
    public var source: Source
    /// Frames per second to sample (of a list of frames: the rate they were taken at). Excludes ``frameCount``.
    public var fps: Double?
    /// The number of frames to sample (`nframes`), rounded to an even number. Excludes ``fps``.
    public var frameCount: Int?
    /// The least number of frames to sample.
    public var minFrames: Int?
    /// The greatest number of frames to sample.
    public var maxFrames: Int?
    /// The area a frame is enlarged to at least, in pixels.
    public var minPixels: Int?
    /// The area a frame is reduced to at most, in pixels.
    public var maxPixels: Int?
    /// The area of all frames together at most, in pixels.
    public var totalPixels: Int?
    /// The wanted height in pixels; used only with ``resizedWidth``.
    public var resizedHeight: Int?
    /// The wanted width in pixels; used only with ``resizedHeight``.
    public var resizedWidth: Int?
    /// Where sampling starts, in seconds.
    public var start: Double?
    /// Where sampling ends, in seconds.
    public var end: Double?

    /// A video whose other fields are set afterwards.
    public init(_ source: Source) { self.source = source }
}

extension ContentPart {
    /// A picture in a file.
    public static func image(path: String) -> ContentPart { .image(ImagePart(.path(path))) }
    /// A picture from any source.
    public static func image(_ source: MediaSource) -> ContentPart { .image(ImagePart(source)) }
    /// A video in a file, sampled at the given rate (2 frames a second when nil).
    public static func video(path: String, fps: Double? = nil) -> ContentPart {
        .video(.path(path), fps: fps)
    }
    /// A video from any source, sampled at the given rate (2 frames a second when nil).
    public static func video(_ source: MediaSource, fps: Double? = nil) -> ContentPart {
        var part = VideoPart(.file(source))
        part.fps = fps
        return .video(part)
    }
    /// Pictures as the frames of a video, taken at the given rate (2 frames a second when nil).
    public static func video(frames: [MediaSource], fps: Double? = nil) -> ContentPart {
        var part = VideoPart(.frames(frames))
        part.fps = fps
        return .video(part)
    }

    /// The part as chat templates know it: the fields they test on, in the form of the model card.
    package var templateValue: TemplateValue {
        switch self {
        case .text(let text): ["type": "text", "text": .string(text)]
        case .image(let part): ["type": "image", "image": .string(part.source.templateText)]
        case .video(let part): ["type": "video", "video": part.source.value(\.templateText)]
        }
    }
}

extension VideoPart.Source {
    func value(_ text: (MediaSource) -> String) -> TemplateValue {
        switch self {
        case .file(let source): .string(text(source))
        case .frames(let frames): .list(frames.map { .string(text($0)) })
        }
    }
}
