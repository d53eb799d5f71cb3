import Foundation
import QwenTokenizer
import Testing

@Suite struct LoadingTests {
    @Test(arguments: SmallTokenizer.Form.allCases)
    func readsEveryForm(_ form: SmallTokenizer.Form) throws {
        let small = SmallTokenizer()
        let tokenizer = try Tokenizer(directory: small.write(form))
        #expect(tokenizer.vocabularySize == 266)
        #expect(tokenizer.id(of: "<|im_end|>") == 262)
        #expect(tokenizer.id(of: "<tool_call>") == 265)
        #expect(tokenizer.isSpecial(262))
        #expect(!tokenizer.isSpecial(265))
        #expect(!tokenizer.contains(263))
        // a·b → ab, ab·c → abc; the space joins neither.
        #expect(tokenizer.encode("abc ab<|im_end|>\"<tool_call>") == [258, 260, 262, 1, 265])
        #expect(try tokenizer.decode([258, 260, 262, 1, 265]) == "abc ab<|im_end|>\"<tool_call>")
    }

    @Test func prefersTheCompleteFile() throws {
        let small = SmallTokenizer()
        let directory = try small.write(.json)
        try Data("nonsense".utf8).write(to: directory.appendingPathComponent("vocab.json"))
        #expect(try Tokenizer(directory: directory).vocabularySize == 266)
        try Data("nonsense".utf8).write(to: directory.appendingPathComponent("tokenizer.json"))
        #expect(throws: TokenizerError.self) { try Tokenizer(directory: directory) }
    }

    @Test func namesMissingFiles() throws {
        let directory = try SmallTokenizer.makeDirectory()
        #expect {
            try Tokenizer(directory: directory)
        } throws: { error in
            if case .missingFiles = error as? TokenizerError { true } else { false }
        }
        try Data("{}".utf8).write(to: directory.appendingPathComponent("vocab.json"))
        #expect {
            try Tokenizer(directory: directory)
        } throws: { error in
            if case .missingFiles = error as? TokenizerError { true } else { false }
        }
    }

    /// Whatever is left of a file, it is refused.
    @Test(arguments: ["tokenizer.json", "vocab.json", "tokenizer_config.json", "added_tokens.json"])
    func refusesTruncatedFiles(_ name: String) throws {
        let forms: [String: SmallTokenizer.Form] = [
            "tokenizer.json": .json, "vocab.json": .vocabularyAndConfig,
            "tokenizer_config.json": .vocabularyAndConfig, "added_tokens.json": .vocabularyAndAddedTokens,
        ]
        let directory = try SmallTokenizer().write(#require(forms[name]))
        let file = directory.appendingPathComponent(name)
        let whole = try Data(contentsOf: file)
        for count in stride(from: 0, to: whole.count, by: max(1, whole.count / 300)) {
            try whole.prefix(count).write(to: file)
            #expect(throws: TokenizerError.self, "\(count) bytes") { try Tokenizer(directory: directory) }
        }
    }

    /// A changed byte may make another valid tokenizer; it never crashes the reader.
    @Test(arguments: ["tokenizer.json", "vocab.json", "merges.txt"])
    func survivesChangedBytes(_ name: String) throws {
        let directory = try SmallTokenizer().write(name == "tokenizer.json" ? .json : .vocabularyAndConfig)
        let file = directory.appendingPathComponent(name)
        let whole = try Data(contentsOf: file)
        var random = SplitMix64(state: 7)
        var refused = 0
        for _ in 0..<400 {
            var changed = whole
            changed[Int(random.below(UInt64(whole.count)))] = UInt8(random.below(256))
            try changed.write(to: file)
            do {
                let tokenizer = try Tokenizer(directory: directory)
                #expect(try tokenizer.decode(tokenizer.encode("abc \u{1F600}")) == "abc \u{1F600}")
            } catch is TokenizerError {
                refused += 1
            }
        }
        #expect(refused > 0)
    }

    @Test(arguments: SmallTokenizer.unsupported)
    func namesWhatIsUnsupported(_ change: SmallTokenizer.Change) throws {
        let directory = try SmallTokenizer().write(.json, replacing: change.path, by: change.value())
        #expect {
            try Tokenizer(directory: directory)
        } throws: { error in
            guard case .unsupported(_, let field, _, _) = error as? TokenizerError else { return false }
            return field.contains(change.field)
        }
    }

    @Test(arguments: SmallTokenizer.inconsistent)
    func namesWhatIsInconsistent(_ change: SmallTokenizer.Change) throws {
        let directory = try SmallTokenizer().write(.json, replacing: change.path, by: change.value())
        #expect {
            try Tokenizer(directory: directory)
        } throws: { error in
            guard case .inconsistent(let field, _, _) = error as? TokenizerError else { return false }
            return field.contains(change.field)
        }
    }

    @Test(arguments: [
        "null", "true", "[1, 2]", "\"", "{\"a\" 1}", "{\"a\": 1,}", "{\"\\ud800\": 1}", "{\"a\": 1e}", "",
    ])
    func refusesBadJSON(_ text: String) throws {
        let directory = try SmallTokenizer().write(.json)
        try Data(text.utf8).write(to: directory.appendingPathComponent("tokenizer.json"))
        #expect(throws: TokenizerError.self) { try Tokenizer(directory: directory) }
    }

    @Test func deepNestingIsRefused() throws {
        let directory = try SmallTokenizer().write(.json)
        let deep = "{\"x\": " + String(repeating: "[", count: 200_000)
        try Data(deep.utf8).write(to: directory.appendingPathComponent("tokenizer.json"))
        #expect(throws: TokenizerError.self) { try Tokenizer(directory: directory) }
    }

    @Test func anotherTokenizerClassIsRefused() throws {
        let directory = try SmallTokenizer().write(.vocabularyAndConfig)
        let config = directory.appendingPathComponent("tokenizer_config.json")
        try Data("{\"tokenizer_class\": \"GPT2Tokenizer\"}".utf8).write(to: config)
        #expect(
            throws: TokenizerError.unsupported(
                file: "tokenizer_config.json", field: "tokenizer_class", expected: "Qwen2Tokenizer",
                found: "GPT2Tokenizer")
        ) { try Tokenizer(directory: directory) }
    }

    @Test func wholeWordsMayComeBeforeMerges() throws {
        // "cab" is in the vocabulary, but no merges lead to it.
        let byMerges = try Tokenizer(directory: SmallTokenizer().write(.json))
        #expect(byMerges.encode("cab") == [66, 257])
        let whole = try Tokenizer(
            directory: SmallTokenizer().write(.json, replacing: ["model", "ignore_merges"], by: true))
        #expect(whole.encode("cab") == [261])
    }
}
