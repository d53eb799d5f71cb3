import Checkpoint
import QwenVL
import Testing

private func parameters(_ change: (inout GenerationOptions) -> Void) throws -> SamplingParameters {
    var options = GenerationOptions()
    (options.doSample, options.topK, options.seed) = (true, 0, 7)
    change(&options)
    return try SamplingParameters(options)
}

private func sampler(
    _ size: Int, prompt: [Int] = [], _ change: (inout GenerationOptions) -> Void = { _ in }
) throws -> Sampler {
    try Sampler(parameters(change), vocabularySize: size, prompt: prompt)
}

extension Sampler {
    fileprivate mutating func draw(_ logits: [Float]) throws -> Int {
        try logits.withUnsafeBufferPointer { try next($0) }
    }
}

private struct OutOfRange: Sendable {
    let name: String
    let change: @Sendable (inout GenerationOptions) -> Void

    init(_ name: String, _ change: @escaping @Sendable (inout GenerationOptions) -> Void) {
        (self.name, self.change) = (name, change)
    }
}

@Suite("Sampling")
struct SamplingTests {
    @Test("Greedy takes the first of equal maxima, at any place")
    func greedyTakesTheFirstMaximum() throws {
        for size in [1, 2, 15, 16, 17, 33, 100] {
            for first in 0..<size {
                var logits = [Float](repeating: -1, count: size)
                logits[first] = 3
                logits[size - 1] = 3
                var sampler = try sampler(size) { $0.temperature = 0 }
                #expect(try sampler.draw(logits) == first)
            }
        }
    }

    @Test("Penalties count the prompt once, the answer's presence once, its frequency each time")
    func appliesPenalties() throws {
        // Repetition: 2.0 / 2 = 1 < 1.5, although token 0 stands in the prompt twice (0.5 otherwise).
        var repetition = try sampler(3, prompt: [0, 0]) { ($0.temperature, $0.repetitionPenalty) = (0, 2) }
        #expect(try repetition.draw([2, 0.75, 0.9]) == 0)
        #expect(try repetition.draw([2, 0.75, 1.1]) == 2)
        #expect(try repetition.draw([-2, -3, -1.5]) == 1)
        var frequency = try sampler(2) { ($0.temperature, $0.frequencyPenalty, $0.presencePenalty) = (0, 1, 0.5) }
        // 3, then 3 - 1.5, then 3 - 2.5.
        #expect(try (0..<4).map { _ in try frequency.draw([3, 1]) } == [0, 0, 1, 0])
    }

    @Test("Logits that allow no choice are errors, a single finite one is chosen")
    func handlesDegenerateLogits() throws {
        for temperature in [0, 1e-6, 1] {
            var sampler = try sampler(40) { ($0.temperature, $0.topP, $0.topK, $0.minP) = (temperature, 0.9, 5, 0.1) }
            var logits = [Float](repeating: -.infinity, count: 40)
            #expect(throws: SamplingError.notFinite) { try sampler.draw(logits) }
            logits[39] = -7
            #expect(try sampler.draw(logits) == 39)
            logits[3] = .nan
            #expect(throws: SamplingError.notFinite) { try sampler.draw(logits) }
            logits[3] = .infinity
            #expect(throws: SamplingError.notFinite) { try sampler.draw(logits) }
            #expect(throws: SamplingError.wrongCount(expected: 40, found: 2)) { try sampler.draw([1, 2]) }
        }
        #expect(throws: SamplingError.unknownToken(id: 40, vocabularySize: 40)) { try sampler(40, prompt: [40]) }
    }

