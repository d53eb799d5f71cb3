import ArgumentParser
import QwenVL

/// One question, one answer.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Ask one question, about pictures and videos or without.",
        discussion: """
            The answer streams to standard output; a line of statistics follows on standard error.

              qwenvl run --image invoice.png "What is the total?"
              qwenvl run --image report.pdf --pages 2-3 "What changed?"
              qwenvl run --video clip.mp4 --fps 1 "When does the door open?"
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Pictures and videos") var media: MediaArguments
    @OptionGroup(title: "Pictures") var pictures: PictureOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions

    @Option(help: "A system prompt instead of the template's own.")
    var system: String?

    @Flag(help: "Print one object of JSON instead of text: also token ids, usage, and the sizes that the model saw.")
    var json = false

    @Flag(name: [.short, .long], help: "No line of statistics.")
    var quiet = false

    @Argument(help: "The question.")
    var prompt: String

    func validate() throws {
        if media.video.isEmpty, let option = media.sampling.given {
            throw ValidationError("\(option): there is no --video")
        }
    }

    func run() async throws {
        let engine = try await model.load(model.engineOptions(pictures))
        let messages =
            (system.map { [ChatMessage.system($0)] } ?? []) + [try media.message(prompt)]
        if json {
            let completion = try await engine.reply(to: messages, options: sampling.generationOptions)
            return try Terminal.out(JSONOutput.encode(CompletionRecord(completion, engine: engine)) + "\n")
        }
        let completion = try await AnswerPrinter.print(messages, engine: engine, options: sampling.generationOptions)
        if !quiet {
            AnswerPrinter.places(completion).map(Terminal.note)
            Terminal.note(AnswerPrinter.statistics(completion))
        }
    }
}
