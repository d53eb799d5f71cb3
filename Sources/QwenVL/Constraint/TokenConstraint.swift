import ChatTemplate
import QwenTokenizer

/// Holds one answer to a form: which tokens may come next, given those that came.
struct TokenConstraint {
    private let shared: ConstrainedVocabulary
    private let matcher: ConstrainedVocabulary.Matcher
    private var state: GrammarMatcher.State

    fileprivate init(shared: ConstrainedVocabulary, matcher: ConstrainedVocabulary.Matcher) {
        self.shared = shared
        self.matcher = matcher
        state = matcher.grammar.initial
    }

    /// Whether the document is whole and nothing can follow.
    var isComplete: Bool { matcher.grammar.isComplete(state) }

    /// Takes away what may not come.
    /// - Parameter ends: tokens that end the answer; they may come where the document may end.
    func mask(_ scores: UnsafeMutableBufferPointer<Float>, ends: Set<Int>) {
        let allowed = shared.allowed(state, matcher)
        let kept = matcher.grammar.isAccepting(state) ? ends.map { ($0, scores[$0]) } : []
        for index in scores.indices {
            let word = index >> 6 < allowed.count ? allowed[index >> 6] : 0
            if word >> UInt64(index & 63) & 1 == 0 { scores[index] = -.infinity }
        }
        for (token, score) in kept { scores[token] = score }
    }

    /// Follows a token that has been chosen.
    mutating func accept(_ token: Int) {
        for byte in shared.bytes(of: token) where state >= 0 { state = matcher.grammar.step(state, byte) }
    }
}

/// A tokenizer's tokens in the order of their bytes, and the grammars that answers have been held to.
final class ConstrainedVocabulary {
    final class Matcher {
        let grammar: GrammarMatcher
        /// By state, a bit for each token that may come.
        fileprivate var masks: [GrammarMatcher.State: [UInt64]] = [:]
        init(_ grammar: Grammar) { self.grammar = GrammarMatcher(grammar) }
    }

    /// 19 KB each with the official vocabulary.
    private static let maskLimit = 2048
    private static let matcherLimit = 16

    private let tokenizer: Tokenizer
    private struct Entry {
        let token: Int32
        let bytes: [UInt8]
        /// Bytes in common with the entry before.
        var common = 0
    }
    /// Made when first needed: 152,000 tokens take some tenths of a second to sort.
    private lazy var entries: [Entry] = Self.sorted(tokenizer)
    private var matchers: [String: Matcher] = [:]

    init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    /// What holds an answer to the form; nil when any text will do.
    /// - Throws: `InputError` for a schema that cannot be kept to.
    func constraint(_ format: ResponseFormat?) throws(InputError) -> TokenConstraint? {
        let key: String
        switch format {
        case nil, .text?: return nil
        case .jsonObject?: key = "object"
        case .jsonSchema(let schema)?: key = schema.value.serialized(.compact)
        case .toolCall(let tools)?: key = "call " + TemplateValue.list(tools.map(\.value)).serialized(.compact)
        }
        if let known = matchers[key] { return TokenConstraint(shared: self, matcher: known) }
        let grammar: Grammar
        switch format {
        case .jsonSchema(let schema)?: grammar = try JSONGrammar.schema(schema.value)
        case .toolCall(let tools)?: grammar = JSONGrammar.toolCall(tools.map(\.value))
        case .jsonObject?, .text?, nil: grammar = JSONGrammar.anyObject()
        }
        if matchers.count >= Self.matcherLimit { matchers.removeAll() }
        let matcher = Matcher(grammar)
        matchers[key] = matcher
        return TokenConstraint(shared: self, matcher: matcher)
    }

    fileprivate func bytes(of token: Int) -> [UInt8] { (try? tokenizer.bytes(of: Int32(clamping: token))) ?? [] }

    fileprivate func allowed(_ state: GrammarMatcher.State, _ matcher: Matcher) -> [UInt64] {
        if let known = matcher.masks[state] { return known }
        var mask = [UInt64](repeating: 0, count: (tokenizer.vocabularySize + 63) / 64)
        // The path of states along the bytes of the token before; tokens that share its beginning share its path.
        var path = [state]
        for entry in entries {
            // It shares the byte at which the one before failed.
            if entry.common > path.count - 1 { continue }
            path.removeLast(path.count - 1 - entry.common)
            while path.count <= entry.bytes.count {
                let next = matcher.grammar.step(path[path.count - 1], entry.bytes[path.count - 1])
                if next == GrammarMatcher.dead { break }
                path.append(next)
            }
            if path.count == entry.bytes.count + 1 {
                mask[Int(entry.token) >> 6] |= UInt64(1) << UInt64(entry.token & 63)
            }
        }
        if matcher.masks.count >= Self.maskLimit { matcher.masks.removeAll() }
        matcher.masks[state] = mask
        return mask
    }

    private static func sorted(_ tokenizer: Tokenizer) -> [Entry] {
        var entries: [Entry] = []
        for id in 0..<Int32(clamping: tokenizer.vocabularySize) where tokenizer.contains(id) && !tokenizer.isSpecial(id)
        {
            guard let bytes = try? tokenizer.bytes(of: id), !bytes.isEmpty else { continue }
            entries.append(Entry(token: id, bytes: bytes))
        }
        entries.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        for index in entries.indices.dropFirst() {
            entries[index].common = zip(entries[index - 1].bytes, entries[index].bytes).prefix { $0 == $1 }.count
        }
        return entries
    }
}
