import ArgumentParser
import Foundation
import QwenVL

/// Makes a quantised checkpoint of another.
struct QuantizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize", abstract: "Write a model with weights of 8 or 4 bits.",
        discussion: """
            The result is a model directory like its source, a quarter as large, that loads at once: its weights are \
            used where they lie in the file. Other programs cannot read it.

            Example:
              qwenvl quantize Qwen2.5-VL-7B-Instruct --out Qwen2.5-VL-7B-int4
            """)

    @Argument(help: "The model's directory.")
    var directory: String

    @Option(help: "The format of the language model's weights.")
    var weights: EngineOptions.Weights = .int4

    @Option(help: "The format of the vision tower's; float32 and bfloat16 leave them as they are.")
    var visionWeights: EngineOptions.Weights = .int8

    @Option(help: "The directory to write: a new one, or an empty one.")
    var out: String

    @Option(help: "Threads (default: one per physical core).")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
        }
    }

    func run() async throws {
        var options = QuantizedCheckpoint.Options()
        options.weights = weights
        options.visionWeights = visionWeights
        options.threads = threads
        let line = ProgressLine()
        defer { line.clear() }
        let start = ContinuousClock.now
        try await QuantizedCheckpoint.write(directory, to: out, options: options) { progress in
            line.show("quantising \(directory): \(Int(progress.fraction * 100)) %")
        }
        line.clear()
        let time = start.duration(to: .now).formatted(.units(allowed: [.minutes, .seconds], width: .narrow))
        Terminal.note("\(out): text in \(weights.rawValue), vision in \(visionWeights.rawValue), written in \(time)")
    }
}
