/// Watches generated text for stop texts, across the borders of the pieces it comes in.
///
/// The match that is complete first wins (of several complete at once the longest), so that the result does
/// not depend on how the text was cut into pieces. Each piece costs time in proportion to its length.
package struct StopMatcher: Sendable {
    private struct Pattern: Sendable {
        let text: String
        let bytes: [UInt8]
        /// The failure function of Knuth, Morris and Pratt.
        let fallback: [Int]
        var matched = 0
    }

    private var patterns: [Pattern]
    /// The end of the text so far that may be the beginning of a stop text.
    private var held: [UInt8] = []
    /// The stop text that was found; nothing is emitted after it.
    package private(set) var match: String?

    package init(_ stops: [String]) {
        patterns = stops.filter { !$0.isEmpty }.map { text in
            let bytes = Array(text.utf8)
            return Pattern(text: text, bytes: bytes, fallback: Self.fallback(bytes))
        }
    }

    private static func fallback(_ bytes: [UInt8]) -> [Int] {
        var table = [Int](repeating: 0, count: bytes.count)
        var length = 0
        for index in bytes.indices.dropFirst() {
            while length > 0, bytes[index] != bytes[length] { length = table[length - 1] }
            if bytes[index] == bytes[length] { length += 1 }
            table[index] = length
        }
        return table
    }

    /// Takes the next piece and returns the text that certainly precedes any stop text.
    package mutating func push(_ piece: String) -> String {
        if match != nil { return "" }
        if patterns.isEmpty { return piece }
        for byte in piece.utf8 {
            held.append(byte)
            if let length = advance(byte) { return emit(keeping: length, dropping: true) }
        }
        return emit(keeping: patterns.reduce(0) { max($0, $1.matched) }, dropping: false)
    }

    /// At the end of the text: what was held back, unless a stop text was found.
    package mutating func finish() -> String {
        match == nil ? emit(keeping: 0, dropping: false) : ""
    }

    /// The length of the longest pattern that this byte completes.
    private mutating func advance(_ byte: UInt8) -> Int? {
        var longest: Int?
        for index in patterns.indices {
            var matched = patterns[index].matched
            while matched > 0, patterns[index].bytes[matched] != byte {
                matched = patterns[index].fallback[matched - 1]
            }
            if patterns[index].bytes[matched] == byte { matched += 1 }
            patterns[index].matched = matched
            if matched == patterns[index].bytes.count, matched > longest ?? 0 {
                longest = matched
                match = patterns[index].text
            }
        }
        return longest
    }

    private mutating func emit(keeping count: Int, dropping: Bool) -> String {
        let border = held.count - count
        // A stop text begins with a whole character, so the border never falls inside one.
        let text = String(decoding: held[..<border], as: UTF8.self)
        held.removeFirst(dropping ? held.count : border)
        return text
    }
}
