/// Byte-pair encoding of words, with the working memory for it. Used by one thread at a time.
struct WordEncoder {
    /// Words up to this length are merged by scanning all pairs for the lowest rank, which is quickest while they
    /// fit a few vector registers; the time grows with the square. Longer ones use a heap. At most 256, as the
    /// position shares an `Int32` with the rank.
    static let scanLimit = 96

    /// Memory that outlives one call of `encode`.
    final class Workspace: @unchecked Sendable {
        // Unchecked: handed to one encoder at a time by the tokenizer's pool.
        let cache = WordCache()
        let keys = UnsafeMutablePointer<Int32>.allocate(capacity: WordEncoder.scanLimit)
        let ids = UnsafeMutablePointer<Int32>.allocate(capacity: WordEncoder.scanLimit)
        let merged = UnsafeMutablePointer<Int32>.allocate(capacity: WordEncoder.scanLimit)
        let next = UnsafeMutablePointer<UInt8>.allocate(capacity: WordEncoder.scanLimit)
        let previous = UnsafeMutablePointer<UInt8>.allocate(capacity: WordEncoder.scanLimit)
        /// Normalized text.
        var text: [UInt8] = []

        deinit {
            keys.deallocate()
            ids.deallocate()
            merged.deallocate()
            next.deallocate()
            previous.deallocate()
        }
    }

    private let cache: UnsafeMutablePointer<WordCache.Entry>
    private let longCache: UnsafeMutablePointer<WordCache.LongEntry>
    private let keys: UnsafeMutablePointer<Int32>
    private let ids: UnsafeMutablePointer<Int32>
    private let merged: UnsafeMutablePointer<Int32>
    private let next: UnsafeMutablePointer<UInt8>
    private let previous: UnsafeMutablePointer<UInt8>
    let byteTokens: UnsafePointer<Int32>
    let bytePairs: UnsafePointer<MergeTable.Merge>
    let merges: MergeTable.View
    /// Set when whole words of the vocabulary are taken without merging (`ignore_merges`).
    let wholeWords: Vocabulary.View?

    private(set) var output: UnsafeMutablePointer<Int32>
    private(set) var count = 0
    private var capacity: Int

    /// The tokenizer's tables and the workspace must outlive the encoder; `finish()` must be called once.
    init(_ model: BytePairModel, workspace: Workspace, expectedTokens: Int) {
        cache = workspace.cache.entries
        longCache = workspace.cache.longEntries
        keys = workspace.keys
        ids = workspace.ids
        merged = workspace.merged
        next = workspace.next
        previous = workspace.previous
        byteTokens = UnsafePointer(model.byteTokens.base)
        bytePairs = UnsafePointer(model.merges.bytePairs.base)
        merges = model.merges.view
        wholeWords = model.ignoresMerges ? model.vocabulary.view : nil
        capacity = max(expectedTokens, 64)
        output = .allocate(capacity: capacity)
    }

    /// The tokens so far; frees the encoder's memory.
    mutating func finish() -> [Int32] {
        let result = Array(UnsafeBufferPointer(start: output, count: count))
        output.deallocate()
        return result
    }

    /// Counts tokens already written to `output`, room for which was reserved.
    mutating func advance(by tokens: Int) { count += tokens }

    mutating func append(_ id: Int32) {
        reserve(1)
        output[count] = id
        count += 1
    }

    /// Encodes `text[start..<end]`, one normalized piece between added tokens. `end` bytes of `text` may be read.
    mutating func encode(_ text: UnsafePointer<UInt8>, from start: Int, to end: Int) {
        let words = PreTokenizer(text, end: end)
        var position = start
        while position < end {
            let wordEnd = words.wordEnd(from: position)
            encodeWord(text + position, length: wordEnd - position, readable: end - position)
            position = wordEnd
        }
    }

