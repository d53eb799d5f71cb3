/// Unicode normalization form C, as the reference tokenizer's library computes it.
///
/// Text is nearly always in form C already, so it is checked first, and then only the pieces between two boundaries
/// that need it are rewritten.
struct CanonicalComposition {
    private let properties = UnicodeProperties.shared

    /// A scalar and the canonical combining class by which it is sorted.
    private struct Mark {
        var scalar: UInt32
        var combiningClass: UInt8
    }

    /// Whether `text` (valid UTF-8) is sure to be in form C. A few texts in form C are reported as not.
    func isNormalized(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = text.baseAddress else { return true }
        return firstUnstable(base, from: 0, end: text.count) == nil
    }

    /// Appends form C of `text` (valid UTF-8) to `output`.
    func normalize(_ text: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) {
        guard let base = text.baseAddress else { return }
        var position = 0
        var marks: [Mark] = []
        while let found = firstUnstable(base, from: position, end: text.count) {
            output.append(contentsOf: UnsafeBufferPointer(rebasing: text[position..<found.boundary]))
            marks.removeAll(keepingCapacity: true)
            var i = found.boundary
            while i < text.count {
                let (scalar, length) = UTF8Scalar.decode(base + i)
                // Up to the boundary that follows the scalar that was found.
                if i > found.scalar && properties.entry(of: scalar) & UnicodeProperties.Bits.boundary != 0 { break }
                decompose(scalar, into: &marks)
                i += length
            }
            reorder(&marks)
            compose(&marks)
            for mark in marks { UTF8Scalar.append(mark.scalar, to: &output) }
            position = i
        }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: text[position...]))
    }

    /// The first scalar that form C may change or that is out of order, and the last boundary before it; both offsets.
    private func firstUnstable(
        _ base: UnsafePointer<UInt8>, from start: Int, end: Int
    ) -> (boundary: Int, scalar: Int)? {
        let blocks = UnsafePointer(properties.blocks.base)
        let entries = UnsafePointer(properties.entries.base)
        var i = start
        var boundary = start
        var lastClass: UInt8 = 0
        while i < end {
            let byte = base[i]
            // Everything below U+0300 (lead bytes below 0xCC) is a boundary.
            if byte < 0xCC {
                boundary = i
                lastClass = 0
                i += byte < 0x80 ? 1 : 2
                continue
            }
            let (scalar, length) = UTF8Scalar.decode(base + i)
            let entry = UnicodeProperties.entry(of: scalar, blocks: blocks, entries: entries)
            let combiningClass = UInt8(truncatingIfNeeded: entry)
            if entry & UnicodeProperties.Bits.stable == 0 || (combiningClass != 0 && combiningClass < lastClass) {
                return (boundary, i)
            }
            if entry & UnicodeProperties.Bits.boundary != 0 { boundary = i }
            lastClass = combiningClass
            i += length
        }
        return nil
    }

    private func decompose(_ scalar: UInt32, into marks: inout [Mark]) {
        if Hangul.syllables.contains(scalar) {
            let index = scalar - Hangul.syllables.lowerBound
            let trailing = index % Hangul.trailingCount
            let pair = index / Hangul.trailingCount
            let vowelCount = UInt32(Hangul.vowels.count)
            marks.append(Mark(scalar: Hangul.leading.lowerBound + pair / vowelCount, combiningClass: 0))
            marks.append(Mark(scalar: Hangul.vowels.lowerBound + pair % vowelCount, combiningClass: 0))
            if trailing > 0 {
                marks.append(Mark(scalar: Hangul.trailing.lowerBound - 1 + trailing, combiningClass: 0))
            }
        } else if let parts = properties.decompositions[scalar] {
            decompose(parts.first, into: &marks)
            if parts.second != 0 { decompose(parts.second, into: &marks) }
        } else {
            marks.append(
                Mark(scalar: scalar, combiningClass: UInt8(truncatingIfNeeded: properties.entry(of: scalar))))
        }
    }

    /// Sorts each run of non-starters by class, keeping the order within a class.
    private func reorder(_ marks: inout [Mark]) {
        var start = 0
        while start < marks.count {
            if marks[start].combiningClass == 0 {
                start += 1
                continue
            }
            var end = start + 1
            var sorted = true
            while end < marks.count, marks[end].combiningClass != 0 {
                if marks[end].combiningClass < marks[end - 1].combiningClass { sorted = false }
                end += 1
            }
            if !sorted {
                // Classes are bytes, so a stable order is one sort of (class, position).
                let order = (start..<end).sorted {
                    (marks[$0].combiningClass, $0) < (marks[$1].combiningClass, $1)
                }
                marks.replaceSubrange(start..<end, with: order.map { marks[$0] })
            }
            start = end
        }
    }

    /// The canonical composition algorithm, in place (Unicode 16.0, D117).
    private func compose(_ marks: inout [Mark]) {
        var starter: Int? = nil
        // Class of the last scalar kept after the starter; 0 if none is.
        var lastClass: UInt8 = 0
        var count = 0
        for i in marks.indices {
            let mark = marks[i]
            if let starter, lastClass == 0 || lastClass < mark.combiningClass,
                let composite = composite(marks[starter].scalar, mark.scalar)
            {
                marks[starter].scalar = composite
                continue
            }
            if mark.combiningClass == 0 { starter = count }
            lastClass = mark.combiningClass
            marks[count] = mark
            count += 1
        }
        marks.removeSubrange(count...)
    }

    private func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if Hangul.leading.contains(first), Hangul.vowels.contains(second) {
            let pair =
                (first - Hangul.leading.lowerBound) * UInt32(Hangul.vowels.count)
                + (second - Hangul.vowels.lowerBound)
            return Hangul.syllables.lowerBound + pair * Hangul.trailingCount
        }
        if Hangul.syllables.contains(first), Hangul.trailing.contains(second),
            (first - Hangul.syllables.lowerBound) % Hangul.trailingCount == 0
        {
            return first + (second - (Hangul.trailing.lowerBound - 1))
        }
        return properties.compositions[UInt64(first) << 32 | UInt64(second)]
    }
}
