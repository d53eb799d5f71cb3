/// Cuts normalized text into the words that byte-pair encoding works on.
///
/// By hand what this pattern matches, leftmost alternative first:
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N} | ?[^\s\p{L}\p{N}]+[\r\n]*
///     | \s*[\r\n]+ | \s+(?!\S) | \s+
///
/// Every character starts some match, so words cover the text without gaps. Each takes time linear in its length.
struct PreTokenizer {
    /// The `Split` pattern of Qwen2's `tokenizer.json`.
    static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    private typealias Kind = UnicodeProperties.Kind

    private let base: UnsafePointer<UInt8>
    private let end: Int
    private let asciiKinds: UnsafePointer<UInt8>
    private let blocks: UnsafePointer<UInt16>
    private let entries: UnsafePointer<UInt16>

    /// `base[..<end]` must be valid UTF-8 and outlive this value.
    init(_ base: UnsafePointer<UInt8>, end: Int) {
        let properties = UnicodeProperties.shared
        self.base = base
        self.end = end
        asciiKinds = UnsafePointer(properties.asciiKinds.base)
        blocks = UnsafePointer(properties.blocks.base)
        entries = UnsafePointer(properties.entries.base)
    }

    /// The end of the word that starts at `start`, which must be below the text's end.
    @inline(__always)
    func wordEnd(from start: Int) -> Int {
        let (kind, length) = character(at: start)
        let next = start + length
        switch kind {
        case Kind.letter: return lettersEnd(from: next)
        case Kind.number: return next
        case Kind.space, Kind.newline: return spaceWordEnd(from: start, next: next, isNewline: kind == Kind.newline)
        default:
            if base[start] == UInt8(ascii: "'"), let end = contractionEnd(from: next) { return end }
            if next < end {
                let (kind, length) = character(at: next)
                if kind == Kind.letter { return lettersEnd(from: next + length) }
            }
            return othersEnd(from: next)
        }
    }

    @inline(__always)
    private func character(at i: Int) -> (kind: UInt8, length: Int) {
        let kind = asciiKinds[Int(base[i])]
        return kind == UnicodeProperties.nonASCII ? nonASCIICharacter(at: i) : (kind, 1)
    }

    @inline(__always)
    private func nonASCIICharacter(at i: Int) -> (kind: UInt8, length: Int) {
        let (scalar, length) = UTF8Scalar.decode(base + i)
        let entry = UnicodeProperties.entry(of: scalar, blocks: blocks, entries: entries)
        return (UInt8(truncatingIfNeeded: entry >> UnicodeProperties.Bits.kindShift) & 7, length)
    }

    @inline(__always)
    private func lettersEnd(from start: Int) -> Int {
        var i = start
        while i < end {
            let (kind, length) = character(at: i)
            if kind != Kind.letter { break }
            i += length
        }
        return i
    }

    /// `[^\s\p{L}\p{N}]*[\r\n]*`
    private func othersEnd(from start: Int) -> Int {
        var i = start
        while i < end {
            let (kind, length) = character(at: i)
            if kind != Kind.other { break }
            i += length
        }
        while i < end, asciiKinds[Int(base[i])] == Kind.newline { i += 1 }
        return i
    }

    /// The end of a contraction, from what follows its apostrophe.
    private func contractionEnd(from next: Int) -> Int? {
        guard next < end else { return nil }
        // ASCII letters in lower case; no other byte becomes one of those compared with.
        let first = base[next] | 0x20
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return next + 1
        default: break
        }
        guard next + 1 < end else { return nil }
        // U+017F, the long s, is an s when case is ignored.
        if base[next] == 0xC5 && base[next + 1] == 0xBF { return next + 2 }
        let second = base[next + 1] | 0x20
        switch (first, second) {
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return next + 2
        default: return nil
        }
    }

    /// Where a word ends whose first character, from `start` to `next`, is white space.
    @inline(__always)
    private func spaceWordEnd(from start: Int, next: Int, isNewline: Bool) -> Int {
        if next == end { return next }
        if !isNewline {
            let (kind, length) = character(at: next)
            switch kind {
            case Kind.letter: return lettersEnd(from: next + length)
            case Kind.number: return next
            case Kind.other: return base[start] == UInt8(ascii: " ") ? othersEnd(from: next + length) : next
            default: break
            }
        }
        return spacesEnd(from: start)
    }

    /// A run of white space: up to its last line end; else all of it before the text's end, and all but its last
    /// character before anything else (which begins the next word), unless it has only that one.
    private func spacesEnd(from start: Int) -> Int {
        var i = start
        var last = start
        var newlineEnd = start
        while i < end {
            let (kind, length) = character(at: i)
            guard kind == Kind.space || kind == Kind.newline else { break }
            last = i
            i += length
            if kind == Kind.newline { newlineEnd = i }
        }
        if newlineEnd > start { return newlineEnd }
        return i == end || last == start ? i : last
    }
}
