/// How many patches a picture or video has along time, height and width, before merging.
package struct GridTHW: Sendable, Hashable {
    package let t: Int
    package let h: Int
    package let w: Int

    package init(t: Int, h: Int, w: Int) {
        self.t = t
        self.h = h
        self.w = w
    }

    package var patchCount: Int { t * h * w }

    /// Tokens the language model sees, with `mergeSize` x `mergeSize` patches to a token.
    package func tokenCount(mergeSize: Int = 2) -> Int { t * (h / mergeSize) * (w / mergeSize) }
}
