import Foundation
import QwenTokenizer
import Testing

@Suite struct LoadingTests {
    @Test(arguments: SmallTokenizer.Form.allCases)
    func readsEveryForm(_ form: SmallTokenizer.Form) throws {
        let small = SmallTokenizer()
        let tokenizer = try small.write(form).tokenizer()
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
        try directory.write("nonsense", to: "vocab.json")
        #expect(try directory.tokenizer().vocabularySize == 266)
        try directory.write("nonsense", to: "tokenizer.json")
        #expect(throws: TokenizerError.self) { try directory.tokenizer() }
    }

    @Test func namesMissingFiles() throws {
        let directory = try TemporaryDirectory()
        #expect {
            try directory.tokenizer()
        } throws: { error in
            if case .missingFiles = error as? TokenizerError { true } else { false }
        }
        try directory.write("{}", to: "vocab.json")
        #expect {
            try directory.tokenizer()
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
        let whole = try directory.read(name)
        for count in stride(from: 0, to: whole.count, by: max(1, whole.count / 300)) {
            try directory.write(whole.prefix(count), to: name)
            #expect(throws: TokenizerError.self, "\(count) bytes") { try directory.tokenizer() }
        }
    }

    /// A changed byte may make another valid tokenizer; it never crashes the reader.
    @Test(arguments: ["tokenizer.json", "vocab.json", "merges.txt"])
    func survivesChangedBytes(_ name: String) throws {
        let directory = try SmallTokenizer().write(name == "tokenizer.json" ? .json : .vocabularyAndConfig)
        let whole = try directory.read(name)
        var random = SplitMix64(state: 7)
        var refused = 0
        for _ in 0..<400 {
            var changed = whole
            changed[Int(random.below(UInt64(whole.count)))] = UInt8(random.below(256))
            try directory.write(changed, to: name)
            do {
                let tokenizer = try directory.tokenizer()
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
            try directory.tokenizer()
        } throws: { error in
            guard case .unsupported(_, let field, _, _) = error as? TokenizerError else { return false }
            return field.contains(change.field)
        }
    }

    @Test(arguments: SmallTokenizer.inconsistent)
    func namesWhatIsInconsistent(_ change: SmallTokenizer.Change) throws {
        let directory = try SmallTokenizer().write(.json, replacing: change.path, by: change.value())
        #expect {
            try directory.tokenizer()
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
        try directory.write(text, to: "tokenizer.json")
        #expect(throws: TokenizerError.self) { try directory.tokenizer() }
    }

    @Test func deepNestingIsRefused() throws {
        let directory = try SmallTokenizer().write(.json)
        let deep = "{\"x\": " + String(repeating: "[", count: 200_000)
        try directory.write(deep, to: "tokenizer.json")
        #expect(throws: TokenizerError.self) { try directory.tokenizer() }
    }

    @Test func anotherTokenizerClassIsRefused() throws {
        let directory = try SmallTokenizer().write(.vocabularyAndConfig)
        try directory.write("{\"tokenizer_class\": \"GPT2Tokenizer\"}", to: "tokenizer_config.json")
        #expect(
            throws: TokenizerError.unsupported(
                file: "tokenizer_config.json", field: "tokenizer_class", expected: "Qwen2Tokenizer",
                found: "GPT2Tokenizer")
        ) { try directory.tokenizer() }
    }

    @Test func wholeWordsMayComeBeforeMerges() throws {
        // "cab" is in the vocabulary, but no merges lead to it.
        let byMerges = try SmallTokenizer().write(.json).tokenizer()
        #expect(byMerges.encode("cab") == [66, 257])
        let whole = try SmallTokenizer().write(.json, replacing: ["model", "ignore_merges"], by: true).tokenizer()
        #expect(whole.encode("cab") == [261])
    }
}
