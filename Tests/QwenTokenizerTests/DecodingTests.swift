import QwenTokenizer
import Testing

@Suite struct DecodingTests {
    private let tokenizer = Qwen.tokenizer

    private func stream(_ ids: [Int32], skipSpecial: Bool = false) throws -> String {
        var decoder = StreamingDecoder(tokenizer, skipSpecial: skipSpecial)
        var text = ""
        for id in ids { text += try decoder.push(id) }
        return text + decoder.finish()
    }

    @Test(arguments: Golden.shared.decoded.indices)
    func decodesAnyIDsAsTheReference(_ index: Int) throws {
        var random = SplitMix64(state: 2026)
        for (block, expected) in Golden.shared.decoded.enumerated() {
            var sequences: [[Int32]] = []
            for _ in 0..<400 {
                sequences.append((0..<random.below(12)).map { _ in Int32(random.below(expected.limit)) })
            }
            guard block == index else { continue }
            for (skipSpecial, wanted) in [(false, expected.all), (true, expected.skipped)] {
                var (whole, streamed) = (RecordHash(), RecordHash())
                for ids in sequences {
                    whole.add(try tokenizer.decode(ids, skipSpecial: skipSpecial))
                    streamed.add(try stream(ids, skipSpecial: skipSpecial))
                }
                #expect(whole.text == wanted)
                #expect(streamed.text == wanted)
            }
        }
    }

    /// Every byte string of up to three bytes around the edges of UTF-8, as tokens of one byte.
    @Test func streamsEveryKindOfBrokenCharacter() throws {
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1,
            0xF4, 0xF5, 0xFF,
        ]
        let tokens = try edges.map { byte in try #require((0..<256).first { try tokenizer.bytes(of: $0) == [byte] }) }
        for a in edges.indices {
            for b in edges.indices {
                for c in edges.indices {
                    let bytes = [edges[a], edges[b], edges[c], 0x80]
                    let ids = [tokens[a], tokens[b], tokens[c], tokens[3]]
                    #expect(try stream(ids) == String(decoding: bytes, as: UTF8.self))
                }
            }
        }
    }

    @Test func streamsOnlyWholeCharacters() throws {
        let text = "naïve 👩‍👩‍👧‍👦 日本語 𓀀 ok"
        var decoder = StreamingDecoder(tokenizer)
        var pieces: [String] = []
        for id in tokenizer.encode(text) { pieces.append(try decoder.push(id)) }
        #expect(decoder.finish() == "")
        #expect(pieces.joined() == text)
        #expect(!pieces.joined().unicodeScalars.contains("\u{FFFD}"))
        #expect(pieces.contains(""))
    }

    @Test(arguments: Golden.shared.samples + Golden.shared.special)
    func textComesBack(_ example: Golden.Case) throws {
        // Not always the same text, as it was normalized; but always what its ids stand for.
        let text = try tokenizer.decode(example.ids)
        #expect(try tokenizer.decode(tokenizer.encode(text)) == text)
        #expect(try stream(example.ids) == text)
        #expect(text == example.text)  // String equality is canonical equivalence
    }

    @Test func leavesOutControlTokensOnly() throws {
        let ids = tokenizer.encode("<|im_start|>user\n<tool_call>x</tool_call><|im_end|>\n")
        #expect(try tokenizer.decode(ids, skipSpecial: true) == "user\n<tool_call>x</tool_call>\n")
        #expect(try stream(ids, skipSpecial: true) == "user\n<tool_call>x</tool_call>\n")
    }

    @Test func unknownIDsAreErrors() throws {
        #expect(tokenizer.vocabularySize == 151_665)
        var decoder = StreamingDecoder(tokenizer)
        for id: Int32 in [-1, 151_665, .max, .min] {
            let error = TokenizerError.unknownID(id, vocabularySize: 151_665)
            #expect(throws: error) { try tokenizer.decode([0, id]) }
            #expect(throws: error) { try tokenizer.bytes(of: id) }
            #expect(throws: error) { try tokenizer.token(of: id) }
            #expect(throws: error) { try decoder.push(id) }
            #expect(!tokenizer.contains(id))
            #expect(!tokenizer.isSpecial(id))
        }
        #expect(try decoder.push(0) == "!")
    }

    @Test func looksUpTokens() throws {
        for token in Qwen.addedTokens {
            #expect(tokenizer.id(of: token.content) == token.id)
            #expect(try tokenizer.token(of: token.id) == token.content)
            #expect(try tokenizer.bytes(of: token.id) == Array(token.content.utf8))
            #expect(tokenizer.isSpecial(token.id) == token.isSpecial)
        }
        let the = try #require(tokenizer.id(of: "Ġthe"))
        #expect(try tokenizer.bytes(of: the) == Array(" the".utf8))
        #expect(try tokenizer.token(of: the) == "Ġthe")
        #expect(tokenizer.id(of: "<|nothing|>") == nil)
        #expect(tokenizer.id(of: " the") == nil)
        #expect(tokenizer.id(of: "") == nil)
        #expect(tokenizer.contains(the))
        #expect(!tokenizer.isSpecial(the))
    }
}
