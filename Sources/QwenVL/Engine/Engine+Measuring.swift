import Checkpoint
package import QwenVLModel
import TensorCore
import VisionInput

/// A conversation of noise: so many random tokens, a picture of random pixels or none, and an answer of fixed length.
package struct NoiseRequest: Sendable {
    /// Pixels.
    package struct PictureSize: Sendable, Hashable {
        package let width: Int
        package let height: Int
        package init(width: Int, height: Int) {
            (self.width, self.height) = (width, height)
        }
    }

    package var textTokens: Int
    package var picture: PictureSize?
    package var newTokens: Int
    /// Equal seeds give equal prompts, which the caches would know again.
    package var seed: UInt64

    package init(textTokens: Int, picture: PictureSize? = nil, newTokens: Int, seed: UInt64) {
        self.textTokens = textTokens
        self.picture = picture
        self.newTokens = newTokens
        self.seed = seed
    }
}

/// What one conversation of noise took.
package struct NoiseResult: Sendable {
    package let promptTokens: Int
    package let answerTokens: Int
    /// Of the picture; nil without one.
    package let grid: PatchGrid?
    package let timings: Timings
    package let vision: VisionTimes?
}

extension Engine {
    package nonisolated var backendName: String { backend.name }

    /// Answers conversations of noise together, as `replies` answers real ones.
    /// - Throws: ``QwenVLError``.
    package func measure(_ requests: [NoiseRequest]) async throws -> [NoiseResult] {
        let clock = VisionClock()
        visionClock = clock
        defer { visionClock = nil }
        let blocks = model.config.vision.fullAttentionBlocks
        var options = GenerationOptions.greedy
        options.repetitionPenalty = 1
        options.ignoreEndOfSequence = true
        let prompts = try requests.map { try processor.noise($0) }
        let completions = try await answer(prompts, lengths: requests.map(\.newTokens), options: options)
        return zip(prompts, completions).map { prompt, completion in
            NoiseResult(
                promptTokens: completion.usage.promptTokens, answerTokens: completion.usage.completionTokens,
                grid: prompt.media.first?.grid, timings: completion.timings,
                vision: prompt.media.isEmpty ? nil : clock.times(fullAttentionBlocks: blocks))
        }
    }

    /// Takes a picture of noise through the vision tower alone.
    /// - Throws: ``QwenVLError``.
    package func measureVision(_ size: NoiseRequest.PictureSize, seed: UInt64) throws -> NoiseResult {
        let prompt = try processor.noise(NoiseRequest(textTokens: 0, picture: size, newTokens: 0, seed: seed))
        var timings = Timings()
        timings.processing = prompt.processing
        guard let picture = prompt.media.first, case .patches(let values) = picture.content else {
            return NoiseResult(promptTokens: 0, answerTokens: 0, grid: nil, timings: timings, vision: nil)
        }
        let clock = VisionClock()
        backend.setActive(true)
        defer { backend.setActive(false) }
        let start = ContinuousClock.now
        let patches = values.withUnsafeBufferPointer {
            backend.makeTensor($0, rows: picture.grid.patches, columns: $0.count / picture.grid.patches)
        }
        clock.begin()
        _ = model.encode(patches, grid: picture.grid, backend: backend, trace: clock.trace)
        timings.vision = start.duration(to: .now).seconds
        return NoiseResult(
            promptTokens: prompt.tokens.count, answerTokens: 0, grid: picture.grid, timings: timings,
            vision: clock.times(fullAttentionBlocks: model.config.vision.fullAttentionBlocks))
    }

    private func answer(
        _ prompts: [Prompt], lengths: [Int], options: GenerationOptions
    ) async throws -> [Completion] {
        var streams: [AsyncThrowingStream<GenerationEvent, any Error>] = []
        let requests = zip(prompts, lengths).map { prompt, length in
            var options = options.merged(over: defaults)
            options.maxTokens = length
            let (stream, output) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
            streams.append(stream)
            return GenerationRequest(prompt: prompt, options: options, output: GenerationSink(output))
        }
        try submit(requests)
        var completions: [Completion] = []
        for stream in streams { completions.append(try await Self.last(of: stream)) }
        return completions
    }
}

extension Processor {
    /// Text before the picture: about what a template puts there.
    private static let opening = 15

    /// A prompt of random tokens and pixels.
    func noise(_ request: NoiseRequest) throws -> Prompt {
        let start = ContinuousClock.now
        var random = RandomSource(seed: request.seed)
        // Below the special tokens, which come last in Qwen's vocabulary.
        let ids = UInt64(max(1, config.text.vocabularySize * 9 / 10))
        func text(_ count: Int, in prompt: inout Prompt) {
            guard count > 0 else { return }
            prompt.tokens += (0..<count).map { _ in Int32(random.next() % ids) }
            prompt.spans.append(.text(count: count))
        }
        var prompt = Prompt()
        let before = request.picture == nil ? 0 : min(Self.opening, request.textTokens)
        text(before, in: &prompt)
        if let size = request.picture {
            let pixels = (0..<size.width * size.height * 3).map { _ in UInt8(truncatingIfNeeded: random.next() >> 32) }
            let image = RGBImage(width: size.width, height: size.height, pixels: pixels)
            let patches: VisionPatches
            let began = ContinuousClock.now
            do {
                patches = try images.patches(frames: [image], originalSize: image.size)
            } catch {
                throw QwenVLError.picture(field: "picture", reason: "\(error)")
            }
            prompt.processing = began.duration(to: .now).seconds
            append(DecodedMedia(patches), to: &prompt)
        } else {
            prompt.processing = start.duration(to: .now).seconds
        }
        text(request.textTokens - before, in: &prompt)
        return prompt
    }
}
