import ArgumentParser
import QwenVL

/// One question, one answer.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Ask one question, about pictures or without.",
        discussion: """
            The answer streams to standard output; a line of statistics follows on standard error.

              qwenvl run --image invoice.png "What is the total?"
              qwenvl run --video directory --fps 2 "What moves?"
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Pictures") var images: ImageArguments
    @OptionGroup(title: "Pictures") var video: VideoArguments
    @OptionGroup(title: "Pictures") var pictures: PictureOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions

    @Option(help: "A system prompt instead of the template's own.")
    var system: String?

    @Flag(name: [.short, .long], help: "No line of statistics.")
    var quiet = false

    @Argument(help: "The question.")
    var prompt: String

    func run() async throws {
        let engine = try await model.load(model.engineOptions(pictures))
        let media = try images.image.map { ContentPart.image(path: $0) } + video.parts()
        let question = media.isEmpty ? ChatMessage.user(prompt) : .user(media + [.text(prompt)])
        let messages = (system.map { [ChatMessage.system($0)] } ?? []) + [question]
        let completion = try await AnswerPrinter.print(messages, engine: engine, options: sampling.generationOptions)
        if !quiet {
            AnswerPrinter.places(completion).map(Terminal.note)
            Terminal.note(AnswerPrinter.statistics(completion))
        }
    }
}
