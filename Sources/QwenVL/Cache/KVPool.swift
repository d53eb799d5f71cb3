/// Who owns which block of the KV cache, and which computed prefixes can be used again.
///
/// Full blocks form a tree: a block is found by the block before it and its own tokens, compared exactly. Blocks that no
/// sequence holds stay in the tree until their memory is needed; then the one unused longest goes, children
/// before parents. A sequence's last, partly filled block is kept too, and handed on whole to the sequence that
/// continues all of it. A beginning of any other block serves a new sequence as a copy.
package struct KVPool {
    /// What a cached position depends on besides its place: a token id, or a picture's content and the row within it.
    package typealias TokenKey = Int64
    /// Identifies a full block in the tree, never used twice.
    package typealias NodeID = UInt64
    package static let root: NodeID = 0

    private struct NodeKey: Hashable {
        let parent: NodeID
        let tokens: [TokenKey]
    }
    private struct Block {
        var references = 0
        var lastUse: UInt64 = 0
        var entry: Entry?
    }
    /// What the pool remembers of a block's contents.
    private enum Entry {
        case full(NodeKey, id: NodeID)
        case tail(parent: NodeID, tokens: [TokenKey])

        var parent: NodeID {
            switch self {
            case .full(let key, _): key.parent
            case .tail(let parent, _): parent
            }
        }

        var tokens: [TokenKey] {
            switch self {
            case .full(let key, _): key.tokens
            case .tail(_, let tokens): tokens
            }
        }

        var isTail: Bool {
            if case .tail = self { true } else { false }
        }
    }

    package let blockTokens: Int
    private var blocks: [Block]
    private var free: [Int32]
    private var nodes: [NodeKey: (id: NodeID, block: Int32)] = [:]
    /// The blocks with an entry under each node; a node with some is not evicted.
    private var children: [NodeID: [Int32]] = [:]
    private var lastNode = root
    private var clock: UInt64 = 0

    package init(blockCount: Int, blockTokens: Int) {
        self.blockTokens = blockTokens
        blocks = Array(repeating: Block(), count: blockCount)
        free = (0..<Int32(blockCount)).reversed()
    }

    package var blockCount: Int { blocks.count }
    /// Blocks that sequences hold.
    package var usedBlocks: Int { blocks.count { $0.references > 0 } }
    /// Blocks that no sequence holds, but whose contents can be used again.
    package var reusableBlocks: Int { blocks.count - free.count - usedBlocks }
    /// Blocks whose contents were given up for new ones.
    package private(set) var evictions = 0

    // MARK: Taking and giving back

    /// A block for new tokens, its contents forgotten; nil when sequences hold every block.
    package mutating func allocate() -> Int32? {
        if let block = free.popLast() {
            blocks[Int(block)].references = 1
            return block
        }
        guard let block = evictionCandidate() else { return nil }
        forget(block)
        evictions += 1
        blocks[Int(block)].references = 1
        return block
    }

    private func evictionCandidate() -> Int32? {
        var best: Int?
        for (index, block) in blocks.enumerated() where block.references == 0 {
            if case .full(_, let id) = block.entry, children[id] != nil { continue }
            if best.map({ block.lastUse < blocks[$0].lastUse }) ?? true { best = index }
        }
        return best.map(Int32.init)
    }

    private mutating func forget(_ block: Int32) {
        guard let entry = blocks[Int(block)].entry else { return }
        if case .full(let key, _) = entry { nodes[key] = nil }
        children[entry.parent]?.removeAll { $0 == block }
        if children[entry.parent]?.isEmpty == true { children[entry.parent] = nil }
        blocks[Int(block)].entry = nil
    }

    /// Gives a sequence's blocks back. What they hold stays findable.
    /// - Parameters:
    ///   - tail: the block that is partly filled, its tokens, and the node before it.
    package mutating func release(_ held: [Int32], tail: (block: Int32, parent: NodeID, tokens: [TokenKey])?) {
        clock += 1
        for block in held {
            let index = Int(block)
            precondition(blocks[index].references > 0)
            blocks[index].references -= 1
            blocks[index].lastUse = clock
        }
        if let tail {
            precondition(blocks[Int(tail.block)].references == 0 && blocks[Int(tail.block)].entry == nil)
            blocks[Int(tail.block)].entry = .tail(parent: tail.parent, tokens: tail.tokens)
            children[tail.parent, default: []].append(tail.block)
        }
        for block in held where blocks[Int(block)].references == 0 && blocks[Int(block)].entry == nil {
            free.append(block)
        }
    }

    // MARK: Prefixes

    /// What a sequence starts with.
    package struct Match {
        package var blocks: [Int32] = []
        /// Positions that need not be computed.
        package var tokens = 0
        /// The node of the last full block.
        package var node = KVPool.root
        /// The last of the blocks is new, and begins as this one does: whoever matched copies it before anything
        /// else is asked of the pool.
        package var copied: Int32?
    }

    /// Takes the blocks that hold the longest computed prefix of `tokens`, at most `limit` positions of it.
    package mutating func match(_ tokens: [TokenKey], limit: Int) -> Match {
        var match = Match()
        clock += 1
        while match.tokens + blockTokens <= limit {
            let key = NodeKey(
                parent: match.node, tokens: Array(tokens[match.tokens..<match.tokens + blockTokens]))
            guard let node = nodes[key] else { break }
            retain(node.block)
            match.blocks.append(node.block)
            match.tokens += blockTokens
            match.node = node.id
        }
        takeBeginning(of: tokens, limit: limit, into: &match)
        return match
    }

    /// The block that holds `tokens` after `parent`, taken for a sequence; nil when nobody has computed it.
    package mutating func take(_ tokens: some Collection<TokenKey>, after parent: NodeID) -> (
        block: Int32, node: NodeID
    )? {
        guard let node = nodes[NodeKey(parent: parent, tokens: Array(tokens))] else { return nil }
        clock += 1
        retain(node.block)
        return (node.block, node.id)
    }

    private mutating func retain(_ block: Int32) {
        blocks[Int(block)].references += 1
        blocks[Int(block)].lastUse = clock
    }

    /// Takes the block that begins with most of the next tokens: itself where it is a last one and all of it is
    /// continued, for then nobody else loses anything; else a copy.
    private mutating func takeBeginning(of tokens: [TokenKey], limit: Int, into match: inout Match) {
        let rest = tokens[match.tokens..<max(match.tokens, limit)]
        var best: (block: Int32, count: Int)?
        for block in children[match.node] ?? [] {
            guard let entry = blocks[Int(block)].entry else { continue }
            let common = zip(entry.tokens, rest).prefix { $0 == $1 }.count
            if common > best?.count ?? 0 { best = (block, common) }
        }
        guard let best, let entry = blocks[Int(best.block)].entry else { return }
        let isLast = entry.isTail && blocks[Int(best.block)].references == 0
        // Held while there may be need to make room: the source must not be what goes.
        retain(best.block)
        if isLast, entry.tokens.count == best.count {
            forget(best.block)
            match.blocks.append(best.block)
        } else if let copy = allocate() {
            blocks[Int(best.block)].references -= 1
            match.blocks.append(copy)
            match.copied = best.block
        } else if isLast {
            forget(best.block)
            match.blocks.append(best.block)
        } else {
            blocks[Int(best.block)].references -= 1
            return
        }
        match.tokens += best.count
    }

    /// Makes a block that has just been filled findable.
    /// - Returns: the node to continue from: of an equal block, when there is one already.
    package mutating func register(_ block: Int32, tokens: [TokenKey], after parent: NodeID) -> NodeID {
        precondition(tokens.count == blockTokens && blocks[Int(block)].entry == nil)
        let key = NodeKey(parent: parent, tokens: tokens)
        if let existing = nodes[key] { return existing.id }
        lastNode += 1
        nodes[key] = (lastNode, block)
        blocks[Int(block)].entry = .full(key, id: lastNode)
        children[parent, default: []].append(block)
        return lastNode
    }
}
