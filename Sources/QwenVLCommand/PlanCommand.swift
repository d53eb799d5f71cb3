import ArgumentParser
import Foundation
import Performance
import QwenVL

/// Whether a model fits this machine, and how fast it would be, before anything is downloaded or loaded.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Say whether a model fits this machine, and how fast it will be.",
        discussion: """
            MODEL is a directory (config.json is enough), a published size (3b, 7b, 32b, 72b), or a name that tells \
            the size, such as Qwen/Qwen2.5-VL-7B-Instruct. Nothing is downloaded or loaded; the machine's limits are \
            measured in about a second.

              qwenvl plan 7b --image 1024x1024
              qwenvl plan 32b --weights int4 --context 4096
              qwenvl plan Qwen2.5-VL-3B-Instruct --video 60
            """)

    @Argument(help: "A directory, a published size or a model's name.")
    var model: String?

    @Option(help: "A published size: 3b, 7b, 32b or 72b.")
    var shape: OfficialShape?

    @Option(help: "A picture of this size, WIDTHxHEIGHT; may be given several times.")
    var image: [PictureSizeArgument] = []

    @Option(help: "A video of so many seconds.")
    var video: Double?

    @Option(help: "Frames a second that are looked at.")
    var fps = 2.0

    @Option(help: "The video's size, WIDTHxHEIGHT.")
    var videoSize = PictureSizeArgument(width: 1280, height: 720)

    @Option(help: "Tokens of text in the prompt.")
    var promptTokens = 64

    @Option(help: "Tokens that a conversation may grow to (default: the prompt and 1024 more).")
    var context: Int?

    @Option(
        help: "How the language model's weights are kept (default: bfloat16, or the next that fits the free memory).")
    var weights: EngineOptions.Weights?

    @Option(name: .customLong("kv-cache"), help: "How the KV cache is kept; int8 takes half the memory.")
    var kvCache: EngineOptions.KVCache = .full

    @Option(help: "How the vision tower's are kept (default: like the language model's, but never int4).")
    var visionWeights: EngineOptions.Weights?

    @Option(help: "Conversations at the same time.")
    var batch = 1

    @Option(help: "Compute threads (default: one per physical core).")
    var threads: Int?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if (model == nil) == (shape == nil) { throw ValidationError("name a model, or --shape 3b|7b|32b|72b") }
        if let video, !(video > 0 && video <= 1e6) {
            throw ValidationError("--video: expected seconds above 0, found \(video)")
        }
        if !(fps > 0 && fps <= 1000) { throw ValidationError("--fps: expected above 0 to 1000, found \(fps)") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
        }
        for (name, value, range) in [
            ("--prompt-tokens", promptTokens, 1...16_777_216), ("--batch", batch, 1...1024),
            ("--context", context ?? 64, 64...16_777_216),
        ] where !range.contains(value) {
            throw ValidationError("\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
    }

    func run() throws {
        do {
            let question = PlanQuestion(
                model: shape?.rawValue ?? model ?? "", pictures: image.map(\.size),
                video: video.map { PlanQuestion.Video(seconds: $0, fps: fps, size: videoSize.size) },
                textTokens: promptTokens, context: context, batch: batch, options: engineOptions)
            let plan = try question.plan()
            try Terminal.out(json ? try JSONOutput.encode(plan) + "\n" : plan.text)
        } catch let error as PlanError {
            throw InputError(field: error.field, expected: "what can be planned for", found: error.reason)
        }
    }

    private var engineOptions: EngineOptions {
        var options = EngineOptions()
        options.weights = weights
        options.visionWeights = visionWeights
        options.kvCache = kvCache
        options.threads = threads
        return options
    }
}
