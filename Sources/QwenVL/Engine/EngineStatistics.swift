/// What an engine is doing and has done: for metrics and for people who wonder.
public struct EngineStatistics: Sendable, Hashable {
    // MARK: Now

    /// Conversations in the batch.
    public var running = 0
    /// Conversations that wait for a place in it.
    public var waiting = 0
    /// Tokens that the KV cache can hold.
    public var cacheTokens = 0
    /// Of these, what running conversations hold.
    public var cacheTokensUsed = 0
    /// Of these, what earlier conversations have left, to be used again or overwritten.
    public var cacheTokensReusable = 0
    /// Pictures and videos whose vision results are kept.
    public var visionCacheEntries = 0
    /// Bytes of them.
    public var visionCacheBytes = 0
    /// Bytes that may be kept.
    public var visionCacheByteLimit = 0

    // MARK: Since the engine was loaded

    /// Passes through the language model.
    public var steps = 0
    /// Tokens of prompts that were computed.
    public var promptTokensComputed = 0
    /// Tokens of prompts that were found in the cache.
    public var promptTokensReused = 0
    /// Tokens of answers.
    public var generatedTokens = 0
    /// Pictures and videos that went through the vision tower.
    public var visionEncoded = 0
    /// Those whose results were found in the cache.
    public var visionReused = 0
    /// Answers that came to their end.
    public var finished = 0
    /// Answers that were given up because nobody waited for them any more.
    public var cancelled = 0
    /// Conversations put back into the queue for want of cache.
    public var preempted = 0
    /// Blocks of the KV cache whose contents were given up.
    public var cacheEvictions = 0

    /// Nothing yet.
    public init() {}
}
