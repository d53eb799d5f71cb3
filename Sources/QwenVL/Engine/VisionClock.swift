import QwenVLModel

/// Notes when each part of the vision tower was done with a picture.
final class VisionClock {
    /// Names of the activation trace, and seconds since the picture began.
    private(set) var marks: [(name: String, seconds: Double)] = []
    private var start = ContinuousClock.now

    func begin() {
        marks = []
        start = .now
    }

    /// Operations are finished when they return, so an activation is there when it is shown.
    var trace: ActivationTrace {
        { [self] name, _ in marks.append((name, start.duration(to: .now).seconds)) }
    }

    /// Seconds from one mark to the next, summed by what the names belong to.
    func times(fullAttentionBlocks: [Int]) -> VisionTimes {
        var times = VisionTimes()
        let full = Set(fullAttentionBlocks.map { "vision.block.\($0)" })
        var last = 0.0
        for (name, seconds) in marks {
            let passed = seconds - last
            last = seconds
            if full.contains(name) {
                times.fullAttention += passed
            } else if name.hasPrefix("vision.block.") {
                times.windowed += passed
            } else {
                times.embeddingAndMerger += passed
            }
        }
        return times
    }
}

/// Where the vision tower's time went, in seconds.
package struct VisionTimes: Sendable, Hashable {
    /// Blocks whose attention stays within windows.
    package var windowed = 0.0
    /// Blocks whose attention spans a frame.
    package var fullAttention = 0.0
    /// Everything else.
    package var embeddingAndMerger = 0.0
    package var total: Double { windowed + fullAttention + embeddingAndMerger }

    package init() {}
}
