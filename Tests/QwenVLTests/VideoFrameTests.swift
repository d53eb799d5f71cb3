import Foundation
import QwenVL
import Testing

/// Videos given as lists of pictures.
@Suite struct VideoFrameTests {
    private static var frames: [MediaSource] {
        get throws {
            let picture = try FixtureLibrary.root.appending(path: "Pictures/exact-252x196.png").path
            return Array(repeating: .path(picture), count: 4)
        }
    }

    private static var greedy: GenerationOptions {
        var options = GenerationOptions.greedy
        options.ignoreEndOfSequence = true
        options.maxTokens = 4
        options.logprobs = 3
        return options
    }

    /// Equal frames at another rate stand at other times: nothing of the one may be taken for the other.
    @Test func anotherRateIsAnotherVideo() async throws {
        let engine = try await FixtureLibrary.engine("tied-bfloat16")
        func ask(_ engine: Engine, fps: Double) async throws -> Completion {
            try await engine.reply(
                to: [.user(.video(frames: Self.frames, fps: fps), .text("When?"))], options: Self.greedy)
        }
        let slow = try await ask(engine, fps: 0.25)
        let fast = try await ask(engine, fps: 4)
        let fresh = try await ask(FixtureLibrary.engine("tied-bfloat16"), fps: 4)
        #expect(fast.logprobs == fresh.logprobs)
        #expect(fast.logprobs != slow.logprobs)
        // The frames were looked at once; only what stands before them is reused.
        #expect(fast.timings.vision == 0)
        #expect(fast.usage.cachedTokens < 40)
    }

    @Test func framesOfDifferentSizes() async throws {
        let other = try FixtureLibrary.root.appending(path: "Pictures/strip-30x340.png").path
        let engine = try await FixtureLibrary.engine("tied-bfloat16")
        let error = try await #require(throws: QwenVLError.self) {
            _ = try await engine.reply(
                to: [.user(.video(frames: Self.frames + [.path(other)]), .text("?"))], options: Self.greedy)
        }
        #expect(error.description.contains("messages[0].content[0].video"))
        #expect(error.description.contains("strip-30x340.png"))
    }
}
