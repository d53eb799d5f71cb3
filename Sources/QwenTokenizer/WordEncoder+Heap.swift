extension WordEncoder {
    /// One token of a long word under way.
    private struct Node {
        var id: Int32
        /// The rank of the pair with the next token, and what it merges into.
        var rank: Int32
        var merged: Int32
        var previous: Int32
        var next: Int32
    }

    /// The same merges as by scanning, in n log n time. A pair that has changed leaves a stale entry in the heap,
    /// told by its rank.
    @inline(never)
    mutating func mergeByHeap(_ word: UnsafePointer<UInt8>, _ length: Int) {
        // Positions are kept in 32 bits. No String of 2 GiB reaches this as one word.
        precondition(length < Int(Int32.max))
        var heap = RankHeap()
        let output = output + count
        let tokens = withUnsafeTemporaryAllocation(of: Node.self, capacity: length) { nodes in
            for i in 0..<length {
                var node = Node(
                    id: byteTokens[Int(word[i])], rank: MergeTable.noRank, merged: -1, previous: Int32(i - 1),
                    next: Int32(i + 1))
                if i + 1 < length {
                    let entry = bytePairs[Int(word[i]) << 8 | Int(word[i + 1])]
                    node.rank = entry.rank
                    node.merged = entry.merged
                    if entry.rank < MergeTable.noRank { heap.append(rank: entry.rank, position: i) }
                }
                nodes.initializeElement(at: i, to: node)
            }
            heap.order()
            while let (rank, i) = heap.popLowest() {
                // Absorbed positions have no rank, so they never match.
                guard nodes[i].rank == rank else { continue }
                let absorbed = Int(nodes[i].next)
                let after = Int(nodes[absorbed].next)
                nodes[i].id = nodes[i].merged
                nodes[i].next = Int32(after)
                nodes[absorbed].rank = MergeTable.noRank
                if after < length {
                    nodes[after].previous = Int32(i)
                    update(nodes, i, after, &heap)
                } else {
                    nodes[i].rank = MergeTable.noRank
                }
                let before = Int(nodes[i].previous)
                if before >= 0 { update(nodes, before, i, &heap) }
            }
            var written = 0
            var i = 0
            while i < length {
                output[written] = nodes[i].id
                written += 1
                i = Int(nodes[i].next)
            }
            return written
        }
        advance(by: tokens)
    }

    private func update(_ nodes: UnsafeMutableBufferPointer<Node>, _ i: Int, _ j: Int, _ heap: inout RankHeap) {
        let merge = merges.merge(nodes[i].id, nodes[j].id)
        nodes[i].rank = merge.rank
        nodes[i].merged = merge.merged
        if merge.rank < MergeTable.noRank { heap.push(rank: merge.rank, position: i) }
    }
}

/// A binary heap of (rank, position), lowest first.
private struct RankHeap {
    private var keys: [UInt64] = []

    private static func key(_ rank: Int32, _ position: Int) -> UInt64 { UInt64(rank) << 32 | UInt64(position) }

    /// Adds without ordering; `order()` must follow before anything else.
    mutating func append(rank: Int32, position: Int) { keys.append(Self.key(rank, position)) }

    mutating func order() {
        for i in stride(from: keys.count / 2 - 1, through: 0, by: -1) { sink(i) }
    }

    mutating func push(rank: Int32, position: Int) {
        let key = Self.key(rank, position)
        var i = keys.count
        keys.append(key)
        while i > 0 {
            let parent = (i - 1) / 2
            if keys[parent] <= key { break }
            keys[i] = keys[parent]
            i = parent
        }
        keys[i] = key
    }

    mutating func popLowest() -> (rank: Int32, position: Int)? {
        guard let lowest = keys.first, let last = keys.popLast() else { return nil }
        if !keys.isEmpty {
            keys[0] = last
            sink(0)
        }
        return (Int32(lowest >> 32), Int(lowest & 0xFFFF_FFFF))
    }

    private mutating func sink(_ start: Int) {
        keys.withUnsafeMutableBufferPointer { keys in
            let key = keys[start]
            var i = start
            while true {
                var child = 2 * i + 1
                if child >= keys.count { break }
                if child + 1 < keys.count && keys[child + 1] < keys[child] { child += 1 }
                if key <= keys[child] { break }
                keys[i] = keys[child]
                i = child
            }
            keys[i] = key
        }
    }
}
