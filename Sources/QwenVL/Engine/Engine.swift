package import Checkpoint
import ChatTemplate
import QwenTokenizer
import QwenVLModel
import Synchronization
import TensorCore
import VisionInput

/// A loaded model that answers conversations, several at a time.
///
/// ```swift
/// let engine = try await Engine.load("Qwen2.5-VL-3B-Instruct")
/// let message = ChatMessage.user(.image(path: "cat.jpg"), .text("What is this?"))
/// for try await event in engine.stream([message]) {
///     if case .text(let delta) = event { print(delta.text, terminator: "") }
/// }
/// ```
/// Everything that one engine computes runs on a thread of its own; calls from anywhere are safe.
public actor Engine: ChatModel {
    nonisolated let thread: ComputeThread
    /// The thread that computes.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Turns messages into what the model takes.
    public nonisolated let processor: Processor
    /// What the checkpoint says about generating.
    public nonisolated let defaults: GenerationOptions
    /// The format that the language model's weights have.
    public nonisolated let weights: EngineOptions.Weights
    /// The format that the vision tower's have.
    public nonisolated let visionWeights: EngineOptions.Weights
    nonisolated let context: GenerationContext
    nonisolated let options: EngineOptions

    let model: QwenVLModel
    let backend: any Backend
    let cache: any KVCache
    var pool: KVPool
    var visionCache: VisionCache
    var dump: ActivationDump?
    /// Set while something measures.
    var visionClock: VisionClock?
    /// Numbers for pictures' contents, so that prefixes compare exactly. A video's time is part of its positions.
    private var mediaNumbers: [MediaKey: Int64] = [:]
    private var lastMediaNumber: Int64 = 0
    private struct MediaKey: Hashable {
        let patches: PatchKey
        let secondsPerGrid: Float?
    }

    /// Sequences in the batch, in order of arrival.
    var running: [RunningSequence] = []
    var waiting: [RunningSequence] = []
    var isRunning = false
    /// The picture that is going through the vision tower.
    var encoding: VisionEncoding?

    private let constraints: ConstrainedVocabulary
    var counted = EngineStatistics()
    nonisolated let published = Mutex(EngineStatistics())
    /// Called when a video has been decoded further, and when there is a new conversation.
    nonisolated let wakeup = Wakeup()

    /// Loads a checkpoint directory.
    /// - Parameters:
    ///   - directory: a directory in the layout of the Hugging Face hub.
    ///   - progress: called on the compute thread as weights are read.
    /// - Throws: ``QwenVLError``.
    public static func load(
        _ directory: String, options: EngineOptions = EngineOptions(),
        progress: (@Sendable (LoadProgress) -> Void)? = nil
    ) async throws -> Engine {
        try await start(options) { thread in
            let processor = try Processor(directory: directory, options: options.processor)
            return (
                processor,
                try await ModelLoader(thread: thread).load(directory, options: options, progress: progress)
            )
        }
    }

    /// Makes a model of random weights in this shape: for measuring.
    /// - Throws: ``QwenVLError``.
    package static func make(
        _ config: ModelConfig, options: EngineOptions,
        progress: (@Sendable (LoadProgress) -> Void)? = nil
    ) async throws -> Engine {
        try await start(options) { thread in
            let processor = try Processor(shape: config, options: options.processor)
            return (
                processor, try await ModelLoader(thread: thread).make(config, options: options, progress: progress)
            )
        }
    }

    /// An engine with a thread of its own, on which `load` gets what it works with.
    private static func start(
        _ options: EngineOptions, load: (ComputeThread) async throws -> (Processor, LoadedModel)
    ) async throws -> Engine {
        let thread = ComputeThread(name: "qwenvl compute")
        do {
            let (processor, loaded) = try await load(thread)
            return try Engine(thread: thread, loaded: loaded, processor: processor, options: options)
        } catch {
            thread.stop()
            throw QwenVLError.wrapping(error)
        }
    }

    private init(thread: ComputeThread, loaded: LoadedModel, processor: Processor, options: EngineOptions) throws {
        self.thread = thread
        self.processor = processor
        self.options = options
        weights = EngineOptions.Weights(loaded.model.formats.text)
        visionWeights = EngineOptions.Weights(loaded.model.formats.vision)
        model = loaded.model
        backend = loaded.backend
        var defaults = GenerationOptions(loaded.generation)
        if defaults.endOfSequenceIDs == nil { defaults.endOfSequenceIDs = processor.turnEndTokens }
        self.defaults = defaults
        constraints = ConstrainedVocabulary(processor.tokenizer)
        let config = loaded.model.config
        context = GenerationContext(
            tokenizer: processor.tokenizer, vocabularySize: config.text.vocabularySize,
            contextLength: config.text.contextLength, mergeSize: config.vision.mergeSize,
            tokensPerSecond: config.vision.tokensPerSecond)
        // One context of what most documents need; longer ones are asked for.
        let tokens = options.cacheTokens ?? min(config.text.contextLength, 32_768)
        let blockTokens = loaded.backend.kvBlockTokens
        let blockCount = max(1, (tokens + blockTokens - 1) / blockTokens)
        cache = try loaded.backend.makeKVCache(loaded.model.cacheShape(options.kvCache.storage), blockCount: blockCount)
        pool = KVPool(blockCount: blockCount, blockTokens: blockTokens)
        visionCache = VisionCache(byteLimit: options.visionCacheBytes)
        dump = options.activationDump.map { ActivationDump(path: $0, backend: loaded.backend) }
        counted.cacheTokens = blockCount * blockTokens
        counted.visionCacheByteLimit = options.visionCacheBytes
        published.withLock { [counted] in $0 = counted }
    }

    deinit { thread.stop() }

    // MARK: Asking

    /// Answers one conversation, piece by piece. Ending the iteration ends the work within one step.
    ///
    /// - Parameters:
    ///   - tools: the functions that the model may call, each in OpenAI's form (`{"type": "function", "function": …}`);
    ///     ``Completion/toolCalls`` are the calls of the answer.
    ///   - options: what is nil comes from the checkpoint (``defaults``).
    /// - Returns: progress, pieces of text, and at the end the whole; throws ``QwenVLError``.
    public nonisolated func stream(
        _ messages: [ChatMessage], tools: [JSONValue], options: GenerationOptions
    ) -> AsyncThrowingStream<GenerationEvent, any Error> {
        let cancellation = Cancellation()
        return AsyncThrowingStream { output in
            output.onTermination = { _ in cancellation.cancel() }
            Task {
                do {
                    let options = options.merged(over: defaults)
                    let prompt = try await processor.prompt(messages, tools: tools)
                    try await submit([
                        GenerationRequest(
                            prompt: prompt, options: options, cancellation: cancellation,
                            output: GenerationSink(output))
                    ])
                } catch {
                    output.finish(throwing: QwenVLError.wrapping(error))
                }
            }
        }
    }

    /// Answers a conversation that is ready, once for each of the options; they read it together.
    ///
    /// - Parameters:
    ///   - options: what is nil comes from the checkpoint (``defaults``).
    ///   - client: who asks. Places in the batch are dealt out evenly among clients.
    /// - Returns: a stream for each of the options.
    /// - Throws: ``QwenVLError`` when it cannot be queued: it is too long, an option is out of range, or too many wait.
    public func start(
        _ prompt: PreparedPrompt, options: [GenerationOptions], client: String? = nil
    ) throws -> [AsyncThrowingStream<GenerationEvent, any Error>] {
        do {
            var requests: [GenerationRequest] = []
            let streams = options.map { options in
                let (stream, output) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
                let request = GenerationRequest(
                    prompt: prompt.prompt, options: options.merged(over: defaults), output: GenerationSink(output),
                    client: client)
                output.onTermination = { _ in request.cancellation.cancel() }
                requests.append(request)
                return stream
            }
            try submit(requests)
            return streams
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// As `start`, for several prompts, without streams between: what comes goes to the sink of its number.
    /// - Parameters:
    ///   - work: prompts, each to be answered once for each of its options. Answers are numbered through.
    ///   - cancellation: ends the work on all of them.
    package func start(
        _ work: [(prompt: PreparedPrompt, options: [GenerationOptions])], client: String?, cancellation: Cancellation,
        to sink: (Int) -> GenerationSink
    ) throws {
        do {
            let answers = work.flatMap { prompt, options in options.map { (prompt.prompt, $0.merged(over: defaults)) } }
            try submit(
                answers.enumerated().map { number, answer in
                    GenerationRequest(
                        prompt: answer.0, options: answer.1, cancellation: cancellation, output: sink(number),
                        client: client)
                })
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// Answers several conversations as one batch: each step of the model serves them all.
    /// - Returns: the answers in the order of the conversations.
    /// - Throws: the first error; the other conversations are given up.
    public nonisolated func replies(
        to conversations: [[ChatMessage]], options: GenerationOptions = GenerationOptions()
    ) async throws -> [Completion] {
        do {
            let options = options.merged(over: defaults)
            var requests: [GenerationRequest] = []
            var streams: [AsyncThrowingStream<GenerationEvent, any Error>] = []
            for messages in conversations {
                let prompt = try await processor.prompt(messages)
                let (stream, output) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
                let request = GenerationRequest(prompt: prompt, options: options, output: GenerationSink(output))
                output.onTermination = { _ in request.cancellation.cancel() }
                streams.append(stream)
                requests.append(request)
            }
            try await submit(requests)
            var completions: [Completion] = []
            for stream in streams { completions.append(try await Self.last(of: stream)) }
            return completions
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    static func last(of stream: AsyncThrowingStream<GenerationEvent, any Error>) async throws -> Completion {
        for try await event in stream {
            if case .finished(let completion) = event { return completion }
        }
        throw CancellationError()
    }

    /// Conversations being answered or waiting for their turn.
    public var activeSequences: Int { running.count + waiting.count }

    /// What the engine is doing and has done, as of its last step. Does not wait for the step under way.
    public nonisolated var statistics: EngineStatistics { published.withLock { $0 } }

    /// Tokens that the KV cache holds over all conversations: the longest prompt that can be read.
    public nonisolated var cacheCapacity: Int { statistics.cacheTokens }

    // MARK: Work

    /// Queues conversations; they join the batch at the next step.
    func submit(_ requests: [GenerationRequest]) throws {
        if let limit = options.maximumWaiting, waiting.count + requests.count > limit + freePlaces {
            throw QwenVLError.busy(waiting: waiting.count)
        }
        let sequences = try requests.map { request in
            try check(request.prompt)
            return try RunningSequence(
                request, keys: keys(of: request.prompt), context: context,
                constraint: constraints.constraint(request.options.responseFormat))
        }
        waiting += sequences
        publishStatistics()
        wakeup.notify()
        guard !isRunning else { return }
        isRunning = true
        Task { await run() }
    }

    private var freePlaces: Int { max(0, options.maximumBatch - running.count) }

    private func check(_ prompt: Prompt) throws {
        let count = prompt.tokens.count
        if count >= context.contextLength {
            throw QwenVLError.promptTooLong(tokens: count, limit: context.contextLength, what: "the model's context")
        }
        let capacity = pool.blockCount * pool.blockTokens
        if count >= capacity { throw QwenVLError.promptTooLong(tokens: count, limit: capacity, what: "the KV cache") }
    }

    /// What prefixes are compared by: token ids, and for pictures' placeholders, which are all alike, the content.
    private func keys(of prompt: Prompt) -> [KVPool.TokenKey] {
        var keys = prompt.tokens.map(KVPool.TokenKey.init)
        for media in prompt.media {
            let key = MediaKey(patches: media.key, secondsPerGrid: media.secondsPerGrid)
            let number = mediaNumbers[key] ?? lastMediaNumber + 1
            if number > lastMediaNumber {
                // Only a picture's next number would be forgotten, and with it what can be used again: 64 Ki of them
                // are ten megabytes, and far more than any cache holds.
                if mediaNumbers.count >= 65_536 { mediaNumbers.removeAll() }
                mediaNumbers[key] = number
                lastMediaNumber = number
            }
            for (row, token) in media.tokens.enumerated() { keys[token] = number << 32 | Int64(row) }
        }
        return keys
    }
}
