/// Finds added tokens in running text: the leftmost, and of those that start there the longest.
struct AddedTokenMatcher: Sendable {
    struct Match {
        var range: Range<Int>
        var token: AddedToken
    }

    /// A trie: children of a node are a list linked by `sibling`.
    private struct Node {
        var byte: UInt8
        var child: Int32 = -1
        var sibling: Int32 = -1
        /// Index of the token that ends here.
        var token: Int32 = -1
    }

    private var nodes = [Node(byte: 0)]
    private var starts = [Bool](repeating: false, count: 256)
    private var tokens: [AddedToken] = []

    var isEmpty: Bool { tokens.isEmpty }

    /// Tokens of no bytes are left out: they would match everywhere.
    init(_ tokens: [AddedToken]) {
        for token in tokens {
            guard let first = token.content.utf8.first else { continue }
            starts[Int(first)] = true
            var node = 0
            for byte in token.content.utf8 { node = child(of: node, byte) ?? addChild(to: node, byte) }
            nodes[node].token = Int32(self.tokens.count)
            self.tokens.append(token)
        }
    }

    private func child(of node: Int, _ byte: UInt8) -> Int? {
        var next = nodes[node].child
        while next >= 0 {
            if nodes[Int(next)].byte == byte { return Int(next) }
            next = nodes[Int(next)].sibling
        }
        return nil
    }

    private mutating func addChild(to node: Int, _ byte: UInt8) -> Int {
        nodes.append(Node(byte: byte, sibling: nodes[node].child))
        nodes[node].child = Int32(nodes.count - 1)
        return nodes.count - 1
    }

    /// The first token at or after `start`, its surrounding white space not counted. Special ones are found too,
    /// whether allowed or not: one that is not allowed still hides what lies within it.
    func next(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Match? {
        starts.withUnsafeBufferPointer { starts in
            var i = start
            while i < text.count {
                if starts[Int(text[i])], let match = longest(in: text, at: i) { return match }
                i += 1
            }
            return nil
        }
    }

    private func longest(in text: UnsafeBufferPointer<UInt8>, at start: Int) -> Match? {
        var node = 0
        var best: Match? = nil
        var i = start
        while i < text.count, let next = child(of: node, text[i]) {
            node = next
            i += 1
            if nodes[node].token >= 0 {
                best = Match(range: start..<i, token: tokens[Int(nodes[node].token)])
            }
        }
        return best
    }
}
