import QwenTokenizer
import Testing

@Suite struct EncodingTests {
    private let tokenizer = Qwen.tokenizer

    @Test(arguments: Golden.shared.samples + Golden.shared.special)
    func encodesAsTheReference(_ example: Golden.Case) throws {
        #expect(tokenizer.encode(example.text) == example.ids)
        let fromBytes = try Array(example.text.utf8).withUnsafeBufferPointer { bytes in
            try tokenizer.encode(utf8: bytes)
        }
        #expect(fromBytes == example.ids)
    }

    @Test(arguments: Golden.shared.plain)
    func controlTokensMayBePlainText(_ example: Golden.Case) throws {
        let ids = tokenizer.encode(example.text, allowSpecial: false)
        #expect(ids == example.ids)
        #expect(!ids.contains(where: tokenizer.isSpecial))
    }

    /// Stripping, and tokens found in normalized text only.
    @Test func honoursTheFlagsOfAddedTokens() throws {
        let golden = Golden.shared
        let tokens = golden.flaggedTokens.map { flagged in
            var token = AddedToken(flagged.content, id: flagged.id, isSpecial: flagged.special ?? false)
            token.stripsLeft = flagged.lstrip ?? false
            token.stripsRight = flagged.rstrip ?? false
            token.isNormalized = flagged.normalized ?? false
            return token
        }
        let tokenizer = try Tokenizer(Qwen.definition(adding: tokens))
        for example in golden.flagged {
            #expect(tokenizer.encode(example.text) == example.ids, "\(example.text.debugDescription)")
        }
    }

    @Test func encodesRandomStringsAsTheReference() {
        var random = SplitMix64(state: 2025)
        for (block, expected) in Golden.shared.randomStrings.enumerated() {
            var hash = RecordHash()
            for _ in 0..<100 { hash.add(tokenizer.encode(random.string(Golden.shared.ranges))) }
            #expect(hash.text == expected, "block \(block)")
        }
    }

    /// Character classes and normalization, one code point after the other.
    @Test(arguments: Golden.shared.codePoints.keys.sorted())
    func encodesEveryCodePointAsTheReference(_ block: String) throws {
        let first = try #require(UInt32(block, radix: 16))
        var text = String.UnicodeScalarView()
        for value in first..<first + 0x1000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            text.append(scalar)
            text.append("a")
        }
        var hash = RecordHash()
        hash.add(tokenizer.encode(String(text)))
        #expect(hash.text == Golden.shared.codePoints[block])
    }

    /// Quadratic time anywhere would take hours here, not a second.
    @Test(.timeLimit(.minutes(1)), arguments: Golden.shared.long)
    func longTextTakesLinearTime(_ example: Golden.Long) {
        let count = example.length / example.unit.unicodeScalars.count
        var hash = RecordHash()
        hash.add(tokenizer.encode(String(repeating: example.unit, count: count)))
        #expect(hash.text == example.hash)
    }

    @Test func sameIDsFromManyThreads() async {
        let texts = Golden.shared.samples
        await withTaskGroup(of: Bool.self) { group in
            for offset in 0..<8 {
                group.addTask {
                    (0..<texts.count).allSatisfy { i in
                        let example = texts[(i + offset * 11) % texts.count]
                        return Qwen.tokenizer.encode(example.text) == example.ids
                    }
                }
            }
            for await same in group { #expect(same) }
        }
    }

    @Test func refusesBytesThatAreNotText() {
        let bytes = Array("añb".utf8) + [0xE2, 0x82] + Array("c".utf8)
        #expect(throws: TokenizerError.invalidUTF8(offset: 4)) {
            _ = try bytes.withUnsafeBufferPointer { try tokenizer.encode(utf8: $0) }
        }
        let empty = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        #expect(throws: Never.self) { try #expect(tokenizer.encode(utf8: empty).isEmpty) }
    }
}
