import Foundation
import QwenVL
import Testing

/// Damaged checkpoints and pictures: an error that says what is wrong, never a crash and never an answer.
@Suite struct BadInputTests {
    /// One file of a checkpoint replaced by something else.
    struct Damage: Sendable, CustomTestStringConvertible {
        let file: String
        let change: @Sendable (Data) -> Data
        /// What the message must name.
        let names: [String]
        var testDescription: String { "\(file): \(names.joined(separator: ", "))" }
    }

    private static func replacing(_ text: String, by other: String) -> @Sendable (Data) -> Data {
        { Data(String(decoding: $0, as: UTF8.self).replacing(text, with: other).utf8) }
    }

    static let damages: [Damage] = [
        Damage(file: "config.json", change: { _ in Data() }, names: ["config.json"]),
        Damage(file: "config.json", change: { $0.prefix($0.count / 2) }, names: ["config.json"]),
        Damage(
            file: "config.json", change: replacing("\"hidden_size\": 384", by: "\"hidden_size\": -384"),
            names: ["config.json", "hidden_size", "-384"]),
        Damage(
            file: "config.json", change: replacing("\"vocab_size\": 1120", by: "\"vocab_size\": 1099"),
            names: ["1099"]),
        Damage(file: "model.safetensors", change: { _ in Data() }, names: ["model.safetensors"]),
        Damage(file: "model.safetensors", change: { $0.prefix(100) }, names: ["model.safetensors"]),
        Damage(file: "model.safetensors", change: { $0.dropLast(4) }, names: ["model.safetensors"]),
        Damage(
            file: "model.safetensors", change: { data in Data(repeating: 255, count: 8) + data.dropFirst(8) },
            names: ["model.safetensors"]),
        Damage(file: "tokenizer.json", change: { $0.prefix($0.count / 2) }, names: ["tokenizer.json"]),
        Damage(file: "tokenizer.json", change: { _ in Data("[1, 2".utf8) }, names: ["tokenizer.json"]),
        Damage(
            file: "chat_template.json", change: { _ in Data(#"{"chat_template": "{% for %}"}"#.utf8) },
            names: ["line 1"]),
        Damage(
            file: "preprocessor_config.json", change: replacing("\"patch_size\": 14", by: "\"patch_size\": 16"),
            names: ["patch_size"]),
        Damage(
            file: "generation_config.json", change: { _ in Data(#"{"temperature": "warm"}"#.utf8) },
            names: ["generation_config.json", "temperature"]),
    ]

    @Test(arguments: damages)
    func damagedCheckpoint(_ damage: Damage) async throws {
        // A checkpoint in one file, with its own copies.
        let directory = try FixtureLibrary.directory("head-size-128")
        let target = directory.url.appending(path: damage.file)
        let original = try Data(contentsOf: target.resolvingSymlinksInPath())
        let changed = damage.change(original)
        try #require(changed != original, "the damage must change the file")
        try directory.write(damage.file, changed)
        let error = try await #require(throws: QwenVLError.self) { _ = try await Engine.load(directory.path) }
        for name in damage.names { #expect(error.description.contains(name), "\(error)") }
        #expect(error.isUserError)
    }

    @Test func missingDirectory() async throws {
        let error = try await #require(throws: QwenVLError.self) { _ = try await Engine.load("/nonexistent/model") }
        #expect(error.description.contains("/nonexistent/model"))
    }

    @Test func unknownInstructionSet() async throws {
        let directory = try FixtureLibrary.directory("tied-bfloat16")
        var options = EngineOptions()
        options.instructionSet = "abacus"
        let error = try await #require(throws: QwenVLError.self) {
            _ = try await Engine.load(directory.path, options: options)
        }
        #expect(error.description.contains("abacus"))
        #expect(error.description.contains("generic"))
    }

    /// Names where the picture stands in the messages, and what is wrong with it.
    @Test func badPictures() async throws {
        let engine = try await FixtureLibrary.engine("tied-bfloat16")
        let folder = try TemporaryDirectory()
        let picture = try Data(contentsOf: FixtureLibrary.root.appending(path: "Pictures/exact-252x196.png"))
        try folder.write("empty.png", Data())
        try folder.write("cut.png", picture.prefix(picture.count / 2))
        try folder.write("text.jpg", Data("not a picture at all".utf8))
        try folder.write("noise.png", picture.prefix(64) + Data((0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 97) }))
        for (name, said) in [
            ("empty.png", "empty"), ("cut.png", "cut.png"), ("text.jpg", "text.jpg"), ("noise.png", "noise.png"),
            ("missing.png", "no such file"), ("", "directory"),
        ] {
            let path = folder.url.appending(path: name).path
            let messages = [ChatMessage.user(.text("What is"), .image(path: path))]
            let error = try await #require(throws: QwenVLError.self, "\(name)") {
                _ = try await engine.reply(to: messages, options: .greedy)
            }
            #expect(error.description.contains("messages[0].content[1].image"), "\(error)")
            #expect(error.description.contains(said), "\(name): \(error)")
            #expect(error.isUserError)
        }
    }

    /// A text that spells a placeholder would be taken for a picture.
    @Test func placeholdersInText() async throws {
        let engine = try await FixtureLibrary.engine("tied-bfloat16")
        let error = try await #require(throws: QwenVLError.self) {
            _ = try await engine.reply(to: [.user("one <|image_pad|> two")], options: .greedy)
        }
        #expect(error.description.contains("<|image_pad|>"))
    }

    @Test func promptsThatAreTooLong() async throws {
        let engine = try await FixtureLibrary.engine("tied-bfloat16") { $0.cacheTokens = 128 }
        let error = try await #require(throws: QwenVLError.self) {
            _ = try await engine.reply(to: [.user(String(repeating: "word ", count: 500))], options: .greedy)
        }
        guard case .promptTooLong(let tokens, let limit, _) = error else {
            Issue.record("expected promptTooLong, found \(error)")
            return
        }
        #expect(tokens > 128)
        #expect(limit == 128)
        // The engine goes on.
        var options = GenerationOptions.greedy
        options.maxTokens = 2
        #expect(try await engine.reply(to: [.user("a")], options: options).tokenIDs.count <= 2)
    }

    @Test func optionsOutOfRange() async throws {
        let engine = try await FixtureLibrary.engine("tied-bfloat16")
        var options = GenerationOptions()
        options.topP = 7
        let error = try await #require(throws: QwenVLError.self) {
            _ = try await engine.reply(to: [.user("a")], options: options)
        }
        #expect(error.description.contains("top_p"))
        #expect(await engine.activeSequences == 0)
    }
}
