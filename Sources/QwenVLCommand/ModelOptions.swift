public import ArgumentParser
import Foundation
public import QwenVL

extension EngineOptions.Weights: ExpressibleByArgument {}
extension EngineOptions.KVCache: ExpressibleByArgument {}

/// Which model, and how it runs.
struct ModelOptions: ParsableArguments {
    @Option(name: [.short, .long], help: "The model's directory.")
    var model: String?

    @Option(
        help: """
            How the language model's weights are kept, and so the arithmetic (default: bfloat16, or the next that fits \
            the free memory).
            """)
    var weights: EngineOptions.Weights?

    @Option(help: "How the vision tower's are kept (default: like the language model's, but never int4).")
    var visionWeights: EngineOptions.Weights?

    @Option(help: "Compute threads (default: one per physical core).")
    var threads: Int?

    @Option(
        name: .customLong("kv-cache"), help: "How the KV cache is kept; int8 takes half the memory (default: full).")
    var kvCache: EngineOptions.KVCache?

    @Option(help: "Tokens that the KV cache holds (default: one context, at most 32768).")
    var cacheTokens: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
        }
        if let cacheTokens, !(64...16_777_216).contains(cacheTokens) {
            throw ValidationError("--cache-tokens: expected 64 to 16777216, found \(cacheTokens)")
        }
    }

    func engineOptions(_ pictures: PictureOptions) -> EngineOptions {
        var options = engineOptions
        options.processor = pictures.processorOptions
        return options
    }

    /// Pictures as the checkpoint says.
    var engineOptions: EngineOptions {
        var options = EngineOptions()
        options.weights = weights
        options.visionWeights = visionWeights
        options.threads = threads
        options.kvCache = kvCache ?? .full
        options.cacheTokens = cacheTokens
        return options
    }

    func directory() throws -> String { try Self.directory(named: model) }

    /// The model that was named, or that the environment names, or the demo model.
    static func directory(named model: String?) throws -> String {
        if let model { return model }
        if let named = ProcessInfo.processInfo.environment["QWENVL_MODEL"], !named.isEmpty { return named }
        if let demo = SuppliedFolder.find("Models/demo", holding: "config.json") { return demo }
        throw ValidationError("no model: name one with --model DIR, or set QWENVL_MODEL")
    }

    /// Loads the model, showing how far it has come.
    func load(_ options: EngineOptions) async throws -> Engine {
        let directory = try directory()
        let line = ProgressLine()
        defer { line.clear() }
        return try await Engine.load(directory, options: options) { progress in
            line.show("loading \(directory): \(Int(progress.fraction * 100)) %")
        }
    }
}

/// Folders of the repository; the program may run from there, or from its build folder.
enum SuppliedFolder {
    static func find(_ name: String, holding file: String) -> String? {
        var places = [name]
        if var folder = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent() {
            for _ in 0..<4 {
                places.append(folder.appending(path: name).path)
                folder.deleteLastPathComponent()
            }
        }
        return places.first { FileManager.default.fileExists(atPath: "\($0)/\(file)") }
    }
}
