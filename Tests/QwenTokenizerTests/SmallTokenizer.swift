import Foundation
import QwenTokenizer
import Testing

/// A tokenizer of 266 ids as files, whole or spoilt: the byte alphabet, five longer tokens, three merges, two added
/// tokens, and two ids without a token.
struct SmallTokenizer {
    enum Form: CaseIterable {
        case json, jsonWithPairs, vocabularyAndConfig, vocabularyAndAddedTokens
    }

    /// One change to `tokenizer.json`, and what the error's field must contain.
    struct Change: Sendable, CustomTestStringConvertible {
        var path: [String]
        var value: @Sendable () -> Any
        var field: String
        var testDescription: String { path.joined(separator: ".") + " (" + field + ")" }

        init(_ path: [String], _ value: @escaping @Sendable () -> Any, field: String) {
            self.path = path
            self.value = value
            self.field = field
        }
    }

    private static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let merges = [["a", "b"], ["ab", "c"], ["Ġ", "ab"]]

    private static var vocabulary: [String: Int] {
        var tokens = Qwen.alphabet.enumerated().map { ($1, $0) }
        tokens += [("ab", 257), ("abc", 258), ("Ġab", 260), ("cab", 261)]
        return Dictionary(uniqueKeysWithValues: tokens)
    }

    private static func added(_ content: String, special: Bool) -> [String: Any] {
        ["content": content, "special": special, "normalized": false, "lstrip": false, "rstrip": false]
    }

    private static var json: [String: Any] {
        [
            "version": "1.0", "truncation": NSNull(), "padding": NSNull(),
            "added_tokens": [
                added("<|im_end|>", special: true).merging(["id": 262]) { $1 },
                added("<tool_call>", special: false).merging(["id": 265]) { $1 },
            ],
            "normalizer": ["type": "NFC"],
            "pre_tokenizer": ["type": "Sequence", "pretokenizers": [split(), byteLevel()]],
            "post_processor": ["type": "ByteLevel"],
            "decoder": ["type": "ByteLevel"],
            "model": [
                "type": "BPE", "dropout": NSNull(), "unk_token": NSNull(), "ignore_merges": false,
                "vocab": vocabulary, "merges": merges.map { $0.joined(separator: " ") },
            ],
        ]
    }

    private static func split(pattern: String = Self.pattern, behavior: String = "Isolated") -> [String: Any] {
        ["type": "Split", "pattern": ["Regex": pattern], "behavior": behavior, "invert": false]
    }

    private static func byteLevel(prefix: Bool = false, regex: Bool = false) -> [String: Any] {
        ["type": "ByteLevel", "add_prefix_space": prefix, "use_regex": regex]
    }

    private static func sequence(_ parts: [[String: Any]]) -> [String: Any] {
        ["type": "Sequence", "pretokenizers": parts]
    }

    static let unsupported: [Change] = [
        Change(["normalizer"], { ["type": "NFKC"] }, field: "normalizer"),
        Change(["normalizer"], { NSNull() }, field: "normalizer"),
        Change(["pre_tokenizer"], { ["type": "Metaspace"] }, field: "pre_tokenizer"),
        Change(["pre_tokenizer"], { sequence([byteLevel()]) }, field: "pre_tokenizer"),
        Change(["pre_tokenizer"], { sequence([split(pattern: "\\p{N}{1,3}"), byteLevel()]) }, field: "pattern"),
        Change(["pre_tokenizer"], { sequence([split(behavior: "Removed"), byteLevel()]) }, field: "behavior"),
        Change(["pre_tokenizer"], { sequence([split(), byteLevel(prefix: true)]) }, field: "add_prefix_space"),
        Change(["pre_tokenizer"], { sequence([split(), byteLevel(regex: true)]) }, field: "use_regex"),
        Change(["post_processor"], { ["type": "TemplateProcessing"] }, field: "post_processor"),
        Change(["decoder"], { ["type": "WordPiece"] }, field: "decoder"),
        Change(["model", "type"], { "Unigram" }, field: "model.type"),
        Change(["model", "dropout"], { 0.5 }, field: "dropout"),
        Change(["model", "unk_token"], { "<unk>" }, field: "unk_token"),
        Change(["model", "end_of_word_suffix"], { "</w>" }, field: "end_of_word_suffix"),
        Change(["model"], { ["type": "BPE"] }, field: "model.vocab"),
        Change(["added_tokens"], { [["content": "x"]] }, field: "added_tokens"),
        Change(["added_tokens"], { [["content": "x", "id": 262, "single_word": true]] }, field: "single_word"),
    ]

    static let inconsistent: [Change] = [
        Change(["model", "merges"], { ["a b", "b zz"] }, field: "merges[1]"),
        Change(["model", "merges"], { ["a c"] }, field: "merges[0]"),
        Change(["model", "merges"], { ["a "] }, field: "merges[0]"),
        Change(["model", "vocab"], { ["a": 0] }, field: "vocab"),
        Change(["model", "vocab"], { vocabulary.merging(["zz": 257]) { $1 } }, field: "vocab"),
        Change(["model", "vocab"], { vocabulary.merging(["zz": 99_999_999]) { $1 } }, field: "vocab"),
        Change(["added_tokens"], { [added("<x>", special: true).merging(["id": 257]) { $1 }] }, field: "<x>"),
        Change(["added_tokens"], { [added("abc", special: true).merging(["id": 270]) { $1 }] }, field: "abc"),
        Change(
            ["added_tokens"], { [270, 271].map { added("<x>", special: true).merging(["id": $0]) { $1 } } },
            field: "<x>"),
    ]

    /// Writes the files of one form into a new directory, `tokenizer.json` with one value replaced if asked.
    func write(_ form: Form, replacing path: [String] = [], by value: Any = NSNull()) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        func save(_ object: Any, _ name: String) throws {
            try directory.write(JSONSerialization.data(withJSONObject: object), to: name)
        }
        switch form {
        case .json, .jsonWithPairs:
            var json = Self.json
            var model = try #require(json["model"] as? [String: Any])
            if form == .jsonWithPairs { model["merges"] = Self.merges }
            if path.count == 2 { model[path[1]] = value }
            json["model"] = model
            if path.count == 1 { json[path[0]] = value }
            try save(json, "tokenizer.json")
        case .vocabularyAndConfig, .vocabularyAndAddedTokens:
            try save(Self.vocabulary, "vocab.json")
            let lines = Self.merges.map { $0.joined(separator: " ") + "\n" }
            try directory.write(Data(("#version: 0.2\n" + lines.joined()).utf8), to: "merges.txt")
            var config: [String: Any] = ["tokenizer_class": "Qwen2Tokenizer"]
            if form == .vocabularyAndConfig {
                config["added_tokens_decoder"] = [
                    "262": Self.added("<|im_end|>", special: true), "265": Self.added("<tool_call>", special: false),
                ]
            } else {
                config["eos_token"] = "<|im_end|>"
                try save(["<|im_end|>": 262, "<tool_call>": 265], "added_tokens.json")
            }
            try save(config, "tokenizer_config.json")
        }
        return directory
    }
}

/// A directory of files that goes when the value does.
final class TemporaryDirectory {
    private let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ content: Data, to name: String) throws { try content.write(to: url.appendingPathComponent(name)) }

    func write(_ content: String, to name: String) throws { try write(Data(content.utf8), to: name) }

    func read(_ name: String) throws -> Data { try Data(contentsOf: url.appendingPathComponent(name)) }

    func tokenizer() throws -> Tokenizer { try Tokenizer(directory: url) }
}
