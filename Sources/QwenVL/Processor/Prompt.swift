import QwenVLModel
import VisionInput

/// Identifies a picture's patches: a hash of their content and their grid.
struct PictureKey: Hashable, Sendable {
    let contentHash: ContentHash
    let grid: PatchGrid
}

/// A picture that has become patches.
struct PreparedPicture: Sendable {
    let key: PictureKey
    /// [grid.patches, patch elements], row-major.
    let patches: [Float]
    /// The prompt's tokens that stand for it.
    let tokens: Range<Int>
    let report: PictureReport

    var grid: PatchGrid { key.grid }
}

/// A conversation made ready for the model.
struct Prompt: Sendable {
    var tokens: [Int32] = []
    var spans: [PromptSpan] = []
    var pictures: [PreparedPicture] = []
    /// Seconds it took to make.
    var processing = 0.0
}
