import QwenVLModel
import TensorCore

/// One pass through the model after another, as long as there is work: sequences join and leave between steps.
extension Engine {
    /// Runs until no sequence is left. Between steps other calls to the actor get their turn.
    func run() async {
        backend.setActive(true)
        while !running.isEmpty || !waiting.isEmpty {
            step()
            await Task.yield()
        }
        backend.setActive(false)
        isRunning = false
    }

    private func step() {
        for sequence in running + waiting where sequence.request.cancellation.isCancelled {
            remove(sequence)
            sequence.request.output.finish(throwing: CancellationError())
        }
        admit()
        let shares = planShares()
        guard !shares.isEmpty else { return }
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
    }

    // MARK: Joining and leaving

    private func admit() {
        while running.count < options.maximumBatch, let sequence = waiting.first {
            waiting.removeFirst()
            if sequence.started == nil { sequence.started = .now }
            let match = pool.match(sequence.keys, limit: sequence.tokens.count - 1)
            sequence.blocks = match.blocks
            sequence.cached = match.tokens
            sequence.node = match.node
            sequence.fullBlocks = match.tokens / pool.blockTokens
            if sequence.isReadingPrompt { sequence.reusedTokens = match.tokens }
            running.append(sequence)
        }
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
        sequence.cached = 0
        sequence.fullBlocks = 0
        sequence.node = KVPool.root
    }

    // MARK: Planning

    /// Who takes part in the next pass, and with how many tokens: first everyone who writes, then prompts in order
    /// of arrival, up to a chunk altogether.
    private func planShares() -> [(RunningSequence, Int)] {
        var shares: [(RunningSequence, Int)] = []
        var budget = options.prefillChunk
        let writing = running.filter { $0.pending == 1 }
        let reading = running.filter { $0.pending > 1 }
        for sequence in writing + reading {
            // Nobody who writes waits, however many they are.
            let count = sequence.pending == 1 ? 1 : min(sequence.pending, budget)
            guard count > 0, running.contains(where: { $0 === sequence }) else { continue }
            guard reserve(count, for: sequence, keeping: shares.map(\.0)) else { continue }
            shares.append((sequence, count))
            budget -= count
        }
        return shares
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

    // MARK: Pictures

    /// Puts the rows of pictures that fall into `range` into the step, encoding those that are new.
    private func addVision(of sequence: RunningSequence, range: Range<Int>, to step: inout TextStep) {
        let firstRow = step.tokens.count
        for picture in sequence.request.prompt.media {
            let overlap = picture.tokens.clamped(to: range)
            guard !overlap.isEmpty else { continue }
            let rows = embeddings(of: picture, for: sequence)
            let inPicture = overlap.lowerBound - picture.tokens.lowerBound
            step.vision.append(
                VisionRows(
                    firstRow: firstRow + overlap.lowerBound - range.lowerBound,
                    embeddings: rows.rows(inPicture..<inPicture + overlap.count)))
        }
    }

    private func embeddings(of picture: PreparedMedia, for sequence: RunningSequence) -> Tensor {
        if let known = visionCache[picture.key] { return known }
        let start = ContinuousClock.now
        let patches = picture.patches.withUnsafeBufferPointer {
            backend.makeTensor($0, rows: picture.grid.patches, columns: $0.count / picture.grid.patches)
        }
        visionClock?.begin()
        let rows = model.encode(
            patches, grid: picture.grid, backend: backend, trace: visionClock?.trace ?? dump?.trace)
        visionCache.insert(rows, for: picture.key)
        sequence.timings.vision += start.duration(to: .now).seconds
        return rows
    }

    // MARK: After the pass

    private func advanceCache(of sequence: RunningSequence, by count: Int) {
        sequence.cached += count
        while (sequence.fullBlocks + 1) * pool.blockTokens <= sequence.cached {
            let index = sequence.fullBlocks
            let keys = Array(sequence.keys[index * pool.blockTokens..<(index + 1) * pool.blockTokens])
            sequence.node = pool.register(sequence.blocks[index], tokens: keys, after: sequence.node)
            sequence.fullBlocks += 1
        }
        if sequence.isReadingPrompt {
            sequence.request.output.yield(.prompt(done: sequence.cached, total: sequence.promptCount))
        }
    }

    private func answer(_ asked: [RunningSequence], logits: [Float], vocabulary: Int) {
        for (row, sequence) in asked.enumerated() where running.contains(where: { $0 === sequence }) {
            do {
                let reason = try logits.withUnsafeBufferPointer { all in
                    try sequence.advance(
                        logits: UnsafeBufferPointer(rebasing: all[row * vocabulary..<(row + 1) * vocabulary]))
                }
                if let reason { end(sequence, reason) }
            } catch {
                remove(sequence)
                sequence.request.output.finish(throwing: error)
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
                sequence.request.output.finish(throwing: QwenVLError.wrapping(error))
            }
        }
    }

    private func end(_ sequence: RunningSequence, _ reason: FinishReason) {
        remove(sequence)
        sequence.finish(reason)
    }
}
