import ArgumentParser
import Foundation
import QwenVL

/// Questions and answers in turns.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Ask in turns; what was said before stays known.",
        discussion: """
            Lines that begin with a slash are commands:
              /image PATH   show a picture or document with the next question
              /video PATH   show a video with the next question
              /forget       begin a new conversation
              /quit         end (or Ctrl-D)
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Pictures and videos") var media: MediaArguments
    @OptionGroup(title: "Pictures") var pictures: PictureOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions

    @Option(help: "A system prompt instead of the template's own.")
    var system: String?

    @Flag(name: [.short, .long], help: "No lines of statistics.")
    var quiet = false

    func run() async throws {
        let engine = try await model.load(model.engineOptions(pictures))
        let opening = system.map { [ChatMessage.system($0)] } ?? []
        var messages = opening
        var waiting = Waiting(images: media.image, videos: media.video)
        Terminal.note("/image PATH and /video PATH show something, /forget begins anew, /quit ends.")
        while let line = prompt() {
            switch Line(line) {
            case .empty: continue
            case .quit: return
            case .forget:
                messages = opening
                waiting = Waiting()
            case .image(let path): if isThere(path) { waiting.images.append(path) }
            case .video(let path): if isThere(path) { waiting.videos.append(path) }
            case .unknown(let command):
                Terminal.error("unknown command \(command); there are /image PATH, /video PATH, /forget, /quit")
            case .question(let text):
                let question = try media.message(text, images: waiting.images, videos: waiting.videos)
                if let answer = try await ask(messages + [question], engine: engine) {
                    messages += [question, .assistant(answer)]
                    waiting = Waiting()
                }
            }
        }
    }

    /// What the next question is about.
    private struct Waiting {
        var images: [String] = []
        var videos: [String] = []
    }

    private func isThere(_ name: String) -> Bool {
        if name.contains("://") || FileManager.default.isReadableFile(atPath: name) { return true }
        Terminal.error("cannot read \(name)")
        return false
    }

    private func prompt() -> String? {
        if Terminal.inputIsTerminal { Terminal.write("\n> ") }
        return readLine()
    }

    /// - Returns: the answer; nil when the question could not be used, which has been said and loses nothing.
    private func ask(_ messages: [ChatMessage], engine: Engine) async throws -> String? {
        do {
            let completion = try await AnswerPrinter.print(
                messages, engine: engine, options: sampling.generationOptions)
            if !quiet {
                AnswerPrinter.places(completion).map(Terminal.note)
                Terminal.note(AnswerPrinter.statistics(completion))
            }
            return completion.text
        } catch let error as QwenVLError where error.isUserError {
            Terminal.error(error.description)
            return nil
        }
    }

    /// What a line asks for.
    private enum Line {
        case empty, quit, forget
        case image(String)
        case video(String)
        case unknown(String)
        case question(String)

        init(_ line: String) {
            let text = line.trimmingCharacters(in: .whitespaces)
            let words = text.split(separator: " ", maxSplits: 1).map(String.init)
            switch words.first {
            case nil: self = .empty
            case "/quit", "/exit": self = .quit
            case "/forget": self = .forget
            case "/image" where words.count == 2: self = .image(words[1])
            case "/video" where words.count == 2: self = .video(words[1])
            case let word? where word.hasPrefix("/") && !word.dropFirst().contains("/"): self = .unknown(word)
            default: self = .question(text)
            }
        }
    }
}
