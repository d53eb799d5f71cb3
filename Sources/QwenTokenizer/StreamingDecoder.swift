/// Decodes ids one by one into text that can be shown at once: the pieces, `finish()` included, join to what
/// `Tokenizer.decode` gives for all ids.
///
/// A character whose bytes are spread over several tokens is held back until it is complete.
package struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecial: Bool
    /// The beginning of a character, at most three bytes between calls.
    private var pending: [UInt8] = []

    /// - Parameter skipSpecial: leaves out control tokens such as `<|im_end|>`.
    package init(_ tokenizer: Tokenizer, skipSpecial: Bool = false) {
        self.tokenizer = tokenizer
        self.skipSpecial = skipSpecial
    }

    /// The text that `id` completes; empty while a character is unfinished.
    ///
    /// - Throws: `TokenizerError.unknownID`; the decoder is unchanged then and may be used on.
    package mutating func push(_ id: Int32) throws(TokenizerError) -> String {
        guard let bytes = tokenizer.model.vocabulary.bytes(of: id) else { throw tokenizer.unknown(id) }
        if skipSpecial && tokenizer.isSpecial(id) { return "" }
        pending.append(contentsOf: bytes)
        let complete = pending.count - Self.unfinishedLength(pending)
        defer { pending.removeSubrange(..<complete) }
        return String(decoding: pending[..<complete], as: UTF8.self)
    }

    /// What is left at the end: U+FFFD if a character has stayed unfinished. The decoder may be used afresh.
    package mutating func finish() -> String {
        defer { pending.removeAll() }
        return String(decoding: pending, as: UTF8.self)
    }

    /// How many bytes at the end may still become a character: a proper prefix of a well-formed sequence
    /// (Unicode 16.0, table 3-7). Anything else at the end is final, whatever follows.
    private static func unfinishedLength(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let start = bytes.count - length
            let lead = bytes[start]
            if lead & 0xC0 == 0x80 { continue }
            let needed =
                switch lead {
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                default: 0
                }
            guard length < needed else { return 0 }
            if length == 1 { return 1 }
            let second = bytes[start + 1]
            let allowed: ClosedRange<UInt8> =
                switch lead {
                case 0xE0: 0xA0...0xBF
                case 0xED: 0x80...0x9F
                case 0xF0: 0x90...0xBF
                case 0xF4: 0x80...0x8F
                default: 0x80...0xBF
                }
            return allowed.contains(second) ? length : 0
        }
        return 0
    }
}
