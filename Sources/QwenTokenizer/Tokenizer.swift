#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif
internal import Synchronization

/// The tokenizer of Qwen2 and its descendants: text to token ids and back, id for id what Hugging Face's
/// `tokenizers` computes.
///
/// Immutable, so any number of threads may use one.
package final class Tokenizer: Sendable {
    let model: BytePairModel
    /// Added tokens that are looked for before normalization, and those looked for after it.
    private let rawMatcher: AddedTokenMatcher
    private let normalizedMatcher: AddedTokenMatcher
    private let composition = CanonicalComposition()
    /// Workspaces not in use. A call of `encode` takes one, with the word cache that earlier calls have filled.
    private let workspaces = Mutex<[WordEncoder.Workspace]>([])
    /// Each is three quarters of a megabyte; more than this many are dropped after use.
    private static let workspaceLimit = 8

    /// Reads the tokenizer in a checkpoint's directory: `tokenizer.json`, or else `vocab.json` and `merges.txt`.
    ///
    /// - Throws: `TokenizerError` if files are missing or corrupt, or describe another kind of tokenizer.
    package convenience init(directory: URL) throws(TokenizerError) {
        try self.init(TokenizerDefinition(directory: directory))
    }

    /// - Throws: `TokenizerError.inconsistent` if ids collide, a byte has no token or a merge no tokens.
    package init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        model = try BytePairModel(definition)
        rawMatcher = AddedTokenMatcher(definition.addedTokens.filter { !$0.isNormalized })
        let composition = composition
        var normalized = definition.addedTokens.filter(\.isNormalized)
        for i in normalized.indices {
            var content: [UInt8] = []
            normalized[i].content.withUTF8 { composition.normalize($0, into: &content) }
            normalized[i].content = String(decoding: content, as: UTF8.self)
        }
        normalizedMatcher = AddedTokenMatcher(normalized)
    }

    // MARK: Vocabulary

    /// One more than the highest id. Models may have more rows of embeddings than this.
    package var vocabularySize: Int { model.vocabulary.size }

    /// The id of an added token such as `<|im_end|>` by its content, or of another token by its spelling in the
    /// vocabulary file (`Ġthe`).
    package func id(of token: String) -> Int32? { model.vocabulary.id(of: token) }

    /// Whether there is a token with this id.
    package func contains(_ id: Int32) -> Bool { model.vocabulary.contains(id) }

    /// Whether `id` is a control token, which `skipSpecial` leaves out of decoded text. False for unknown ids.
    package func isSpecial(_ id: Int32) -> Bool { model.vocabulary.isSpecial(id) }

    /// The token as the vocabulary file spells it (`Ġthe`).
    ///
    /// - Throws: `TokenizerError.unknownID`
    package func token(of id: Int32) throws(TokenizerError) -> String {
        guard let token = model.vocabulary.spelling(of: id) else { throw unknown(id) }
        return token
    }

    /// The bytes that the token contributes to decoded text; they need not be whole characters.
    ///
    /// - Throws: `TokenizerError.unknownID`
    package func bytes(of id: Int32) throws(TokenizerError) -> [UInt8] {
        guard let bytes = model.vocabulary.bytes(of: id) else { throw unknown(id) }
        return Array(bytes)
    }

    func unknown(_ id: Int32) -> TokenizerError { .unknownID(id, vocabularySize: vocabularySize) }

    // MARK: Decoding

    /// The text of `ids`. Bytes that are not UTF-8 become U+FFFD, one for each maximal part of a character.
    ///
    /// - Parameter skipSpecial: leaves out control tokens such as `<|im_end|>`.
    /// - Throws: `TokenizerError.unknownID` for an id without a token.
    package func decode(
        _ ids: some Sequence<Int32>, skipSpecial: Bool = false
    ) throws(TokenizerError) -> String {
        var output: [UInt8] = []
        for id in ids {
            guard let bytes = model.vocabulary.bytes(of: id) else { throw unknown(id) }
            if skipSpecial && isSpecial(id) { continue }
            output.append(contentsOf: bytes)
        }
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Encoding

    /// The token ids of `text`.
    ///
    /// - Parameter allowSpecial: if false, control tokens that are spelt out in the text (`<|im_start|>`) are encoded
    ///   as the plain text they are: what a user has typed cannot pose as a turn of the conversation. Added tokens
    ///   that are not control tokens (`<tool_call>`) are found either way, as in the reference.
    package func encode(_ text: String, allowSpecial: Bool = true) -> [Int32] {
        var text = text
        return text.withUTF8 { encodeValid($0, allowSpecial: allowSpecial) }
    }

    /// The token ids of UTF-8 text.
    ///
    /// - Throws: `TokenizerError.invalidUTF8`
    package func encode(
        utf8 text: UnsafeBufferPointer<UInt8>, allowSpecial: Bool = true
    ) throws(TokenizerError) -> [Int32] {
        guard let string = String(validating: text, as: UTF8.self) else {
            let valid = zip(String(decoding: text, as: UTF8.self).utf8, text).prefix { $0 == $1 }
            throw .invalidUTF8(offset: valid.count)
        }
        return encode(string, allowSpecial: allowSpecial)
    }

    private func encodeValid(_ text: UnsafeBufferPointer<UInt8>, allowSpecial: Bool) -> [Int32] {
        if text.isEmpty { return [] }
        let workspace = workspaces.withLock { $0.popLast() } ?? WordEncoder.Workspace()
        // Prose has about one token for four bytes.
        var encoder = WordEncoder(model, workspace: workspace, expectedTokens: text.count / 3)
        split(text, rawMatcher, allowSpecial) { piece in
            switch piece {
            case .token(let id): encoder.append(id)
            case .text(let range):
                let part = UnsafeBufferPointer(rebasing: text[range])
                if composition.isNormalized(part) {
                    encodeNormalized(part, allowSpecial, &encoder)
                } else {
                    workspace.text.removeAll(keepingCapacity: true)
                    composition.normalize(part, into: &workspace.text)
                    workspace.text.withUnsafeBufferPointer { encodeNormalized($0, allowSpecial, &encoder) }
                }
            }
        }
        let ids = encoder.finish()
        workspaces.withLock { if $0.count < Self.workspaceLimit { $0.append(workspace) } }
        return ids
    }

    private func encodeNormalized(
        _ text: UnsafeBufferPointer<UInt8>, _ allowSpecial: Bool, _ encoder: inout WordEncoder
    ) {
        guard let base = text.baseAddress else { return }
        if normalizedMatcher.isEmpty {
            encoder.encode(base, from: 0, to: text.count)
            return
        }
        split(text, normalizedMatcher, allowSpecial) { piece in
            switch piece {
            case .token(let id): encoder.append(id)
            case .text(let range): encoder.encode(base, from: range.lowerBound, to: range.upperBound)
            }
        }
    }

    private enum Piece {
        case text(Range<Int>)
        case token(Int32)
    }

    /// Cuts text at added tokens, as the reference does: a control token that is not allowed is passed over whole.
    private func split(
        _ text: UnsafeBufferPointer<UInt8>, _ matcher: AddedTokenMatcher, _ allowSpecial: Bool,
        _ body: (Piece) -> Void
    ) {
        var done = 0
        var position = 0
        while !matcher.isEmpty, let match = matcher.next(in: text, from: position) {
            position = match.range.upperBound
            if match.token.isSpecial && !allowSpecial { continue }
            var (start, end) = (match.range.lowerBound, match.range.upperBound)
            if match.token.stripsLeft { start = max(done, WhiteSpace.start(in: text, endingAt: start)) }
            if match.token.stripsRight { end = WhiteSpace.end(in: text, startingAt: end) }
            if done < start { body(.text(done..<start)) }
            body(.token(match.token.id))
            done = end
        }
        if done < text.count { body(.text(done..<text.count)) }
    }
}

/// White space around added tokens that take it in.
private enum WhiteSpace {
    static func isSpace(_ scalar: UInt32) -> Bool {
        let kind = UInt8(
            truncatingIfNeeded: UnicodeProperties.shared.entry(of: scalar) >> UnicodeProperties.Bits.kindShift & 7)
        return kind == UnicodeProperties.Kind.space || kind == UnicodeProperties.Kind.newline
    }

    static func end(in text: UnsafeBufferPointer<UInt8>, startingAt start: Int) -> Int {
        guard let base = text.baseAddress else { return start }
        var i = start
        while i < text.count {
            let (scalar, length) = UTF8Scalar.decode(base + i)
            guard isSpace(scalar) else { break }
            i += length
        }
        return i
    }

    static func start(in text: UnsafeBufferPointer<UInt8>, endingAt end: Int) -> Int {
        guard let base = text.baseAddress else { return end }
        var i = end
        while i > 0 {
            var previous = i - 1
            while previous > 0 && text[previous] & 0xC0 == 0x80 { previous -= 1 }
            guard isSpace(UTF8Scalar.decode(base + previous).scalar) else { break }
            i = previous
        }
        return i
    }
}
