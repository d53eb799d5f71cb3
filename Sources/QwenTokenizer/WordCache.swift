/// The tokens of short words seen lately: one encoder's own, direct-mapped, bounded.
///
/// Text repeats its words, so nearly every word of prose or code is answered here and byte-pair encoding sees the
/// rest. A word is its own key, so an answer is never another word's.
final class WordCache {
    struct Entry: BitwiseCopyable {
        /// The word's bytes, zero-padded, its length in the top byte. No word has length 0: that entry is free.
        var low: UInt64
        var high: UInt64
        /// At most `maximumTokens` ids, then their count.
        var tokens: SIMD4<Int32>
    }

    static let maximumLength = 15
    static let maximumTokens = 3
    // 16,384 entries of 32 bytes: half of a 1 MiB second-level cache, and more distinct words than a long document has.
    private static let bits: UInt64 = 14

    let entries: UnsafeMutablePointer<Entry>

    init() {
        entries = .allocate(capacity: 1 << Int(Self.bits))
        entries.initialize(repeating: Entry(low: 0, high: 0, tokens: .zero), count: 1 << Int(Self.bits))
    }

    deinit { entries.deallocate() }

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
            if length <= 8 {
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
