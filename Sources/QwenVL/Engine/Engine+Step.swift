import QwenVLModel
import Synchronization
import TensorCore
import VisionInput

/// One pass through the model after another, as long as there is work: sequences join and leave between steps.
extension Engine {
    /// Runs until no sequence is left. Between steps other calls to the actor get their turn.
    func run() async {
        backend.setActive(true)
        while !running.isEmpty || !waiting.isEmpty {
            // Where everyone waits for a video's decoder, the actor does too.
            guard step() else {
                await wakeup.wait()
                continue
            }
            // A task's yield goes through another thread and back, which takes as long as a small model's layer.
            if thread.isWaitedFor { await Task.yield() }
        }
        backend.setActive(false)
        isRunning = false
    }

    /// - Returns: false where there was nothing to do but wait.
    private func step() -> Bool {
        defer { publishStatistics() }
        for sequence in running + waiting where sequence.request.cancellation.isCancelled {
            remove(sequence)
            counted.cancelled += 1
            sequence.request.output.end(CancellationError())
        }
        admit()
        for sequence in running where sequence.isReadingPrompt { takeComputedBlocks(sequence) }
        encodePictures()
        let (shares, someoneWaits) = planShares()
        guard !shares.isEmpty else { return !someoneWaits || isPictureNeeded }
        counted.steps += 1
        var step = TextStep()
        var asked: [RunningSequence] = []
        for (sequence, count) in shares {
            let range = sequence.cached..<sequence.cached + count
            addVision(of: sequence, range: range, to: &step)
            step.tokens += sequence.tokens[range]
            step.positions.append(contentsOf: sequence.positions[range])
            step.sequences.append(
                SequenceSpan(blocks: sequence.blocks, past: sequence.cached, count: count))
            if range.upperBound == sequence.tokens.count {
                step.logitRows.append(Int32(step.tokens.count - 1))
                asked.append(sequence)
            }
        }
        let logits = model.forward(step, cache: cache, backend: backend, trace: dump?.trace)
        for (sequence, count) in shares { advanceCache(of: sequence, by: count) }
        writeDump()
        answer(asked, logits: backend.read(logits), vocabulary: logits.columns)
        return true
    }

    // MARK: Joining and leaving

    private func admit() {
        while running.count < options.maximumBatch, let place = nextInLine() {
            let sequence = waiting.remove(at: place)
            if sequence.started == nil { sequence.started = .now }
            let match = pool.match(sequence.keys, limit: sequence.tokens.count - 1)
            if let source = match.copied, let target = match.blocks.last {
                backend.copyBlock(of: cache, from: source, to: target)
            }
            sequence.blocks = match.blocks
            sequence.cached = match.tokens
            sequence.node = match.node
            sequence.fullBlocks = match.tokens / pool.blockTokens
            if sequence.isReadingPrompt {
                sequence.reusedTokens = match.tokens
                counted.promptTokensReused += match.tokens
            }
            running.append(sequence)
        }
    }

    /// Who joins next: one that had begun already, else the first of the client with the fewest in the batch, so that
    /// a client with a hundred questions does not keep out one with a single question.
    private func nextInLine() -> Int? {
        if let first = waiting.first, first.started != nil { return 0 }
        var places: [String?: Int] = [:]
        for sequence in running { places[sequence.request.client, default: 0] += 1 }
        return waiting.indices.min { one, other in
            let (first, second) = (waiting[one].request.client, waiting[other].request.client)
            return (places[first, default: 0], one) < (places[second, default: 0], other)
        }
    }

    /// Takes over what another sequence has computed of the same beginning since this one joined. Of its own it gives
    /// up a partly filled block for a full one.
    private func takeComputedBlocks(_ sequence: RunningSequence) {
        let size = pool.blockTokens
        var next = sequence.nextBlock(size)
        while next.upperBound < sequence.tokens.count,
            let taken = pool.take(sequence.keys[next], after: sequence.node)
        {
            let spare = Array(sequence.blocks.dropFirst(sequence.fullBlocks))
            if !spare.isEmpty { pool.release(spare, tail: nil) }
            sequence.blocks = sequence.blocks.prefix(sequence.fullBlocks) + [taken.block]
            sequence.node = taken.node
            sequence.fullBlocks += 1
            sequence.reusedTokens += next.upperBound - sequence.cached
            counted.promptTokensReused += next.upperBound - sequence.cached
            sequence.cached = next.upperBound
            next = sequence.nextBlock(size)
        }
    }

    /// Whether a sequence that joined earlier is about to compute this one's next block: of several with the same
    /// beginning one reads it, and the others wait for its blocks.
    func isComputedByAnother(_ sequence: RunningSequence) -> Bool {
        let next = sequence.nextBlock(pool.blockTokens)
        guard sequence.isReadingPrompt, next.upperBound < sequence.tokens.count else { return false }
        for other in running {
            if other === sequence { return false }
            guard other.isReadingPrompt, other.node == sequence.node, other.fullBlocks == sequence.fullBlocks,
                other.keys.count >= next.endIndex
            else { continue }
            if other.keys[next] == sequence.keys[next] { return true }
        }
        return false
    }

    private func remove(_ sequence: RunningSequence) {
        running.removeAll { $0 === sequence }
        waiting.removeAll { $0 === sequence }
        let tail = sequence.fullBlocks * pool.blockTokens..<sequence.cached
        pool.release(
            sequence.blocks,
            tail: tail.isEmpty
                ? nil : (sequence.blocks[sequence.fullBlocks], sequence.node, Array(sequence.keys[tail])))
        sequence.blocks = []
        sequence.vision = [:]
        sequence.videos = [:]
        sequence.cached = 0
        sequence.fullBlocks = 0
        sequence.node = KVPool.root
    }

