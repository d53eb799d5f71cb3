package import TensorCore

/// How a model is loaded and run.
public struct EngineOptions: Sendable {
    /// How weights are kept, and thereby the arithmetic.
    public enum Weights: String, Sendable, CaseIterable, Codable {
        /// Everything in float32: exact against the reference, twice the memory.
        case float32
        /// bfloat16 weights and products, float32 sums: what the official checkpoints are stored in.
        case bfloat16
        /// 8 bits a weight, and 8 bits for what is multiplied by them: half the memory, nearly twice as fast.
        case int8
        /// 4.4 bits a weight, activations as with `int8`: for the largest models, and the fastest answers.
        case int4
    }

    /// How the KV cache keeps what has been read.
    public enum KVCache: String, Sendable, CaseIterable, Codable {
        /// As attention computes with it: bfloat16, or float32 beside float32 weights.
        case full
        /// 8 bits a value: half the memory of a conversation.
        case int8
    }

    /// The format of the language model. Nil for a quantised checkpoint's own; for any other the first of `bfloat16`,
    /// `int8` and `int4` that fits the memory that is free.
    public var weights: Weights?
    /// The format of the vision tower. Nil for a quantised checkpoint's own; else the language model's, or `int8` where
    /// that is `int4`.
    public var visionWeights: Weights?
    /// Compute threads; nil for one per physical core.
    public var threads: Int?
    /// A kernel table by name (generic, avx2, avxvnni, avx512, avx512vnni, avx512bf16, neon, neondot, neoni8mm); nil for
    /// the best that runs here.
    public var instructionSet: String?
    /// The format of the KV cache.
    public var kvCache: KVCache = .full
    /// Tokens that the KV cache holds, over all conversations; nil for one full context, at most 32,768.
    /// Memory is taken as it is used.
    public var cacheTokens: Int?
    /// Prompt tokens that go through the model at a time. 512 rows keep products at full rate, and others
    /// get their next token in between.
    public var prefillChunk: Int = 512
    /// Conversations that run through the model together.
    public var maximumBatch: Int = 16
    /// Conversations that may wait for a place in the batch; one more is refused (``QwenVLError/busy(waiting:)``).
    /// nil: no limit.
    public var maximumWaiting: Int?
    /// Bytes of vision results kept for pictures that are asked about again.
    public var visionCacheBytes: Int = 256 << 20
    /// How pictures and messages are prepared.
    public var processor = ProcessorOptions()

    /// Records activations of the first prompt, for comparing layers with the reference.
    package var activationDump: String?

    /// The defaults.
    public init() {}
}

extension EngineOptions.KVCache {
    package var storage: KVCacheStorage {
        switch self {
        case .full: .full
        case .int8: .int8
        }
    }
}
