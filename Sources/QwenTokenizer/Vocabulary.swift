/// The bytes of each token, and the token of each byte string.
final class Vocabulary: Sendable {
    /// Ids stay below this, which is far above any model's; it bounds what a corrupt file can make us allocate.
    static let idLimit: Int32 = 1 << 23

    /// What is known of an id.
    enum Kind {
        static let none: UInt8 = 0
        /// Byte pairs produce it.
        static let model: UInt8 = 1
        /// In the vocabulary, but not spelt in the byte-level alphabet: decoded to its own UTF-8.
        static let literal: UInt8 = 2
        static let added: UInt8 = 3
        static let special: UInt8 = 4
    }

    let bytes: Slab<UInt8>
    /// Token `id` is `bytes[starts[id]..<starts[id + 1]]`.
    let starts: Slab<UInt32>
    let kinds: Slab<UInt8>
    /// Ids of the model's tokens by hash of their bytes, -1 where free. At most half full.
    private let slots: Slab<Int32>
    private let addedIDs: [String: Int32]

    /// One more than the highest id.
    var size: Int { kinds.count }

    init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        let contents = try VocabularyContents(definition)
        let size = contents.ranges.count
        var packed: [UInt8] = []
        packed.reserveCapacity(contents.bytes.count)
        let starts = Slab<UInt32>(repeating: 0, count: size + 1)
        for id in 0..<size {
            let range = contents.ranges[id]
            packed.append(contentsOf: contents.bytes[Int(range.lowerBound)..<Int(range.upperBound)])
            starts.base[id + 1] = UInt32(packed.count)
        }
        bytes = Slab(packed)
        self.starts = starts
        kinds = Slab(contents.kinds)
        addedIDs = contents.addedIDs

        var slotCount = 16
        while slotCount < size * 2 { slotCount *= 2 }
        let slots = Slab<Int32>(repeating: -1, count: slotCount)
        let view = View(
            bytes: UnsafePointer(bytes.base), starts: UnsafePointer(starts.base), slots: UnsafePointer(slots.base),
            mask: slotCount - 1)
        for id in 0..<size where contents.isModelToken[id] {
            let start = Int(starts.base[id])
            let length = Int(starts.base[id + 1]) - start
            let (slot, found) = view.find(view.bytes + start, length: length)
            if let found {
                throw .inconsistent(
                    field: "vocab", expected: "each token once", found: "the same bytes for ids \(found) and \(id)")
            }
            slots.base[slot] = Int32(id)
        }
        for token in definition.addedTokens {
            let start = Int(starts.base[Int(token.id)])
            let length = Int(starts.base[Int(token.id) + 1]) - start
            if let id = view.id(of: view.bytes + start, length: length), id != token.id {
                throw .inconsistent(
                    field: "added token \(token.content)", expected: "id \(id), as in vocab", found: "id \(token.id)")
            }
        }
        self.slots = slots
    }

    /// The table as bare pointers; valid while the vocabulary lives.
    struct View {
        let bytes: UnsafePointer<UInt8>
        let starts: UnsafePointer<UInt32>
        let slots: UnsafePointer<Int32>
        let mask: Int

        func id(of word: UnsafePointer<UInt8>, length: Int) -> Int32? { find(word, length: length).id }

        fileprivate func find(_ word: UnsafePointer<UInt8>, length: Int) -> (slot: Int, id: Int32?) {
            var slot = Int(truncatingIfNeeded: Self.hash(word, length)) & mask
            while true {
                let id = slots[slot]
                if id < 0 { return (slot, nil) }
                if matches(id, word, length) { return (slot, id) }
                slot = (slot + 1) & mask
            }
        }

        func matches(_ id: Int32, _ word: UnsafePointer<UInt8>, _ length: Int) -> Bool {
            let start = Int(starts[Int(id)])
            guard Int(starts[Int(id) + 1]) - start == length else { return false }
            for i in 0..<length where bytes[start + i] != word[i] { return false }
            return true
        }

        private static func hash(_ word: UnsafePointer<UInt8>, _ length: Int) -> UInt64 {
            var hash = UInt64(length)
            for i in 0..<length { hash = (hash ^ UInt64(word[i])) &* 0x9E37_79B9_7F4A_7C15 &+ (hash >> 47) }
            return hash ^ hash >> 32
        }
    }

    var view: View {
        View(
            bytes: UnsafePointer(bytes.base), starts: UnsafePointer(starts.base), slots: UnsafePointer(slots.base),
            mask: slots.count - 1)
    }

    func contains(_ id: Int32) -> Bool { id >= 0 && Int(id) < size && kinds.base[Int(id)] != Kind.none }

    func isSpecial(_ id: Int32) -> Bool { id >= 0 && Int(id) < size && kinds.base[Int(id)] == Kind.special }

    /// The bytes that the token contributes to decoded text; `nil` for an id without a token.
    func bytes(of id: Int32) -> UnsafeBufferPointer<UInt8>? {
        guard contains(id) else { return nil }
        let start = Int(starts.base[Int(id)])
        return UnsafeBufferPointer(start: bytes.base + start, count: Int(starts.base[Int(id) + 1]) - start)
    }

    /// The token as the files spell it.
    func spelling(of id: Int32) -> String? {
        guard let bytes = bytes(of: id) else { return nil }
        switch kinds.base[Int(id)] {
        case Kind.model: return ByteAlphabet.spell(bytes)
        case Kind.literal: return String(decoding: bytes, as: UTF8.self)
        default: return addedIDs.first { $0.value == id }?.key
        }
    }

    /// The id of an added token by its content, or of a vocabulary token by its spelling in the files.
    func id(of token: String) -> Int32? {
        if let id = addedIDs[token] { return id }
        var word: [UInt8] = []
        var token = token
        guard token.withUTF8({ ByteAlphabet.decode($0, into: &word) }) else { return nil }
        return word.withUnsafeBufferPointer { word in
            guard let base = word.baseAddress else { return nil }
            return view.id(of: base, length: word.count)
        }
    }
}

