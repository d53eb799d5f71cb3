/// The patches of one picture or video: frames (pairs of frames for a video) by rows by columns.
package struct PatchGrid: Sendable, Hashable {
    package let frames: Int
    package let height: Int
    package let width: Int

    package init(frames: Int, height: Int, width: Int) {
        self.frames = frames
        self.height = height
        self.width = width
    }

    package var patches: Int { frames * height * width }

    /// Tokens that the language model sees: one for each mergeSize × mergeSize patches.
    package func tokens(mergeSize: Int) -> Int { patches / (mergeSize * mergeSize) }
}
