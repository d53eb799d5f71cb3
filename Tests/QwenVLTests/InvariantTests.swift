import CPUBackend
import Foundation
import QwenVL
import Testing

/// What must not change an answer: how a prompt is cut up, who else is in the batch, what the cache remembers,
/// how many threads compute, which instructions they use.
@Suite struct InvariantTests {
    private static func engine(_ change: (inout EngineOptions) -> Void = { _ in }) async throws -> Engine {
        try await FixtureLibrary.engine("tied-bfloat16", change)
    }

    private static var greedy: GenerationOptions {
        var options = GenerationOptions.greedy
        options.ignoreEndOfSequence = true
        options.maxTokens = 12
        options.logprobs = 5
        return options
    }

    /// Tokens and log-probabilities to the last bit.
    private func expectEqual(_ one: Completion, _ other: Completion, _ place: Comment) {
        #expect(one.tokenIDs == other.tokenIDs, place)
        #expect(one.logprobs == other.logprobs, place)
        #expect(one.text == other.text, place)
    }

    @Test(arguments: ["one-picture", "batch", "multi-turn"], [1, 7, 33])
    func anyChunkingIsOneShot(_ name: String, chunk: Int) async throws {
        let conversations = try FixtureLibrary.messages(name)
        let whole = try await Self.engine { $0.prefillChunk = 4096 }.replies(to: conversations, options: Self.greedy)
        let parts = try await Self.engine { $0.prefillChunk = chunk }.replies(to: conversations, options: Self.greedy)
        for (index, pair) in zip(whole, parts).enumerated() {
            expectEqual(pair.0, pair.1, "\(name), conversation \(index), chunks of \(chunk)")
        }
    }

    @Test(arguments: EngineOptions.Weights.allCases)
    func batchIsEachAlone(_ weights: EngineOptions.Weights) async throws {
        let conversations = try FixtureLibrary.messages("batch") + FixtureLibrary.messages("text")
        let together = try await Self.engine { $0.weights = weights }.replies(to: conversations, options: Self.greedy)
        for (index, conversation) in conversations.enumerated() {
            let alone = try await Self.engine { $0.weights = weights }.reply(to: conversation, options: Self.greedy)
            expectEqual(together[index], alone, "conversation \(index)")
        }
    }

    /// A second turn computes only what is new, and says what a fresh engine says.
    @Test func cachedTurnsAreFresh() async throws {
        let engine = try await Self.engine()
        var messages = try FixtureLibrary.messages("one-picture")[0]
        for turn in 0..<3 {
            let answer = try await engine.reply(to: messages, options: Self.greedy)
            let fresh = try await Self.engine().reply(to: messages, options: Self.greedy)
            expectEqual(answer, fresh, "turn \(turn)")
            #expect(fresh.usage.cachedTokens == 0)
            if turn > 0 {
                // The past is known up to what the answer's text became when it was split into tokens again.
                #expect(answer.usage.cachedTokens > answer.usage.promptTokens / 2)
                #expect(answer.timings.vision == 0)
            }
            messages += [.assistant(answer.text), .user("And in turn \(turn)?")]
        }
    }

    /// Sequences that are put back for want of room go on where they were.
    /// Other questions about one picture, one after another and then at once: each computes no more than its own last
    /// words, wherever in a block they begin, and says what a fresh engine says.
    @Test(arguments: EngineOptions.KVCache.allCases)
    func otherQuestionsAboutAPictureAreFresh(_ format: EngineOptions.KVCache) async throws {
        let engine = try await Self.engine { $0.kvCache = format }
        let picture = try FixtureLibrary.messages("one-picture")[0].flatMap(\.parts).filter {
            if case .image = $0 { true } else { false }
        }
        try #require(picture.count == 1)
        let questions = ["What is this?", "What is that?", "How many are there, and of which colour are they?", "Why?"]
            .map { [ChatMessage.user(picture + [.text($0)])] }
        _ = try await engine.reply(to: questions[0], options: Self.greedy)
        var alone: [Completion] = []
        for (index, question) in questions.enumerated() {
            let answer = try await engine.reply(to: question, options: Self.greedy)
            alone.append(try await Self.engine { $0.kvCache = format }.reply(to: question, options: Self.greedy))
            expectEqual(answer, alone[index], "question \(index)")
            #expect(answer.usage.promptTokens - answer.usage.cachedTokens < 32)
            #expect(answer.timings.vision == 0)
        }
        for (index, answer) in try await engine.replies(to: questions, options: Self.greedy).enumerated() {
            expectEqual(answer, alone[index], "question \(index) beside the others")
            #expect(answer.usage.promptTokens - answer.usage.cachedTokens < 32)
        }
    }

    @Test func aTightCacheChangesNothing() async throws {
        let conversations = try FixtureLibrary.messages("batch") + FixtureLibrary.messages("multi-turn")
        var options = Self.greedy
        options.maxTokens = 60
        let roomy = try await Self.engine().replies(to: conversations, options: options)
        // Three blocks of 64 tokens hold two of the conversations, not all.
        let tight = try await Self.engine { $0.cacheTokens = 256 }.replies(to: conversations, options: options)
        for (index, pair) in zip(roomy, tight).enumerated() {
            expectEqual(pair.0, pair.1, "conversation \(index)")
        }
    }

