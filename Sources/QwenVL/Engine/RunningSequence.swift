import QwenTokenizer
import QwenVLModel
import TensorCore

/// One conversation on its way to the engine.
struct GenerationRequest: Sendable {
    let prompt: Prompt
    let options: GenerationOptions
    let cancellation: Cancellation
    let output: GenerationSink
    /// Who asks: places in the batch are dealt out evenly among clients.
    var client: String?

    init(
        prompt: Prompt, options: GenerationOptions, cancellation: Cancellation = Cancellation(),
        output: GenerationSink, client: String? = nil
    ) {
        self.prompt = prompt
        self.options = options
        self.cancellation = cancellation
        self.output = output
        self.client = client
    }
}

/// One conversation on its way through the model: what it knows, what it holds, what it has said.
/// Belongs to the engine's actor.
final class RunningSequence {
    let request: GenerationRequest
    let context: GenerationContext

    /// Prompt and answer.
    private(set) var tokens: [Int32]
    private(set) var keys: [KVPool.TokenKey]
    private(set) var positions: MRoPEPositions

    // What it holds of the cache.
    var blocks: [Int32] = []
    /// Tokens whose keys and values are in the cache.
    var cached = 0
    /// The node of the last full block, and how many full blocks there are.
    var node = KVPool.root
    var fullBlocks = 0

    /// Rows of pictures that the prompt still needs.
    var vision: [PatchKey: Tensor] = [:]
    /// Long videos being read, by their place among the prompt's pictures.
    var videos: [Int: VideoProgress] = [:]

    // What it has said.
    private var sampler: Sampler
    private var decoder: StreamingDecoder
    private var stops: StopMatcher
    private var constraint: TokenConstraint?
    private let endTokens: Set<Int>
    private(set) var text = ""
    private(set) var logprobs: [TokenLogprob] = []

    var timings = Timings()
    var reusedTokens = 0
    var started: ContinuousClock.Instant?
    var firstToken: ContinuousClock.Instant?

    init(
        _ request: GenerationRequest, keys: [KVPool.TokenKey], context: GenerationContext,
        constraint: TokenConstraint? = nil
    ) throws {
        self.constraint = constraint
        self.request = request
        self.context = context
        self.keys = keys
        tokens = request.prompt.tokens
        positions = MRoPEPositions(
            spans: request.prompt.spans, mergeSize: context.mergeSize, tokensPerSecond: context.tokensPerSecond)
        for id in (request.options.logitBias ?? [:]).keys where !(0..<context.vocabularySize).contains(id) {
            throw InputError(
                field: "logit_bias", expected: "token ids below \(context.vocabularySize)", found: "\(id)")
        }
        sampler = try Sampler(
            SamplingParameters(request.options), vocabularySize: context.vocabularySize,
            prompt: request.prompt.tokens.lazy.map(Int.init))
        decoder = StreamingDecoder(context.tokenizer, skipSpecial: true)
        endTokens = request.options.endTokens
        stops = StopMatcher(request.options.stop ?? [])
        timings.processing = request.prompt.processing
    }

    var promptCount: Int { request.prompt.tokens.count }
    var generatedCount: Int { tokens.count - promptCount }
    /// Tokens still to go through the model.
    var pending: Int { tokens.count - cached }
    var isReadingPrompt: Bool { generatedCount == 0 }

    /// The tokens of the first block that is not full yet.
    func nextBlock(_ size: Int) -> Range<Int> { fullBlocks * size..<(fullBlocks + 1) * size }

    /// The first picture among the next `count` tokens whose rows are not there yet.
    func missingPicture(within count: Int) -> PreparedMedia? {
        request.prompt.media.first {
            !$0.isLong && $0.tokens.upperBound > cached && $0.tokens.lowerBound < cached + count
                && vision[$0.key] == nil
        }
    }

    /// Chooses the next token from its logits and tells the caller.
    /// - Returns: why the answer ends with it, or nil.
    func advance(logits: UnsafeBufferPointer<Float>) throws -> FinishReason? {
        if firstToken == nil { firstToken = .now }
        let token = try sampler.next(logits) { constraint?.mask($0, ends: endTokens) }
        let logprob = try request.options.logprobs.map { try TokenLogprob(token, logits: logits, top: $0) }
        tokens.append(Int32(token))
        keys.append(KVPool.TokenKey(token))
        positions.appendText(count: 1)
        if let logprob { logprobs.append(logprob) }
        let ended = endTokens.contains(token)
        // The head has more rows than the tokenizer has tokens; those say nothing, as in the reference.
        let speaks = !ended && context.tokenizer.contains(Int32(token))
        let piece = speaks ? stops.push(try decoder.push(Int32(token))) : ""
        text += piece
        request.output.put(
            .text(TextDelta(text: piece, tokenIDs: [token], logprobs: logprob.map { [$0] } ?? [])))
        if ended || stops.match != nil { return .stop }
        constraint?.accept(token)
        if let constraint, constraint.isComplete { return .stop }
        if let limit = request.options.maxTokens, generatedCount >= limit { return .length }
        return tokens.count >= context.contextLength ? .length : nil
    }

    /// Ends the answer: what was held back comes out, and the caller gets the whole.
    func finish(_ reason: FinishReason) {
        let rest = stops.push(decoder.finish()) + stops.finish()
        if !rest.isEmpty {
            text += rest
            request.output.put(.text(TextDelta(text: rest, tokenIDs: [], logprobs: [])))
        }
        if let started, let firstToken {
            timings.prefill = started.duration(to: firstToken).seconds - timings.vision
            timings.decode = firstToken.duration(to: .now).seconds
        }
        request.output.put(
            .finished(
                Completion(
                    text: text, tokenIDs: tokens.dropFirst(promptCount).map(Int.init),
                    promptTokenIDs: request.prompt.tokens.map(Int.init), finishReason: reason,
                    usage: Usage(
                        promptTokens: promptCount, completionTokens: generatedCount, cachedTokens: reusedTokens),
                    logprobs: request.options.logprobs == nil ? nil : logprobs, timings: timings,
                    pictures: request.prompt.media.map(\.report))))
        request.output.end(nil)
    }
}

/// What all of an engine's sequences share.
struct GenerationContext: Sendable {
    let tokenizer: Tokenizer
    let vocabularySize: Int
    let contextLength: Int
    let mergeSize: Int
    let tokensPerSecond: Int
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