/// Bytes and kind of each id, gathered from a definition and checked.
private struct VocabularyContents {
    var bytes: [UInt8] = []
    var ranges: [Range<UInt32>]
    var kinds: [UInt8]
    /// Tokens that byte pairs can produce, whether they are added tokens as well or not.
    var isModelToken: [Bool]
    var addedIDs: [String: Int32] = [:]

    init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        let highest = max(definition.ids.max() ?? -1, definition.addedTokens.map(\.id).max() ?? -1)
        let lowest = min(definition.ids.min() ?? 0, definition.addedTokens.map(\.id).min() ?? 0)
        guard lowest >= 0, highest < Vocabulary.idLimit else {
            throw .inconsistent(
                field: "vocab", expected: "ids from 0 to \(Vocabulary.idLimit - 1)",
                found: "id \(lowest < 0 ? lowest : highest)")
        }
        ranges = Array(repeating: 0..<0, count: Int(highest) + 1)
        kinds = Array(repeating: Vocabulary.Kind.none, count: ranges.count)
        isModelToken = Array(repeating: false, count: ranges.count)
        bytes.reserveCapacity(definition.tokens.bytes.count)
        try addModelTokens(definition)
        for token in definition.addedTokens { try add(token, definition) }
    }

    private mutating func addModelTokens(_ definition: TokenizerDefinition) throws(TokenizerError) {
        let duplicate: Int32? = definition.tokens.bytes.withUnsafeBufferPointer { text in
            for (index, id) in definition.ids.enumerated() {
                if kinds[Int(id)] != Vocabulary.Kind.none { return id }
                let spelling = UnsafeBufferPointer(rebasing: text[definition.tokens.range(index)])
                let start = UInt32(bytes.count)
                if ByteAlphabet.decode(spelling, into: &bytes) {
                    kinds[Int(id)] = Vocabulary.Kind.model
                    isModelToken[Int(id)] = true
                } else {
                    kinds[Int(id)] = Vocabulary.Kind.literal
                    bytes.append(contentsOf: spelling)
                }
                ranges[Int(id)] = start..<UInt32(bytes.count)
            }
            return nil
        }
        if let duplicate {
            throw .inconsistent(field: "vocab", expected: "each id once", found: "id \(duplicate) again")
        }
    }

    private mutating func add(_ token: AddedToken, _ definition: TokenizerDefinition) throws(TokenizerError) {
        var content = token.content
        let field = "added token \(token.content)"
        if let known = addedIDs[token.content] {
            throw .inconsistent(field: field, expected: "one entry", found: "ids \(known) and \(token.id)")
        }
        var decoded: [UInt8] = []
        // The byte-level decoder reads added tokens in its alphabet too where it can.
        let spelling = content.withUTF8 { text -> [UInt8] in
            ByteAlphabet.decode(text, into: &decoded) ? decoded : Array(text)
        }
        let id = Int(token.id)
        if kinds[id] != Vocabulary.Kind.none {
            // The vocabulary may list added tokens too, if it means the same by the id.
            let range = Int(ranges[id].lowerBound)..<Int(ranges[id].upperBound)
            guard kinds[id] <= Vocabulary.Kind.literal, bytes[range].elementsEqual(spelling) else {
                throw .inconsistent(field: field, expected: "an id of its own", found: "id \(id), which is taken")
            }
        } else {
            let start = UInt32(bytes.count)
            bytes.append(contentsOf: spelling)
            ranges[id] = start..<UInt32(bytes.count)
        }
        kinds[id] = token.isSpecial ? Vocabulary.Kind.special : Vocabulary.Kind.added
        addedIDs[token.content] = token.id
    }
}