    @Test func threadsDoNotMatter() async throws {
        let conversations = try FixtureLibrary.messages("batch")
        let one = try await Self.engine { $0.threads = 1 }.replies(to: conversations, options: Self.greedy)
        for threads in [2, 3] {
            let several = try await Self.engine { $0.threads = threads }.replies(
                to: conversations, options: Self.greedy)
            for (index, pair) in zip(one, several).enumerated() {
                expectEqual(pair.0, pair.1, "conversation \(index), \(threads) threads")
            }
        }
    }

    /// Sums are formed in another order, so the last digits differ: within a thousandth, as against the reference.
    @Test(arguments: CPUBackend.availableInstructionSets)
    func instructionSetsAgree(_ name: String) async throws {
        let conversations = try FixtureLibrary.messages("batch")
        let generic = try await Self.engine { $0.instructionSet = "generic" }
            .replies(to: conversations, options: Self.greedy)
        let other = try await Self.engine { $0.instructionSet = name }.replies(to: conversations, options: Self.greedy)
        for (one, two) in zip(generic, other) {
            let first = try #require(one.logprobs?.first)
            let second = try #require(two.logprobs?.first)
            #expect(first.top.map(\.id) == second.top.map(\.id))
            for (a, b) in zip(first.top, second.top) { #expect(abs(a.logprob - b.logprob) < 1e-3) }
        }
    }

    @Test func sequencesJoinAndLeave() async throws {
        let engine = try await Self.engine()
        let conversations = try FixtureLibrary.messages("batch")
        let alone = try await engine.replies(to: conversations, options: Self.greedy)
        let late = try await withThrowingTaskGroup(of: (Int, Completion).self) { group in
            for (index, conversation) in conversations.enumerated() {
                group.addTask {
                    try await Task.sleep(for: .milliseconds(3 * index))
                    return (index, try await engine.reply(to: conversation, options: Self.greedy))
                }
            }
            var answers: [Int: Completion] = [:]
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
        for (index, answer) in alone.enumerated() {
            #expect(late[index]?.tokenIDs == answer.tokenIDs)
            #expect(late[index]?.logprobs == answer.logprobs)
        }
    }

    @Test func seedsRepeat() async throws {
        let engine = try await Self.engine()
        let messages = try FixtureLibrary.messages("text")[0]
        var options = GenerationOptions()
        options.temperature = 1.5
        options.maxTokens = 20
        options.ignoreEndOfSequence = true
        options.seed = 11
        let one = try await engine.reply(to: messages, options: options)
        let two = try await engine.reply(to: messages, options: options)
        options.seed = 12
        let other = try await engine.reply(to: messages, options: options)
        #expect(one.tokenIDs == two.tokenIDs)
        #expect(one.tokenIDs != other.tokenIDs)
    }

    /// Pieces joined are the whole, and ending the iteration ends the work.
    @Test func streaming() async throws {
        let engine = try await Self.engine()
        let messages = try FixtureLibrary.messages("text")[0]
        var (text, tokens) = ("", [Int]())
        var whole: Completion?
        for try await event in engine.stream(messages, options: Self.greedy) {
            switch event {
            case .prompt(let done, let total): #expect(done <= total)
            case .text(let delta):
                text += delta.text
                tokens += delta.tokenIDs
            case .finished(let completion): whole = completion
            }
        }
        #expect(whole?.text == text)
        #expect(whole?.tokenIDs == tokens)

        var endless = Self.greedy
        endless.maxTokens = nil
        for try await event in engine.stream(messages, options: endless) {
            if case .text = event { break }
        }
        // Were the first still running, this one would share its steps for two thousand tokens.
        let start = ContinuousClock.now
        _ = try await engine.reply(to: messages, options: Self.greedy)
        #expect(start.duration(to: .now) < .seconds(30))
        #expect(await engine.activeSequences == 0)
    }

    @Test func stopsAndLimits() async throws {
        let engine = try await Self.engine()
        let messages = try FixtureLibrary.messages("text")[0]
        let free = try await engine.reply(to: messages, options: Self.greedy)
        #expect(free.finishReason == .length)
        #expect(free.tokenIDs.count == 12)
        var options = Self.greedy
        options.stopTokenIDs = [free.tokenIDs[4]]
        let stopped = try await engine.reply(to: messages, options: options)
        #expect(stopped.finishReason == .stop)
        let first = try #require(free.tokenIDs.firstIndex(of: free.tokenIDs[4]))
        #expect(stopped.tokenIDs == Array(free.tokenIDs.prefix(first + 1)))
        let middle = free.text.index(free.text.startIndex, offsetBy: free.text.count / 2)
        let word = String(free.text[middle...].prefix(2))
        options = Self.greedy
        options.stop = [word]
        let cut = try await engine.reply(to: messages, options: options)
        #expect(cut.finishReason == .stop)
        #expect(!cut.text.contains(word))
        #expect(free.text.hasPrefix(cut.text))
    }
}
