import Foundation
import QwenVL
import Testing

/// The README's example is the code below, word for word, and does what the README says.
@Suite struct ReadmeSnippetTests {
    /// What the example prints.
    private static func run() async throws -> String {
        var printed = ""
        func print(_ items: Any..., terminator: String = "\n") {
            printed += items.map { "\($0)" }.joined(separator: " ") + terminator
        }
        // README begins
        let engine = try await Engine.load("Models/demo")

        // As on the model card: text, pictures, and as many turns as you like.
        var messages = [
            ChatMessage.system("You are a helpful assistant."),
            ChatMessage.user(.image(path: "Examples/red-circle.png"), .text("What is in the picture?")),
        ]

        // The answer as it is written…
        for try await event in engine.stream(messages) {
            if case .text(let delta) = event { print(delta.text, terminator: "") }
        }

        // …or whole. The next turn computes only what is new.
        let answer = try await engine.reply(to: messages)
        messages += [.assistant(answer.text), .user("What colour is it?")]
        var options = GenerationOptions()
        options.maxTokens = 32
        options.temperature = 0
        let next = try await engine.reply(to: messages, options: options)
        print(next.text, next.usage.cachedTokens, next.timings.decode)
        // README ends
        #expect(next.usage.cachedTokens > answer.usage.promptTokens / 2)
        return printed
    }

    /// The example names its files relative to the package, where `swift test` runs.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "Models/demo/config.json")))
    func theExampleAnswers() async throws {
        #expect(try await Self.run().lowercased().contains("red circle"))
    }

    @Test func theReadmeShowsTheExample() throws {
        let source = URL(fileURLWithPath: #filePath)
        let package = source.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let lines = try String(contentsOf: source, encoding: .utf8).components(separatedBy: "\n")
        let first = try #require(lines.firstIndex { $0.hasSuffix("// README begins") })
        let last = try #require(lines.firstIndex { $0.hasSuffix("// README ends") })
        let indentation = lines[first].prefix { $0 == " " }.count
        let example = lines[first + 1..<last].map { String($0.dropFirst(indentation)) }.joined(separator: "\n")
        let readme = try String(contentsOf: package.appending(path: "README.md"), encoding: .utf8)
        #expect(readme.contains("import QwenVL\n\n\(example)\n```"))
    }
}
