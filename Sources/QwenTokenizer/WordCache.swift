/// The tokens of words seen lately: one encoder's own, direct-mapped, bounded.
///
/// Text repeats its words, so nearly every word of prose or code is answered here and byte-pair encoding sees the
/// rest. A word is its own key, so an answer is never another word's. Longer words, common where a letter takes two
/// or three bytes, have larger entries of their own, so that they do not crowd out the short ones.
final class WordCache {
    /// A word of up to 15 bytes.
    struct Entry: BitwiseCopyable {
        /// The word's bytes, zero-padded, its length in the top byte. No word has length 0: that entry is free.
        var low: UInt64
        var high: UInt64
        /// At most `maximumTokens` ids, then their count.
        var tokens: SIMD4<Int32>
    }

    /// A word of 16 to 31 bytes: one cache line.
    struct LongEntry: BitwiseCopyable {
        /// As in `Entry`.
        var word: SIMD4<UInt64>
        /// At most `maximumLongTokens` ids, then their count.
        var tokens: SIMD8<Int32>
    }

    static let maximumLength = 15
    static let maximumTokens = 3
    static let maximumLongLength = 31
    static let maximumLongTokens = 7
    // 16,384 entries of 32 bytes: half of a 1 MiB second-level cache, and more distinct words than a long document has.
    private static let bits: UInt64 = 14
    // 4,096 entries of 64 bytes: half as much again.
    private static let longBits: UInt64 = 12

    let entries: UnsafeMutablePointer<Entry>
    let longEntries: UnsafeMutablePointer<LongEntry>

    init() {
        entries = .allocate(capacity: 1 << Int(Self.bits))
        entries.initialize(repeating: Entry(low: 0, high: 0, tokens: .zero), count: 1 << Int(Self.bits))
        longEntries = .allocate(capacity: 1 << Int(Self.longBits))
        longEntries.initialize(repeating: LongEntry(word: .zero, tokens: .zero), count: 1 << Int(Self.longBits))
    }

    deinit {
        entries.deallocate()
        longEntries.deallocate()
    }

    static func slot(_ word: SIMD4<UInt64>) -> Int {
        let first = (word[0] ^ (word[1] &* 0xD6E8_FEB8_6659_FD93)) &* 0x9E37_79B9_7F4A_7C15
        let second = (word[2] ^ (word[3] &* 0xD6E8_FEB8_6659_FD93)) &* 0xA24B_AED4_963E_E407
        let mixed = (first ^ (first >> 32) ^ second) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed &>> (64 - longBits))
    }

    /// The key of a word of 16 to 31 bytes.
    static func longKey(_ p: UnsafePointer<UInt8>, length: Int, readable: Int) -> SIMD4<UInt64> {
        let raw = UnsafeRawPointer(p)
        let (low, high) = key(p + 16, length: length - 16, readable: readable - 16)
        return SIMD4(
            UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self)),
            UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)), low,
            high &+ (16 << 56))
    }

    @inline(__always)
    static func slot(_ low: UInt64, _ high: UInt64) -> Int {
        let mixed = (low ^ (low >> 32) ^ (high &* 0xD6E8_FEB8_6659_FD93)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed &>> (64 - bits))
    }

    /// The key of the word at `p`. `readable` counts the bytes that may be read from `p` on.
    @inline(__always)
    static func key(_ p: UnsafePointer<UInt8>, length: Int, readable: Int) -> (low: UInt64, high: UInt64) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        if readable >= 16 {
            let raw = UnsafeRawPointer(p)
            low = UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
            if length == 0 {
                low = 0
            } else if length <= 8 {
                low &= UInt64.max &>> UInt64(64 - 8 * length)
            } else {
                high = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                high &= UInt64.max &>> UInt64(128 - 8 * length)
            }
        } else {
            for i in 0..<min(length, 8) { low |= UInt64(p[i]) << UInt64(8 * i) }
            for i in min(length, 8)..<length { high |= UInt64(p[i]) << UInt64(8 * (i - 8)) }
        }
        return (low, high | UInt64(length) << 56)
    }
}
