import ChatTemplate

/// Watches generated text for stop texts, across the borders of the pieces it comes in.
///
/// The match that is complete first wins (of several complete at once the longest), so that the result does
/// not depend on how the text was cut into pieces. Each piece costs time in proportion to its length.
package struct StopMatcher: Sendable {
    private struct Pattern: Sendable {
        let text: String
        let bytes: BytePattern
        var matched = 0
    }

    private var patterns: [Pattern]
    /// The end of the text so far that may be the beginning of a stop text.
    private var held: [UInt8] = []
    /// The stop text that was found; nothing is emitted after it.
    package private(set) var match: String?

    package init(_ stops: [String]) {
        patterns = stops.filter { !$0.isEmpty }.map { Pattern(text: $0, bytes: BytePattern($0)) }
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
            // A pattern that is complete ends the text, so none is asked for more.
            let matched = patterns[index].bytes.advance(patterns[index].matched, byte)
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
