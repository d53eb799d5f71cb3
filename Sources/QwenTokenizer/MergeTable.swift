/// What each pair of tokens merges into, and with which priority.
///
/// Open addressing with linear probing at a load of at most two thirds, behind a filter.
final class MergeTable: Sendable {
    struct Entry: BitwiseCopyable {
        /// left << 32 | right
        var pair: UInt64
        /// Merges with lower ranks come first.
        var rank: Int32
        var merged: Int32
    }

    struct Merge: BitwiseCopyable {
        var rank: Int32
        var merged: Int32
    }

    /// The rank of pairs that do not merge. Ranks stay below it, so that rank and position fit one `Int32` key.
    static let noRank: Int32 = 1 << 23 - 1
    private static let noPair = UInt64.max

    let entries: Slab<Entry>
    let shift: UInt64
    /// One bit per hash of a pair: most pairs looked up do not merge, and these 256 KiB tell so from the second-level
    /// cache where the table would miss it. One in fourteen is told wrongly with Qwen's 151,387 merges.
    let filter: Slab<UInt64>
    private static let filterBits: UInt64 = 21
    /// Merges of pairs of single bytes, by left << 8 | right: the look-ups that every new word begins with.
    let bytePairs: Slab<Merge>

    /// Later entries for the same pair replace earlier ones.
    init(_ merges: [Entry], byteTokens: Slab<Int32>) {
        var bits: UInt64 = 4
        while 2 << bits < merges.count * 3 { bits += 1 }
        let shift = 64 - bits
        let mask = (1 << Int(bits)) - 1
        let entries = Slab(
            repeating: Entry(pair: Self.noPair, rank: Self.noRank, merged: -1), count: 1 << Int(bits))
        for merge in merges {
            var slot = Self.slot(merge.pair, shift: shift)
            while entries.base[slot].pair != Self.noPair && entries.base[slot].pair != merge.pair {
                slot = (slot + 1) & mask
            }
            entries.base[slot] = merge
        }
        self.entries = entries
        self.shift = shift
        let filter = Slab<UInt64>(repeating: 0, count: 1 << Int(Self.filterBits - 6))
        for merge in merges {
            let bit = Self.hash(merge.pair) >> (64 - Self.filterBits)
            filter.base[Int(bit >> 6)] |= 1 << (bit & 63)
        }
        self.filter = filter

        let view = View(
            entries: UnsafePointer(entries.base), filter: UnsafePointer(filter.base), shift: shift, mask: mask)
        let bytePairs = Slab(repeating: Merge(rank: Self.noRank, merged: -1), count: 1 << 16)
        for left in 0..<256 {
            for right in 0..<256 {
                bytePairs.base[left << 8 | right] = view.merge(byteTokens.base[left], byteTokens.base[right])
            }
        }
        self.bytePairs = bytePairs
    }

    /// Fibonacci hashing: the high bits are good. The fold brings the left id into the low half first.
    @inline(__always)
    private static func hash(_ pair: UInt64) -> UInt64 { (pair ^ (pair >> 29)) &* 0x9E37_79B9_7F4A_7C15 }

    @inline(__always)
    private static func slot(_ pair: UInt64, shift: UInt64) -> Int {
        Int(truncatingIfNeeded: hash(pair) &>> shift)
    }

    /// The table as bare pointers; valid while the table lives.
    struct View {
        let entries: UnsafePointer<Entry>
        let filter: UnsafePointer<UInt64>
        let shift: UInt64
        let mask: Int

        @inline(__always)
        func merge(_ left: Int32, _ right: Int32) -> Merge {
            let pair = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
            let hash = MergeTable.hash(pair)
            let bit = hash &>> (64 - MergeTable.filterBits)
            guard filter[Int(truncatingIfNeeded: bit &>> 6)] &>> (bit & 63) & 1 != 0 else {
                return Merge(rank: MergeTable.noRank, merged: -1)
            }
            var slot = Int(truncatingIfNeeded: hash &>> shift)
            while true {
                let entry = entries[slot]
                if entry.pair == pair || entry.pair == MergeTable.noPair {
                    return Merge(rank: entry.rank, merged: entry.merged)
                }
                slot = (slot + 1) & mask
            }
        }
    }

    var view: View {
        View(
            entries: UnsafePointer(entries.base), filter: UnsafePointer(filter.base), shift: shift,
            mask: entries.count - 1)
    }
}