    @inline(__always)
    private mutating func encodeWord(_ word: UnsafePointer<UInt8>, length: Int, readable: Int) {
        // A word has at most as many tokens as bytes; four more for whole-vector stores.
        reserve(length + 4)
        if length == 1 {
            output[count] = byteTokens[Int(word[0])]
            count += 1
            return
        }
        guard length <= WordCache.maximumLength else {
            encodeLongWord(word, length: length, readable: readable)
            return
        }
        let (low, high) = WordCache.key(word, length: length, readable: readable)
        let slot = WordCache.slot(low, high)
        let entry = cache[slot]
        if entry.low == low && entry.high == high {
            UnsafeMutableRawPointer(output + count).storeBytes(of: entry.tokens, as: SIMD4<Int32>.self)
            count += Int(entry.tokens[3])
            return
        }
        let first = count
        mergeWord(word, length: length)
        if count - first <= WordCache.maximumTokens {
            var tokens = SIMD4<Int32>.zero
            for i in first..<count { tokens[i - first] = output[i] }
            tokens[3] = Int32(count - first)
            cache[slot] = WordCache.Entry(low: low, high: high, tokens: tokens)
        }
    }

    @inline(never)
    private mutating func encodeLongWord(_ word: UnsafePointer<UInt8>, length: Int, readable: Int) {
        guard length <= WordCache.maximumLongLength else {
            mergeWord(word, length: length)
            return
        }
        let key = WordCache.longKey(word, length: length, readable: readable)
        let slot = WordCache.slot(key)
        if longCache[slot].word == key {
            let tokens = longCache[slot].tokens
            // Room for eight is there: the word is longer than that.
            UnsafeMutableRawPointer(output + count).storeBytes(of: tokens, as: SIMD8<Int32>.self)
            count += Int(tokens[7])
            return
        }
        let first = count
        mergeWord(word, length: length)
        if count - first <= WordCache.maximumLongTokens {
            var tokens = SIMD8<Int32>.zero
            for i in first..<count { tokens[i - first] = output[i] }
            tokens[7] = Int32(count - first)
            longCache[slot] = WordCache.LongEntry(word: key, tokens: tokens)
        }
    }

    @inline(__always)
    private mutating func reserve(_ extra: Int) {
        if count + extra > capacity { grow(extra) }
    }

    @inline(never)
    private mutating func grow(_ extra: Int) {
        capacity = max(capacity * 2, count + extra)
        let larger = UnsafeMutablePointer<Int32>.allocate(capacity: capacity)
        larger.moveInitialize(from: output, count: count)
        output.deallocate()
        output = larger
    }

    @inline(never)
    private mutating func mergeWord(_ word: UnsafePointer<UInt8>, length: Int) {
        if let wholeWords, let id = wholeWords.id(of: word, length: length) {
            output[count] = id
            count += 1
        } else if length <= Self.scanLimit {
            mergeByScanning(word, length)
        } else {
            mergeByHeap(word, length)
        }
    }

    /// Merges the lowest-ranked pair, the leftmost of equals, until none merges. Positions stay where they are:
    /// a merged-away one keeps the highest key.
    private mutating func mergeByScanning(_ word: UnsafePointer<UInt8>, _ length: Int) {
        let dead = MergeTable.noRank << 8
        for i in 0..<length {
            ids[i] = byteTokens[Int(word[i])]
            next[i] = UInt8(truncatingIfNeeded: i + 1)
            previous[i] = UInt8(truncatingIfNeeded: i &- 1)
        }
        for i in 0..<length - 1 {
            let entry = bytePairs[Int(word[i]) << 8 | Int(word[i + 1])]
            keys[i] = entry.rank << 8 | Int32(i)
            merged[i] = entry.merged
        }
        keys[length - 1] = dead
        while true {
            var lowest = dead
            for i in 0..<length { lowest = min(lowest, keys[i]) }
            if lowest >= dead { break }
            let i = Int(lowest & 0xFF)
            let absorbed = Int(next[i])
            let after = Int(next[absorbed])
            ids[i] = merged[i]
            keys[absorbed] = dead
            next[i] = UInt8(truncatingIfNeeded: after)
            if after < length {
                previous[after] = UInt8(truncatingIfNeeded: i)
                rank(at: i, with: after)
            } else {
                keys[i] = dead
            }
            if i > 0 { rank(at: Int(previous[i]), with: i) }
        }
        var i = 0
        while i < length {
            output[count] = ids[i]
            count += 1
            i = Int(next[i])
        }
    }

    @inline(__always)
    private func rank(at i: Int, with j: Int) {
        let merge = merges.merge(ids[i], ids[j])
        keys[i] = merge.rank << 8 | Int32(truncatingIfNeeded: i)
        merged[i] = merge.merged
    }
}
