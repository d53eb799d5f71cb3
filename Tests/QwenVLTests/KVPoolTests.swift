import Testing

import QwenVL

/// The pool's promises: no block has two owners who write, what is found is what was computed, memory comes back.
@Suite struct KVPoolTests {
    private let blockTokens = 4

    /// Plays a sequence: takes what is known, computes the rest, registers full blocks, lets go.
    private func play(_ tokens: [Int64], on pool: inout KVPool) -> (reused: Int, blocks: [Int32]) {
        let match = pool.match(tokens, limit: tokens.count - 1)
        var blocks = match.blocks
        while blocks.count * blockTokens < tokens.count {
            guard let block = pool.allocate() else { break }
            blocks.append(block)
        }
        var node = match.node
        for index in match.tokens / blockTokens..<tokens.count / blockTokens {
            node = pool.register(
                blocks[index], tokens: Array(tokens[index * blockTokens..<(index + 1) * blockTokens]), after: node)
        }
        let tail = Array(tokens[tokens.count / blockTokens * blockTokens..<tokens.count])
        pool.release(blocks, tail: tail.isEmpty ? nil : (blocks[tokens.count / blockTokens], node, tail))
        return (match.tokens, blocks)
    }

    @Test func longerConversationReusesAllOfTheShorter() {
        var pool = KVPool(blockCount: 16, blockTokens: blockTokens)
        let first = Array<Int64>(0..<10)
        #expect(play(first, on: &pool).reused == 0)
        // Two full blocks, and the two tokens of the third.
        #expect(play(first + [90, 91, 92, 93, 94], on: &pool).reused == 10)
        #expect(pool.usedBlocks == 0)
    }

    @Test func theSamePromptAgainLeavesOneTokenToCompute() {
        var pool = KVPool(blockCount: 16, blockTokens: blockTokens)
        _ = play(Array(0..<10), on: &pool)
        #expect(play(Array(0..<10), on: &pool).reused == 9)
    }

    @Test func anotherBeginningShareNothing() {
        var pool = KVPool(blockCount: 16, blockTokens: blockTokens)
        _ = play(Array(0..<10), on: &pool)
        #expect(play([7] + Array(1..<10), on: &pool).reused == 0)
        // Equal tokens further on do not help when what stands before differs.
        #expect(play([8] + Array(1..<10), on: &pool).reused == 0)
    }

    @Test func blocksInUseAreShared() {
        var pool = KVPool(blockCount: 16, blockTokens: blockTokens)
        let tokens = Array<Int64>(0..<9)
        _ = play(tokens, on: &pool)
        let one = pool.match(tokens + [50], limit: 9)
        let two = pool.match(tokens + [60], limit: 9)
        #expect(one.tokens == 9)
        // The partly filled block is the first one's to write in, and no longer there for the second.
        #expect(two.tokens == 8)
        #expect(Array(one.blocks.prefix(2)) == two.blocks)
        pool.release(one.blocks, tail: nil)
        pool.release(two.blocks, tail: nil)
        #expect(pool.usedBlocks == 0)
    }

    /// Another question about the same picture: what is common ends within a block, full or not.
    @Test(arguments: [10, 12, 15]) func theBeginningOfABlockIsCopied(length: Int) throws {
        var pool = KVPool(blockCount: 8, blockTokens: blockTokens)
        let first = Array<Int64>(0..<Int64(length))
        let (_, blocks) = play(first, on: &pool)
        let match = pool.match(Array(0..<9) + [70, 71], limit: 10)
        #expect(match.tokens == 9)
        #expect(match.copied == blocks[2])
        let copy = try #require(match.blocks.last)
        #expect(match.blocks.count == 3 && !blocks.contains(copy))
        // The first conversation still finds all that it had.
        let again = pool.match(first, limit: length)
        #expect(again.tokens == length)
        pool.release(again.blocks, tail: nil)
        pool.release(match.blocks, tail: nil)
        #expect(pool.usedBlocks == 0)
    }

    /// Copying makes room, but never with what it copies; where all are held it leaves the beginning alone.
    @Test func copiesWhereThereIsRoom() {
        var pool = KVPool(blockCount: 2, blockTokens: blockTokens)
        _ = play(Array(0..<4), on: &pool)
        let other = pool.allocate()
        let none = pool.match([0, 1, 50, 51], limit: 3)
        #expect(none.tokens == 0 && none.copied == nil && none.blocks.isEmpty)
        pool.release([other!], tail: nil)
        let match = pool.match([0, 1, 50, 51], limit: 3)
        #expect(match.tokens == 2 && match.copied != nil && match.blocks != [match.copied])
    }

    @Test func memoryIsTakenFromTheLongestUnused() {
        var pool = KVPool(blockCount: 4, blockTokens: blockTokens)
        _ = play(Array(0..<8), on: &pool)
        _ = play(Array(100..<108), on: &pool)
        // A third conversation needs two blocks: the first one's go.
        #expect(play(Array(200..<208), on: &pool).reused == 0)
        #expect(play(Array(100..<108) + [1], on: &pool).reused == 8)
        #expect(play(Array(0..<8), on: &pool).reused == 0)
    }

    @Test func heldBlocksAreNeverTaken() {
        var pool = KVPool(blockCount: 3, blockTokens: blockTokens)
        let held = (0..<3).compactMap { _ in pool.allocate() }
        #expect(Set(held).count == 3)
        #expect(pool.allocate() == nil)
        pool.release([held[1]], tail: nil)
        #expect(pool.allocate() == held[1])
    }

    /// Random play: what is matched must be what was registered under exactly these tokens.
    @Test func randomConversations() {
        var pool = KVPool(blockCount: 24, blockTokens: blockTokens)
        var random = SystemRandomNumberGenerator()
        var contents: [Int32: [Int64]] = [:]
        for _ in 0..<2000 {
            let length = Int.random(in: 1...30, using: &random)
            let tokens = (0..<length).map { _ in Int64.random(in: 0...1, using: &random) }
            let match = pool.match(tokens, limit: tokens.count - 1)
            if let source = match.copied, let copy = match.blocks.last { contents[copy] = contents[source] }
            for (index, block) in match.blocks.enumerated() {
                let range = index * blockTokens..<min((index + 1) * blockTokens, match.tokens)
                #expect(contents[block].map { $0.starts(with: tokens[range]) } == true)
            }
            var blocks = match.blocks
            while blocks.count * blockTokens < length, let block = pool.allocate() { blocks.append(block) }
            #expect(blocks.count * blockTokens >= length)
            #expect(Set(blocks).count == blocks.count)
            var node = match.node
            for (index, block) in blocks.enumerated() where (index + 1) * blockTokens > match.tokens {
                let range = index * blockTokens..<min((index + 1) * blockTokens, length)
                contents[block] = Array(tokens[range])
                if range.count == blockTokens { node = pool.register(block, tokens: Array(tokens[range]), after: node) }
            }
            let tail = Array(tokens[length / blockTokens * blockTokens..<length])
            pool.release(blocks, tail: tail.isEmpty ? nil : (blocks[length / blockTokens], node, tail))
            #expect(pool.usedBlocks == 0)
        }
    }
}
