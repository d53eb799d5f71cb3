/// Vocabulary and merges of byte-level byte-pair encoding.
final class BytePairModel: Sendable {
    let vocabulary: Vocabulary
    /// The token of each single byte.
    let byteTokens: Slab<Int32>
    let merges: MergeTable
    let ignoresMerges: Bool

    init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        let vocabulary = try Vocabulary(definition)
        let byteTokens = Slab<Int32>(repeating: -1, count: 256)
        for byte in UInt8.min...UInt8.max {
            let id = withUnsafePointer(to: byte) { vocabulary.view.id(of: $0, length: 1) }
            guard let id else {
                throw .inconsistent(
                    field: "vocab", expected: "a token for every byte",
                    found: "none for byte \(byte) (\(ByteAlphabet.spell([byte])))")
            }
            byteTokens.base[Int(byte)] = id
        }
        self.vocabulary = vocabulary
        self.byteTokens = byteTokens
        merges = MergeTable(
            try Self.resolve(definition.mergeHalves, in: vocabulary), byteTokens: byteTokens)
        ignoresMerges = definition.ignoresMerges
    }

    /// Merges by ids instead of spellings.
    private static func resolve(
        _ halves: StringTable, in vocabulary: Vocabulary
    ) throws(TokenizerError) -> [MergeTable.Entry] {
        let count = halves.count / 2
        guard count < MergeTable.noRank else {
            throw .inconsistent(
                field: "merges", expected: "fewer than \(MergeTable.noRank)", found: "\(count)")
        }
        let view = vocabulary.view
        var entries: [MergeTable.Entry] = []
        entries.reserveCapacity(count)
        var word: [UInt8] = []
        // Merges mostly stand in the order of the ids that they make, so the next id is tried before a look-up.
        var guess: Int32 = 0
        var failed: Int? = nil
        halves.bytes.withUnsafeBufferPointer { text in
            for rank in 0..<count {
                word.removeAll(keepingCapacity: true)
                let left = UnsafeBufferPointer(rebasing: text[halves.range(2 * rank)])
                let right = UnsafeBufferPointer(rebasing: text[halves.range(2 * rank + 1)])
                guard ByteAlphabet.decode(left, into: &word), !word.isEmpty else { failed = rank; return }
                let middle = word.count
                guard ByteAlphabet.decode(right, into: &word), word.count > middle else { failed = rank; return }
                let entry = word.withUnsafeBufferPointer { word -> MergeTable.Entry? in
                    guard let base = word.baseAddress, let a = view.id(of: base, length: middle),
                        let b = view.id(of: base + middle, length: word.count - middle)
                    else { return nil }
                    let isGuess =
                        guess < vocabulary.size && vocabulary.kinds.base[Int(guess)] == Vocabulary.Kind.model
                        && view.matches(guess, base, word.count)
                    guard let merged = isGuess ? guess : view.id(of: base, length: word.count) else { return nil }
                    guess = merged + 1
                    return MergeTable.Entry(
                        pair: UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b)),
                        rank: Int32(rank), merged: merged)
                }
                guard let entry else { failed = rank; return }
                entries.append(entry)
            }
        }
        if let rank = failed {
            throw .inconsistent(
                field: "merges[\(rank)]", expected: "two tokens of the vocabulary that make a third",
                found: "\(halves[2 * rank]) \(halves[2 * rank + 1])")
        }
        return entries
    }
}
