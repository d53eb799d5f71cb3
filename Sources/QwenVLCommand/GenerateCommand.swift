import ArgumentParser
import Foundation
import QwenVL

/// A file of conversations, answered as one batch.
struct GenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Answer the conversations of a file, as one batch.",
        discussion: """
            The file holds one conversation (a list of messages as on the model card) or a list of conversations; - is \
            standard input. With --json the result is a list with one object per conversation: text, token_ids, \
            prompt_token_ids, finish_reason, usage, logprobs, timings, pictures, and grounding: the boxes, points, \
            times and screen actions that the answer names, in pixels of the picture as given (original) and as the \
            model saw it (seen). Log-probabilities are those of the raw distribution, before any sampling parameter.
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Pictures") var pictures: PictureOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions

    @Option(help: "A JSON file of messages.")
    var messages: String

    @Option(help: "Report each token's log-probability and this many alternatives (0 to 20).")
    var logprobs: Int?

    @Option(help: "Prompt tokens that go through the model at a time.")
    var prefillChunk: Int = EngineOptions().prefillChunk

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if prefillChunk < 1 {
            throw ValidationError("--prefill-chunk: expected a positive number, found \(prefillChunk)")
        }
    }

    func run() async throws {
        let conversations = try MessagesFile.read(messages)
        var engineOptions = model.engineOptions(pictures)
        engineOptions.prefillChunk = prefillChunk
        engineOptions.maximumBatch = max(engineOptions.maximumBatch, conversations.count)
        // For developers comparing layers with the reference.
        engineOptions.activationDump = ProcessInfo.processInfo.environment["QWENVL_DUMP"]
        let engine = try await model.load(engineOptions)
        var options = sampling.generationOptions
        options.logprobs = logprobs
        let completions = try await engine.replies(to: conversations, options: options)
        if json {
            try Terminal.out(JSONOutput.encode(completions.map { CompletionRecord($0, engine: engine) }) + "\n")
        } else {
            for (index, completion) in completions.enumerated() {
                if completions.count > 1 { Terminal.note("conversation \(index + 1):") }
                try Terminal.out(completion.text + "\n")
            }
        }
    }
}

/// Files of messages.
enum MessagesFile {
    /// - Parameter path: a file, or - for standard input.
    static func read(_ path: String) throws -> [[ChatMessage]] {
        // Pipes and devices are files too.
        let handle = path == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: path)
        guard let handle, let data = try? handle.readToEnd() ?? Data() else {
            throw InputError(field: "--messages", expected: "a file that can be read", found: "\"\(path)\"")
        }
        return try ChatMessage.conversations(json: data)
    }
}

/// JSON as scripts like it: sorted keys, slashes as they are.
enum JSONOutput {
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// On one line.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
