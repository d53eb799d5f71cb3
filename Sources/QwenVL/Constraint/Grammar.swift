/// A context-free grammar over bytes: rules with alternatives, each a sequence of byte sets and rules.
///
/// No rule may begin with itself, directly or through others.
struct Grammar {
    enum Element: Equatable {
        case bytes(ByteSet)
        case rule(Int)
        /// The end of an alternative.
        case end
    }

    /// All alternatives one after another; positions in it are what a matcher keeps.
    private(set) var elements: [Element] = []
    /// By rule, where its alternatives begin.
    private(set) var alternatives: [[Int]] = []
    /// The rule that a document is.
    var start = 0

    /// A rule whose alternatives come later: rules may name each other.
    mutating func declare() -> Int {
        alternatives.append([])
        return alternatives.count - 1
    }

    mutating func define(_ rule: Int, _ sequences: [[Element]]) {
        for sequence in sequences {
            alternatives[rule].append(elements.count)
            elements += sequence + [.end]
        }
    }

    mutating func rule(_ sequences: [[Element]]) -> Int {
        let rule = declare()
        define(rule, sequences)
        return rule
    }

    /// From `least` to `most` (nil: any number) of something.
    mutating func repeated(_ element: Element, _ least: Int, _ most: Int?) -> [Element] {
        var tail: Int
        if let most {
            // (x (x (x)?)?)?
            tail = rule([[]])
            for _ in 0..<max(0, most - least) { tail = rule([[element, .rule(tail)], []]) }
        } else {
            tail = declare()
            define(tail, [[element, .rule(tail)], []])
        }
        return Array(repeating: element, count: least) + [.rule(tail)]
    }

    static func literal(_ text: String) -> [Element] { text.utf8.map { .bytes(ByteSet($0...$0)) } }
}

/// A set of byte values.
struct ByteSet: Equatable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init(_ ranges: ClosedRange<UInt8>...) {
        for range in ranges {
            for byte in range { insert(byte) }
        }
    }

    private mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    func contains(_ byte: UInt8) -> Bool {
        let word =
            switch byte >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return word >> UInt64(byte & 63) & 1 == 1
    }

    static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }
}