    @Test("Tiny temperatures neither overflow nor draw anything but the maximum")
    func handlesTinyTemperatures() throws {
        for temperature in [1e-6, 1e-37, 1e-40, 1e-300] {
            var sampler = try sampler(1000) { $0.temperature = temperature }
            var logits = (0..<1000).map { Float($0 % 97) / 3 - 20 }
            logits[511] = 35
            for _ in 0..<20 { #expect(try sampler.draw(logits) == 511) }
        }
    }

    @Test("Draws follow the distribution", arguments: [1, 2, 3] as [UInt64])
    func drawsFollowTheDistribution(seed: UInt64) throws {
        let logits: [Float] = [1, 3, 2, -1, 2.5]
        var sampler = try sampler(5) { ($0.seed, $0.temperature) = (seed, 0.8) }
        let expected = try logits.withUnsafeBufferPointer { try sampler.distribution($0) }
        let draws = 20000
        var counts = [Int](repeating: 0, count: 5)
        for _ in 0..<draws { counts[try sampler.draw(logits)] += 1 }
        // Five standard deviations of a binomial count.
        for (token, probability) in expected {
            let deviation = (Double(draws) * probability * (1 - probability)).squareRoot()
            #expect(abs(Double(counts[token]) - Double(draws) * probability) < 5 * deviation)
        }
    }

    @Test("The random numbers are xoshiro256++ seeded by SplitMix64")
    func randomNumbersAreFixed() {
        var random = RandomSource(seed: 0)
        // SplitMix64(0) begins e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f f88bb8a8724c81ec (its author's
        // test values); xoshiro256++ then gives rotl(s0 + s3, 23) + s0.
        let (s0, s3): (UInt64, UInt64) = (0xe220_a839_7b1d_cdaf, 0xf88b_b8a8_724c_81ec)
        let sum = s0 &+ s3
        #expect(random.next() == ((sum << 23) | (sum >> 41)) &+ s0)
        var (first, second) = (RandomSource(seed: 42), RandomSource(seed: 42))
        for _ in 0..<100 {
            let unit = first.unit()
            #expect(unit == second.unit())
            #expect((0..<1).contains(unit))
        }
    }

    @Test(
        "Options out of range are errors that name the field",
        arguments: [
            OutOfRange("temperature") { $0.temperature = -1 }, OutOfRange("temperature") { $0.temperature = .nan },
            OutOfRange("top_k") { $0.topK = -1 }, OutOfRange("top_p") { $0.topP = 1.1 },
            OutOfRange("min_p") { $0.minP = -0.1 }, OutOfRange("repetition_penalty") { $0.repetitionPenalty = 0 },
            OutOfRange("presence_penalty") { $0.presencePenalty = 3 },
            OutOfRange("frequency_penalty") { $0.frequencyPenalty = -3 },
            OutOfRange("max_tokens") { $0.maxTokens = 0 }, OutOfRange("logprobs") { $0.logprobs = 21 },
            OutOfRange("stop[1]") { $0.stop = ["a", ""] }, OutOfRange("stop_token_ids[0]") { $0.stopTokenIDs = [-1] },
        ])
    fileprivate func checksRanges(field: OutOfRange) throws {
        let error = try #require(throws: InputError.self) { _ = try parameters(field.change) }
        #expect(error.field == field.name)
    }

    @Test("The checkpoint's defaults are read and overridden field by field")
    func mergesDefaults() throws {
        let file = """
            {"bos_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
             "repetition_penalty": 1.05, "temperature": 0.000001}
            """
        let defaults = GenerationOptions(
            try GenerationConfig(parsing: Array(file.utf8), file: "generation_config.json"))
        #expect(defaults.endOfSequenceIDs == [151645, 151643])
        let plain = try SamplingParameters(GenerationOptions().merged(over: defaults))
        #expect(!plain.isGreedy)
        #expect(plain.temperature == 1e-6)
        #expect(plain.topK == 50)
        #expect(plain.repetitionPenalty == 1.05)
        #expect(try SamplingParameters(GenerationOptions.greedy.merged(over: defaults)).isGreedy)
        var warm = GenerationOptions()
        (warm.temperature, warm.stopTokenIDs) = (0.7, [5])
        let never = GenerationOptions(
            try GenerationConfig(parsing: Array(#"{"do_sample": false, "eos_token_id": 2}"#.utf8), file: "never.json"))
        #expect(try !SamplingParameters(warm.merged(over: never)).isGreedy)
        #expect(try SamplingParameters(GenerationOptions().merged(over: never)).isGreedy)
        #expect(warm.merged(over: never).endTokens == [2, 5])
        warm.ignoreEndOfSequence = true
        #expect(warm.merged(over: never).endTokens == [5])
    }

    @Test("Log-probabilities come from the raw logits")
    func reportsLogprobs() throws {
        let logits: [Float] = [0, 1, 2, 2] + [Float](repeating: -100, count: 20)
        let result = try logits.withUnsafeBufferPointer { try TokenLogprob(1, logits: $0, top: 3) }
        // log(1 + e + 2 e²) = 2.91758
        let sum: Float = 2.917_575_6
        #expect(abs(result.logprob - (1 - sum)) < 1e-5)
        #expect(result.top.map(\.id) == [2, 3, 1])
        #expect(abs(result.top[0].logprob - (2 - sum)) < 1e-5)
    }
}

@Suite("Stop texts")
struct StopMatcherTests {
    /// The result by definition: the stop text that is complete first, the longest of those that end together.
    private func expected(_ text: String, _ stops: [String]) -> (String, String?) {
        let bytes = Array(text.utf8)
        for end in 0...bytes.count {
            let prefix = bytes[..<end]
            let found = stops.filter { !$0.isEmpty && prefix.reversed().starts(with: $0.utf8.reversed()) }
            if let stop = found.max(by: { $0.utf8.count < $1.utf8.count }) {
                return (String(decoding: prefix.dropLast(stop.utf8.count), as: UTF8.self), stop)
            }
        }
        return (text, nil)
    }

    @Test(
        "The result does not depend on the pieces",
        arguments: [
            ("abcabcabd", ["abcabd"]), ("aaab", ["aab"]), ("xabcx", ["abc", "b"]), ("xabc", ["bc", "abc", "c"]),
            ("none here", ["zz", "herf"]), ("aé日b", ["日"]), ("aéé日", ["é日"]), ("</tool", ["</tool_call>"]),
            ("ab", ["ab"]), ("", ["a"]), ("ababab", ["bab", "aba"]),
        ])
    func allSplitsAgree(text: String, stops: [String]) {
        let (emitted, stop) = expected(text, stops)
        let characters = Array(text.unicodeScalars.map(String.init))
        for cuts in 0..<(1 << max(0, characters.count - 1)) {
            var pieces: [String] = [""]
            for (index, character) in characters.enumerated() {
                if index > 0, cuts >> (index - 1) & 1 == 1 { pieces.append("") }
                pieces[pieces.count - 1] += character
            }
            var matcher = StopMatcher(stops)
            var result = ""
            for piece in pieces { result += matcher.push(piece) }
            result += matcher.finish()
            #expect(result == emitted)
            #expect(matcher.match == stop)
        }
    }

    @Test("Only what may begin a stop text is held back")
    func holdsBackLittle() {
        var matcher = StopMatcher(["END"])
        #expect(matcher.push("text E") == "text ")
        #expect(matcher.push("x N") == "Ex N")
        #expect(matcher.push("EN") == "")
        #expect(matcher.push("D more") == "")
        #expect(matcher.match == "END")
        #expect(matcher.push("more") == "")
        #expect(matcher.finish() == "")
        var none = StopMatcher([])
        #expect(none.push("abc") == "abc")
    }
}
