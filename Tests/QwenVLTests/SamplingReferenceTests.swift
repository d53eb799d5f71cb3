import ChatTemplate
import Foundation
import QwenVL
import Testing

/// A case of the fixture: a distribution after Transformers' logits processors.
private struct SamplingCase {
    let fields: TemplateValue

    func integer(_ key: String) throws -> Int {
        try JSONField(fields, path: "case").required(key, "").integer(in: 0...Int.max, "")
    }

    func numbers(_ key: String) throws -> [Double] {
        try JSONField(fields, path: "case").required(key, "").elements().map { try $0.number() }
    }

    /// Multiples of 2^-step in [-spread, spread) from a linear congruential generator, as the script makes them.
    func logits() throws -> [Float] {
        var state = UInt64(try integer("seed"))
        let (spread, step) = (try integer("spread"), try integer("step"))
        return (0..<(try integer("size"))).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float((state >> 40) % UInt64(2 * spread << step)) / Float(1 << step) - Float(spread)
        }
    }

    func sampler() throws -> Sampler {
        var options = GenerationOptions()
        let given = try JSONField(fields, path: "case").required("options", "")
        options.doSample = true
        options.temperature = try given.optional("temperature")?.number()
        options.topK = try given.optional("top_k")?.integer(in: 0...Int.max, "") ?? 0
        options.topP = try given.optional("top_p")?.number()
        options.minP = try given.optional("min_p")?.number()
        options.repetitionPenalty = try given.optional("repetition_penalty")?.number()
        return try Sampler(
            SamplingParameters(options), vocabularySize: integer("size"), prompt: numbers("prompt").map { Int($0) })
    }
}

@Suite("Sampling against Transformers")
struct SamplingReferenceTests {
    @Test("The same tokens remain, with the same probabilities")
    func distributionsAgree() throws {
        let url = try #require(
            Bundle.module.url(forResource: "distributions", withExtension: "json", subdirectory: "Fixtures/Sampling"))
        let document = try TemplateValue(json: Data(contentsOf: url))
        let cases = try JSONField(document, path: "").required("cases", "").elements()
        #expect(cases.count > 100)
        for (number, field) in cases.enumerated() {
            let reference = SamplingCase(fields: field.value)
            var sampler = try reference.sampler()
            let logits = try reference.logits()
            let kept = try logits.withUnsafeBufferPointer { try sampler.distribution($0) }.filter {
                $0.probability > 1e-30
            }
            let checksum = kept.enumerated().reduce(0) { $0 + ($1.element.token + 1) * ($1.offset + 1) } % (1 << 31)
            #expect(try kept.count == reference.integer("count"), "case \(number)")
            #expect(try checksum == reference.integer("checksum"), "case \(number)")
            let (tokens, probabilities) = (try reference.numbers("tokens"), try reference.numbers("probabilities"))
            for (mine, (token, probability)) in zip(kept, zip(tokens, probabilities)) {
                #expect(mine.token == Int(token), "case \(number)")
                // exp in float32 on either side, and a sum of 150,000 terms in float32 over there.
                #expect(abs(mine.probability - probability) <= 4e-6 * probability, "case \(number), token \(token)")
            }
        }
    }
}
