import Foundation
import QwenVL
import Testing

/// The whole model in float32 against the reference.
@Suite struct ReferenceOutputsTests {
    @Test(arguments: FixtureLibrary.checkpoints)
    func logitsAndGreedyTokens(_ checkpoint: String) async throws {
        let engine = try await FixtureLibrary.engine(checkpoint)
        for name in FixtureLibrary.conversations {
            let golden: GoldenOutputs = try FixtureLibrary.golden("\(checkpoint)/\(name)")
            var options = GenerationOptions.greedy
            options.repetitionPenalty = 1
            options.ignoreEndOfSequence = true
            options.maxTokens = golden.conversations.map(\.greedy_ids.count).max()
            options.logprobs = 20
            let answers = try await engine.replies(to: FixtureLibrary.messages(name), options: options)
            #expect(answers.count == golden.conversations.count)
            for (index, (answer, expected)) in zip(answers, golden.conversations).enumerated() {
                let place: Comment = "\(checkpoint), \(name), conversation \(index)"
                #expect(answer.promptTokenIDs == expected.prompt_token_ids, place)
                try compareTop(answer, expected, place)
                compareGreedy(answer, expected, place)
            }
        }
    }

    /// The 20 likeliest first tokens: within a thousandth of their spread.
    private func compareTop(_ answer: Completion, _ expected: GoldenOutputs.Conversation, _ place: Comment) throws {
        let first = try #require(answer.logprobs?.first, place)
        let spread = try #require(expected.top_logprobs.max()) - #require(expected.top_logprobs.min())
        let found = Dictionary(uniqueKeysWithValues: first.top.map { ($0.id, $0.logprob) })
        for (id, logprob) in zip(expected.top_ids, expected.top_logprobs) {
            guard let value = found[id] else {
                // Only a tie with the twentieth may fall out of the list.
                #expect(abs(logprob - (expected.top_logprobs.last ?? 0)) <= 1e-3 * spread, place)
                continue
            }
            #expect(abs(value - logprob) <= 1e-3 * spread, place)
        }
    }

    /// Greedy tokens, up to the first step whose margin proves nothing.
    private func compareGreedy(_ answer: Completion, _ expected: GoldenOutputs.Conversation, _ place: Comment) {
        #expect(answer.tokenIDs.count == expected.greedy_ids.count, place)
        for (step, pair) in zip(answer.tokenIDs, expected.greedy_ids).enumerated() {
            guard pair.0 != pair.1 else { continue }
            #expect(expected.margins[step] <= 0.02, "\(place), step \(step)")
            return
        }
    }
}
