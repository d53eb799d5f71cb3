/// A text prepared for finding it in a stream of bytes, in linear time (Knuth, Morris, Pratt).
package struct BytePattern: Sendable {
    package let bytes: [UInt8]
    /// For each length matched: the longest shorter beginning that the matched part ends with.
    private let fallback: [Int]

    package init(_ text: String) {
        let bytes = Array(text.utf8)
        var table = [Int](repeating: 0, count: bytes.count)
        var length = 0
        for index in bytes.indices.dropFirst() {
            while length > 0, bytes[index] != bytes[length] { length = table[length - 1] }
            if bytes[index] == bytes[length] { length += 1 }
            table[index] = length
        }
        self.bytes = bytes
        fallback = table
    }

    package var count: Int { bytes.count }

    /// How many bytes of a pattern that is not empty match after one more byte, when `matched` did before it (fewer
    /// than all).
    package func advance(_ matched: Int, _ byte: UInt8) -> Int {
        var matched = matched
        while matched > 0, bytes[matched] != byte { matched = fallback[matched - 1] }
        return bytes[matched] == byte ? matched + 1 : matched
    }

    /// What still counts as matched after a whole match, for occurrences that overlap.
    func overlap() -> Int { fallback[count - 1] }
}

/// Finds a text in others, byte for byte as Python's strings compare.
struct ByteSearch {
    private let pattern: BytePattern

    init(_ text: String) { pattern = BytePattern(text) }

    /// Calls `found` with the offset of each occurrence until it returns false.
    private func scan(_ text: String, overlapping: Bool, _ found: (Int) -> Bool) {
        if pattern.count == 0 {
            _ = found(0)
            return
        }
        var matched = 0
        for (index, byte) in text.utf8.enumerated() {
            matched = pattern.advance(matched, byte)
            if matched == pattern.count {
                if !found(index + 1 - matched) { return }
                matched = overlapping ? pattern.overlap() : 0
            }
        }
    }

    func first(in text: String) -> Int? {
        var result: Int?
        scan(text, overlapping: false) { offset in
            result = offset
            return false
        }
        return result
    }

    func last(in text: String) -> Int? {
        var result: Int?
        scan(text, overlapping: true) { offset in
            result = offset
            return true
        }
        return result
    }

    /// Occurrences that do not overlap, from the left.
    func all(in text: String, limit: Int = -1) -> [Int] {
        var result: [Int] = []
        if limit == 0 { return result }
        scan(text, overlapping: false) { offset in
            result.append(offset)
            return result.count != limit
        }
        return result
    }

    /// Occurrences that do not overlap, from the right, in ascending order.
    private func allFromRight(in text: String, limit: Int) -> [Int] {
        var starts: [Int] = []
        scan(text, overlapping: true) { offset in
            starts.append(offset)
            return true
        }
        var result: [Int] = []
        for start in starts.reversed() where result.count != limit {
            if let next = result.last, start + pattern.count > next { continue }
            result.append(start)
        }
        return result.reversed()
    }

    /// The text between occurrences; a negative limit means all.
    func pieces(of text: String, limit: Int, fromRight: Bool) -> [String] {
        let starts = fromRight ? allFromRight(in: text, limit: limit) : all(in: text, limit: limit)
        let bytes = Array(text.utf8)
        var result: [String] = []
        var position = 0
        for start in starts {
            result.append(String(decoding: bytes[position..<start], as: UTF8.self))
            position = start + pattern.count
        }
        result.append(String(decoding: bytes[position...], as: UTF8.self))
        return result
    }
}