    // MARK: Planning

    /// Who takes part in the next pass, and with how many tokens: first everyone who writes, then prompts, up to a
    /// chunk altogether.
    /// - Returns: also whether one is left out because its video is not decoded as far.
    private func planShares() -> (shares: [(RunningSequence, Int)], someoneWaits: Bool) {
        var shares: [(RunningSequence, Int)] = []
        var someoneWaits = false
        var budget = options.prefillChunk
        let writing = running.filter { $0.pending == 1 }
        for sequence in writing + readingOrder() {
            // Nobody who writes waits, however many they are.
            guard running.contains(where: { $0 === sequence }) else { continue }
            var count = sequence.pending == 1 ? 1 : min(sequence.pending, budget)
            // A short question is not held up by long documents, nor they by many short questions: half for each.
            if sequence === shortest, sequence !== running.first(where: { $0.pending > 1 }) {
                count = min(count, max(1, options.prefillChunk / 2))
            }
            if let picture = sequence.missingPicture(within: count) {
                let before = picture.tokens.lowerBound - sequence.cached
                // A little text goes along with the picture after it: every pass reads all weights.
                count = before < options.prefillChunk / 2 ? 0 : before
            }
            guard count > 0 else { continue }
            count = readableOrFailed(count, of: sequence)
            if count == 0 { someoneWaits = true }
            guard count > 0, reserve(count, for: sequence, keeping: shares.map(\.0)) else { continue }
            shares.append((sequence, count))
            budget -= count
        }
        return (shares, someoneWaits)
    }

    /// What can be read of the next tokens now. A sequence whose video cannot be read ends here, with -1 tokens.
    private func readableOrFailed(_ count: Int, of sequence: RunningSequence) -> Int {
        do {
            return try readable(count, of: sequence)
        } catch {
            remove(sequence)
            let error = (error as? VisionInputError).map { QwenVLError($0, field: "video") } ?? error
            sequence.request.output.end(QwenVLError.wrapping(error))
            return -1
        }
    }

    /// Prompts to be read: the one with the least left to read first, then in order of arrival.
    private func readingOrder() -> [RunningSequence] {
        let reading = running.filter { $0.pending > 1 && !isComputedByAnother($0) }
        guard let shortest else { return reading }
        return reading.filter { $0 === shortest } + reading.filter { $0 !== shortest }
    }

    private var shortest: RunningSequence? {
        running.filter { $0.pending > 1 && !isComputedByAnother($0) }.min { $0.pending < $1.pending }
    }

    /// Gives the sequence blocks for its next tokens. When there are none left, the sequence that joined last and does
    /// not take part yet goes back to the queue; alone, it ends here.
    private func reserve(_ count: Int, for sequence: RunningSequence, keeping: [RunningSequence]) -> Bool {
        let needed = (sequence.cached + count + pool.blockTokens - 1) / pool.blockTokens
        while sequence.blocks.count < needed {
            if let block = pool.allocate() {
                sequence.blocks.append(block)
            } else if let victim = running.last(where: { other in !keeping.contains { $0 === other } }),
                victim !== sequence
            {
                remove(victim)
                counted.preempted += 1
                waiting.insert(victim, at: 0)
            } else if keeping.isEmpty {
                end(sequence, .length)
                return false
            } else {
                return false
            }
        }
        return true
    }

    // MARK: After the pass

    private func advanceCache(of sequence: RunningSequence, by count: Int) {
        sequence.cached += count
        if sequence.cached >= sequence.promptCount { sequence.vision = [:] }
        while (sequence.fullBlocks + 1) * pool.blockTokens <= sequence.cached {
            let index = sequence.fullBlocks
            let keys = Array(sequence.keys[index * pool.blockTokens..<(index + 1) * pool.blockTokens])
            sequence.node = pool.register(sequence.blocks[index], tokens: keys, after: sequence.node)
            sequence.fullBlocks += 1
        }
        if sequence.isReadingPrompt {
            counted.promptTokensComputed += count
            sequence.request.output.put(.prompt(done: sequence.cached, total: sequence.promptCount))
        }
    }

    func publishStatistics() {
        counted.running = running.count
        counted.waiting = waiting.count
        counted.cacheTokensUsed = pool.usedBlocks * pool.blockTokens
        counted.cacheTokensReusable = pool.reusableBlocks * pool.blockTokens
        counted.cacheEvictions = pool.evictions
        counted.visionCacheEntries = visionCache.count
        counted.visionCacheBytes = visionCache.byteCount
        published.withLock { [counted] in $0 = counted }
    }

    private func answer(_ asked: [RunningSequence], logits: [Float], vocabulary: Int) {
        for (row, sequence) in asked.enumerated() where running.contains(where: { $0 === sequence }) {
            do {
                let reason = try logits.withUnsafeBufferPointer { all in
                    try sequence.advance(
                        logits: UnsafeBufferPointer(rebasing: all[row * vocabulary..<(row + 1) * vocabulary]))
                }
                counted.generatedTokens += 1
                if let reason { end(sequence, reason) }
            } catch {
                remove(sequence)
                sequence.request.output.end(error)
            }
        }
    }

    /// Layers are compared on the first prompt's pass alone.
    private func writeDump() {
        defer { dump = nil }
        do {
            try dump?.write()
        } catch {
            // Whoever asked for the file waits for these answers.
            for sequence in running {
                remove(sequence)
                sequence.request.output.end(QwenVLError.wrapping(error))
            }
        }
    }

    private func end(_ sequence: RunningSequence, _ reason: FinishReason) {
        remove(sequence)
        counted.finished += 1
        sequence.finish(reason)
    }
}
