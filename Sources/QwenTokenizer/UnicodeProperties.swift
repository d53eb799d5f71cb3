/// What pre-tokenization and normalization need to know of each code point, from the generated tables.
final class UnicodeProperties: Sendable {
    static let shared = UnicodeProperties()

    /// The classes that the pre-tokenizer's pattern tells apart. `newline` is CR and LF, `space` the rest of `\s`.
    enum Kind {
        static let other: UInt8 = 0
        static let letter: UInt8 = 1
        static let number: UInt8 = 2
        static let space: UInt8 = 3
        static let newline: UInt8 = 4
    }

    /// Bits of a code point's entry: the combining class in 0…7, the kind in 8…10, then the two flags.
    enum Bits {
        static let kindShift: UInt16 = 8
        /// Never changed by NFC and never joined to what stands before it.
        static let stable: UInt16 = 1 << 11
        /// A stable starter: text may be normalized in parts cut before it.
        static let boundary: UInt16 = 1 << 12
    }

    // Blocks of 128 code points, of which most are alike: 0x110000 / 128 indices, some 200 distinct blocks.
    static let blockShift: UInt32 = 7
    let blocks: Slab<UInt16>
    let entries: Slab<UInt16>
    /// Entries' kinds of U+0000 to U+007F again, one byte each, with `nonASCII` for lead bytes.
    let asciiKinds: Slab<UInt8>
    static let nonASCII: UInt8 = 5

    /// One step of canonical decomposition; a second part of 0 means there is none. Hangul is not in here.
    let decompositions: [UInt32: (first: UInt32, second: UInt32)]
    /// first << 32 | second → composite. Hangul is not in here.
    let compositions: [UInt64: UInt32]

    private init() {
        var flat = [UInt16](repeating: 0, count: 0x110000)
        Self.readKinds(into: &flat)
        Self.readCombiningClasses(into: &flat)
        let (decompositions, compositions) = Self.readDecompositions()
        self.decompositions = decompositions
        self.compositions = compositions
        Self.markStability(&flat, decompositions: decompositions, compositions: compositions)

        let blockSize = 1 << Int(Self.blockShift)
        var known: [ArraySlice<UInt16>: UInt16] = [:]
        var blocks: [UInt16] = []
        var entries: [UInt16] = []
        for start in stride(from: 0, to: flat.count, by: blockSize) {
            let block = flat[start..<start + blockSize]
            if let index = known[block] {
                blocks.append(index)
            } else {
                let index = UInt16(entries.count >> Int(Self.blockShift))
                known[block] = index
                blocks.append(index)
                entries += block
            }
        }
        self.blocks = Slab(blocks)
        self.entries = Slab(entries)
        asciiKinds = Slab((0..<256).map { $0 < 128 ? UInt8(flat[$0] >> Bits.kindShift & 7) : Self.nonASCII })
    }

    private static func readKinds(into flat: inout [UInt16]) {
        var reader = PackedReader(UnicodeTables.kinds)
        var position = 0
        while let run = reader.next() {
            let kind = UInt16(run & 3) << Bits.kindShift
            for c in position..<position + Int(run >> 2) { flat[c] = kind }
            position += Int(run >> 2)
        }
        precondition(position == flat.count)
        flat[0x0A] = UInt16(Kind.newline) << Bits.kindShift
        flat[0x0D] = flat[0x0A]
    }

    private static func readCombiningClasses(into flat: inout [UInt16]) {
        var reader = PackedReader(UnicodeTables.combiningClasses)
        var position = 0
        while let length = reader.next(), let combiningClass = reader.nextByte() {
            for c in position..<position + Int(length) { flat[c] |= UInt16(combiningClass) }
            position += Int(length)
        }
        precondition(position == flat.count)
    }

    private static func readDecompositions() -> (
        [UInt32: (first: UInt32, second: UInt32)], [UInt64: UInt32]
    ) {
        var reader = PackedReader(UnicodeTables.decompositions)
        var decompositions: [UInt32: (first: UInt32, second: UInt32)] = [:]
        var compositions: [UInt64: UInt32] = [:]
        var c = 0
        while let head = reader.next(), let zigzag = reader.next() {
            c += Int(head >> 2)
            let first = c + (zigzag & 1 == 0 ? Int(zigzag >> 1) : -Int(zigzag >> 1) - 1)
            let second = head & 1 == 1 ? reader.next() ?? 0 : 0
            decompositions[UInt32(c)] = (UInt32(first), second)
            if head & 2 != 0 { compositions[UInt64(first) << 32 | UInt64(second)] = UInt32(c) }
        }
        return (decompositions, compositions)
    }

    private static func markStability(
        _ flat: inout [UInt16], decompositions: [UInt32: (first: UInt32, second: UInt32)],
        compositions: [UInt64: UInt32]
    ) {
        var joins = Set(compositions.keys.map { UInt32(truncatingIfNeeded: $0) })
        joins.formUnion(Hangul.vowels)
        joins.formUnion(Hangul.trailing)
        let composites = Set(compositions.values)
        for c in 0..<UInt32(flat.count) {
            if joins.contains(c) || (decompositions[c] != nil && !composites.contains(c)) { continue }
            flat[Int(c)] |= Bits.stable
            var first = c
            while let parts = decompositions[first] { first = parts.first }
            if flat[Int(first)] & 0xFF == 0 && flat[Int(c)] & 0xFF == 0 && !joins.contains(first) {
                flat[Int(c)] |= Bits.boundary
            }
        }
    }

    @inline(__always)
    static func entry(
        of scalar: UInt32, blocks: UnsafePointer<UInt16>, entries: UnsafePointer<UInt16>
    ) -> UInt16 {
        let block = Int(blocks[Int(scalar >> blockShift)])
        return entries[block << Int(blockShift) | Int(scalar & 127)]
    }

    func entry(of scalar: UInt32) -> UInt16 {
        Self.entry(of: scalar, blocks: blocks.base, entries: entries.base)
    }
}

/// Hangul syllables compose by arithmetic (Unicode 16.0, section 3.12).
enum Hangul {
    static let syllables: Range<UInt32> = 0xAC00..<0xAC00 + 11172
    static let leading: Range<UInt32> = 0x1100..<0x1113
    static let vowels: Range<UInt32> = 0x1161..<0x1176
    static let trailing: Range<UInt32> = 0x11A8..<0x11C3
    static let trailingCount: UInt32 = 28
}

/// Reads the generated tables: base64 of variable-length integers.
private struct PackedReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: StaticString) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8CodeUnitCount)
        var bits: UInt32 = 0
        var bitCount = 0
        text.withUTF8Buffer { buffer in
            for character in buffer {
                let value: UInt8
                switch character {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
                case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
                case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
                case UInt8(ascii: "+"): value = 62
                case UInt8(ascii: "/"): value = 63
                default: continue
                }
                bits = bits << 6 | UInt32(value)
                bitCount += 6
                if bitCount >= 8 {
                    bitCount -= 8
                    bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
                }
            }
        }
        self.bytes = bytes
    }

    mutating func nextByte() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func next() -> UInt32? {
        var value: UInt32 = 0
        var shift: UInt32 = 0
        while let byte = nextByte() {
            value |= UInt32(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        return nil
    }
}
