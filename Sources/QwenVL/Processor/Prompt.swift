import QwenVLModel
import VisionInput

/// Identifies a picture's or video's patches: a hash of their content and their grid.
struct PatchKey: Hashable, Sendable {
    let contentHash: ContentHash
    let grid: PatchGrid
}

/// A picture or video in its place in the prompt.
struct PreparedMedia: Sendable {
    enum Content: Sendable {
        /// [grid.patches, patch elements], row-major.
        case patches([Float])
        /// Too long to be in memory as a whole: slices of time are decoded as they are needed.
        case video(VideoPlan)
    }

    let key: PatchKey
    let content: Content
    /// Seconds from one grid frame of a video to the next; nil for a picture.
    let secondsPerGrid: Float?
    /// The prompt's tokens that stand for it.
    let tokens: Range<Int>
    let report: PictureReport

    var grid: PatchGrid { key.grid }
    var isVideo: Bool { secondsPerGrid != nil }
    /// Whether it is decoded while the model reads.
    var isLong: Bool { if case .video = content { true } else { false } }

    init(_ media: DecodedMedia, tokens: Range<Int>) {
        func size(_ size: PixelSize) -> PictureReport.Size {
            PictureReport.Size(width: size.width, height: size.height)
        }
        key = media.key
        content = media.content
        secondsPerGrid = media.secondsPerGrid
        self.tokens = tokens
        report = PictureReport(
            original: size(media.original), processed: size(media.processed), tokens: tokens.count, video: media.video)
    }
}

/// A conversation made ready for the model.
struct Prompt: Sendable {
    var tokens: [Int32] = []
    var spans: [PromptSpan] = []
    var media: [PreparedMedia] = []
    /// Seconds it took to make.
    var processing = 0.0
}
