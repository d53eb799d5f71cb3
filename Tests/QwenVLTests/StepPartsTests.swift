import QwenVLModel
import TensorCore
import Testing

/// A step cut into parts that go side by side. That the parts' answers are the whole's is in `InvariantTests`.
@Suite struct StepPartsTests {
    private func step(_ counts: [Int], logitRows: [Int32]) -> TextStep {
        var step = TextStep()
        for (number, count) in counts.enumerated() {
            step.sequences.append(SequenceSpan(blocks: [Int32(number)], past: 10 * number, count: count))
            step.tokens += (0..<count).map { Int32(100 * number + $0) }
            step.positions.append(
                contentsOf: MRoPEPositions(spans: [.text(count: count)], mergeSize: 2, tokensPerSecond: 2))
        }
        step.logitRows = logitRows
        return step
    }

    @Test func wholeSequencesGoWithTheirLogits() throws {
        let parts = try #require(step([1, 1, 1, 1, 1], logitRows: [0, 2, 3, 4]).parts(2))
        #expect(parts.map(\.step.tokens) == [[0, 100], [200, 300, 400]])
        #expect(parts.map { $0.step.sequences.map(\.past) } == [[0, 10], [20, 30, 40]])
        #expect(parts.map(\.step.logitRows) == [[0], [0, 1, 2]])
        #expect(parts.map(\.logits) == [[0], [1, 2, 3]])
        #expect(parts.map(\.step.positions.count) == [2, 3])
    }

    @Test func whatCannotBeCutEvenlyStaysWhole() {
        #expect(step([7], logitRows: [6]).parts(2) == nil)
        #expect(step([90, 1], logitRows: [90]).parts(2) == nil)
        #expect(step([50, 40], logitRows: [49, 89]).parts(2) != nil)
        #expect(step([50, 40], logitRows: [49, 89]).parts(3) == nil)
    }
}
