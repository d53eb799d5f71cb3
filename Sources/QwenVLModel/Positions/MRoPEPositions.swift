/// What a prompt is made of, in order: runs of text tokens, and pictures or videos.
package enum PromptSpan: Sendable, Hashable {
    case text(count: Int)
    case image(PatchGrid)
    /// secondsPerGrid: the time between two grid frames (temporal patch size / sampled frames per second).
    case video(PatchGrid, secondsPerGrid: Float)
}

/// Positions on three axes (time, height, width) of a run of tokens.
package struct MRoPEPositions: Sendable, Hashable {
    package private(set) var time: [Int32] = []
    package private(set) var height: [Int32] = []
    package private(set) var width: [Int32] = []

    package init() {}

    package var count: Int { time.count }

    /// The position of the token that comes next: one past the largest on any axis.
    package private(set) var next: Int32 = 0

    /// Positions of a prompt's tokens: `get_rope_index` of Transformers 4.49.0.
    ///
    /// Time advances by secondsPerGrid * tokensPerSecond a grid frame, in float32, truncated once.
    package init(spans: [PromptSpan], mergeSize: Int, tokensPerSecond: Int) {
        for span in spans {
            switch span {
            case .text(let count): appendText(count: count)
            case .image(let grid): append(grid: grid, mergeSize: mergeSize) { _ in 0 }
            case .video(let grid, let seconds):
                append(grid: grid, mergeSize: mergeSize) { frame in
                    Int32(Float(frame) * seconds * Float(tokensPerSecond))
                }
            }
        }
    }

    /// Text: the three axes run together.
    package mutating func appendText(count: Int) {
        for _ in 0..<count {
            time.append(next)
            height.append(next)
            width.append(next)
            next += 1
        }
    }

    private mutating func append(grid: PatchGrid, mergeSize: Int, timeOf: (Int) -> Int32) {
        let start = next
        var largest = start - 1
        for frame in 0..<grid.frames {
            let time = timeOf(frame)
            for row in 0..<Int32(grid.height / mergeSize) {
                for column in 0..<Int32(grid.width / mergeSize) {
                    self.time.append(start + time)
                    height.append(start + row)
                    width.append(start + column)
                    largest = max(largest, start + max(time, row, column))
                }
            }
        }
        next = largest + 1
    }

    /// The positions of some of the tokens.
    package subscript(range: Range<Int>) -> MRoPEPositions {
        var part = MRoPEPositions()
        part.time = Array(time[range])
        part.height = Array(height[range])
        part.width = Array(width[range])
        part.next = next
        return part
    }

    /// Puts another run behind this one (rows of another sequence, in a step).
    package mutating func append(contentsOf other: MRoPEPositions) {
        time += other.time
        height += other.height
        width += other.width
        next = other.next
    }
}
