import QwenVLModel
import VisionInput

/// Identifies a picture's or video's patches: a hash of their content and their grid.
struct PatchKey: Hashable, Sendable {
    let contentHash: ContentHash
    let grid: PatchGrid
}

/// A picture or video in its place in the prompt.
struct PreparedMedia: Sendable {
    let key: PatchKey
    /// [grid.patches, patch elements], row-major.
    let patches: [Float]
    /// Seconds from one grid frame of a video to the next; nil for a picture.
    let secondsPerGrid: Float?
    /// The prompt's tokens that stand for it.
    let tokens: Range<Int>
    let report: PictureReport

    var grid: PatchGrid { key.grid }
    var isVideo: Bool { secondsPerGrid != nil }

    init(_ patches: VisionPatches, grid: PatchGrid, secondsPerGrid: Float?, tokens: Range<Int>) {
        func size(_ size: PixelSize) -> PictureReport.Size {
            PictureReport.Size(width: size.width, height: size.height)
        }
        key = PatchKey(contentHash: patches.contentHash, grid: grid)
        self.patches = patches.pixels
        self.secondsPerGrid = secondsPerGrid
        self.tokens = tokens
        report = PictureReport(
            original: size(patches.originalSize), processed: size(patches.processedSize), tokens: tokens.count,
            video: nil)
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
