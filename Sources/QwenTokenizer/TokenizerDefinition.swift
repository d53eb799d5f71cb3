/// What a tokenizer's files say, whatever their format: enough to make a `Tokenizer`.
package struct TokenizerDefinition: Sendable {
    /// Tokens in the spelling of the files (byte-level alphabet), and the id of each.
    package var tokens = StringTable()
    package var ids: [Int32] = []
    /// Left and right half of each merge, in turn; merges in order of priority.
    package var mergeHalves = StringTable()
    package var addedTokens: [AddedToken] = []
    /// Words that are in the vocabulary are taken whole, without looking at the merges.
    package var ignoresMerges = false

    package init() {}

    /// A vocabulary whose tokens have the ids 0, 1, …; each merge is "left right".
    package init(
        tokens: [String], merges: [String], addedTokens: [AddedToken]
    ) throws(TokenizerError) {
        self.tokens = StringTable(tokens)
        ids = (0..<tokens.count).map { Int32(truncatingIfNeeded: $0) }
        for (i, merge) in merges.enumerated() {
            let halves = merge.split(separator: " ", omittingEmptySubsequences: false)
            guard halves.count == 2 else {
                throw .inconsistent(field: "merges[\(i)]", expected: "two tokens", found: merge)
            }
            mergeHalves.append(String(halves[0]))
            mergeHalves.append(String(halves[1]))
        }
        self.addedTokens = addedTokens
    }

    /// One token a byte, ids 0 to 255, and nothing besides but `addedTokens`: for models without a vocabulary's files.
    package static func bytes(addedTokens: [AddedToken]) throws(TokenizerError) -> TokenizerDefinition {
        try TokenizerDefinition(
            tokens: (0...255).map { ByteAlphabet.spell([UInt8($0)]) }, merges: [], addedTokens: addedTokens)
    }
}

/// A token that is found in running text before anything else is done to it.
package struct AddedToken: Sendable, Equatable {
    package var content: String
    package var id: Int32
    /// Control tokens such as `<|im_end|>`: left out by `skipSpecial`, and plain text unless special tokens are
    /// allowed.
    package var isSpecial: Bool
    /// White space before it belongs to it.
    package var stripsLeft = false
    /// White space after it belongs to it.
    package var stripsRight = false
    /// Found in normalized text, rather than in the text as it is.
    package var isNormalized = false

    package init(_ content: String, id: Int32, isSpecial: Bool) {
        self.content = content
        self.id = id
        self.isSpecial = isSpecial
    }
}
