import Foundation
import QwenTokenizer
import Testing

/// `Fixtures/golden.json`: what the reference makes of texts and ids. `Tools/tokenizer/golden.py` explains it.
struct Golden: Decodable, Sendable {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        var text: String
        var ids: [Int32]
        var testDescription: String { String(text.prefix(40)).debugDescription }
    }

    struct FlaggedToken: Decodable, Sendable {
        var content: String
        var id: Int32
        var lstrip: Bool?
        var rstrip: Bool?
        var special: Bool?
        var normalized: Bool?
    }

    struct Decoded: Decodable, Sendable {
        var limit: UInt64
        var all: String
        var skipped: String
    }

    struct Long: Decodable, Sendable, CustomTestStringConvertible {
        var unit: String
        /// In scalars.
        var length: Int
        var hash: String
        var testDescription: String { "\(unit.debugDescription) up to \(length)" }
    }

    var samples: [Case]
    var special: [Case]
    var plain: [Case]
    var flaggedTokens: [FlaggedToken]
    var flagged: [Case]
    var ranges: [[UInt32]]
    var randomStrings: [String]
    var codePoints: [String: String]
    var decoded: [Decoded]
    var long: [Long]

    static let shared: Golden = {
        do {
            let file = try #require(
                Bundle.module.url(forResource: "golden", withExtension: "json", subdirectory: "Fixtures"))
            return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
        } catch {
            preconditionFailure("golden.json: \(error)")
        }
    }()
}

/// Qwen2.5's tokenizer, made from its merges: tokens 0 to 255 are the byte alphabet, then come the merges' results.
enum Qwen {
    static let addedTokens: [AddedToken] = {
        let special = [
            "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
            "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>",
            "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
        ]
        let others = [
            "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
            "<|repo_name|>", "<|file_sep|>",
        ]
        return (special + others).enumerated().map { index, content in
            AddedToken(content, id: 151_643 + Int32(index), isSpecial: index < special.count)
        }
    }()

    static let merges: [String] = {
        do {
            let file = try #require(
                Bundle.module.url(forResource: "merges", withExtension: "txt", subdirectory: "Fixtures"))
            return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst().map(String.init)
        } catch {
            preconditionFailure("merges.txt: \(error)")
        }
    }()

    static let alphabet: [String] = {
        let printable = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
        let scalars = printable + (0..<256 - printable.count).map { 0x100 + $0 }
        return scalars.compactMap(Unicode.Scalar.init).map { String($0) }
    }()

    static func definition(adding more: [AddedToken] = []) throws -> TokenizerDefinition {
        try TokenizerDefinition(
            tokens: alphabet + merges.map { $0.replacing(" ", with: "") }, merges: merges,
            addedTokens: addedTokens + more)
    }

    static let tokenizer: Tokenizer = {
        do {
            return try Tokenizer(definition())
        } catch {
            preconditionFailure("\(error)")
        }
    }()
}

/// The generator that the reference's side of the bulk cases uses too.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    mutating func below(_ n: UInt64) -> UInt64 { next() % n }

    mutating func string(_ ranges: [[UInt32]]) -> String {
        var scalars = String.UnicodeScalarView()
        for _ in 0..<1 + below(8) {
            let range = ranges[Int(below(UInt64(ranges.count)))]
            for _ in 0..<1 + below(6) {
                if let scalar = Unicode.Scalar(range[0] + UInt32(below(UInt64(range[1])))) { scalars.append(scalar) }
            }
        }
        return String(scalars)
    }
}

/// FNV-1a over records: a 32-bit count, then the content.
struct RecordHash {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    var text: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    mutating func add(_ ids: [Int32]) {
        add(UInt32(ids.count))
        for id in ids { add(UInt32(bitPattern: id)) }
    }

    mutating func add(_ string: String) {
        add(UInt32(string.utf8.count))
        for byte in string.utf8 { add(byte) }
    }

    private mutating func add(_ value: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { add(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    private mutating func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
}
