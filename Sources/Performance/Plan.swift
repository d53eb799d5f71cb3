package import CPUBackend
package import Checkpoint
internal import Measuring
package import QwenVLModel
package import TensorCore

/// What is planned for.
package struct PlanRequest: Sendable {
    /// How the report calls the model.
    package var label: String
    package var config: ModelConfig
    package var formats: QwenVLModel.Formats
    package var cacheStorage = KVCacheStorage.full
    package var media: [PlannedMedia] = []
    /// Text of the prompt beside pictures.
    package var textTokens = 64
    /// Tokens that a conversation may grow to; nil for the prompt and 1,024 more.
    package var context: Int?
    package var batch = 1

    package init(label: String, config: ModelConfig, formats: QwenVLModel.Formats) {
        self.label = label
        self.config = config
        self.formats = formats
    }

    func workload(_ backend: CPUBackend) -> Workload {
        Workload(config, formats: formats, cacheStorage: cacheStorage, backend: backend)
    }

    package var mediaTokens: Int {
        media.reduce(0) { $0 + $1.grid.tokens(mergeSize: config.vision.mergeSize) }
    }
    package var promptTokens: Int { textTokens + mediaTokens }
    package var contextTokens: Int { context ?? promptTokens + 1024 }
}

/// Whether a model fits this machine, and how fast it will be: from its sizes and the machine's limits.
package struct Plan: Sendable {
    package let request: PlanRequest
    package let backend: String
    package let limits: MachineLimits
    package let memory: MemoryNeeds
    package let available: Int
    package let times: PlannedTimes
    /// What to change where it does not fit.
    package let suggestion: String?

    package var fits: Bool { memory.total <= available }

    /// - Throws: `PlanError` when the prompt is longer than the context.
    package init(
        _ request: PlanRequest, backend: CPUBackend, limits: MachineLimits,
        available: Int = MachineMemory.available
    ) throws {
        guard request.contextTokens <= request.config.text.contextLength else {
            throw PlanError(
                field: "--context",
                reason: "expected at most the model's \(request.config.text.contextLength) tokens, found "
                    + "\(request.contextTokens)")
        }
        guard request.promptTokens < request.contextTokens else {
            throw PlanError(
                field: "--context",
                reason: "expected more than the prompt's \(request.promptTokens) tokens, found "
                    + "\(request.contextTokens)")
        }
        self.request = request
        self.backend = backend.name
        self.limits = limits
        self.available = available
        let workload = request.workload(backend)
        memory = Self.memory(request, backend: backend)
        times = PlannedTimes(request, workload: workload, limits: limits)
        suggestion = memory.total <= available ? nil : Self.suggest(request, backend: backend, available: available)
    }

    private static func memory(_ request: PlanRequest, backend: CPUBackend) -> MemoryNeeds {
        MemoryNeeds(
            request.workload(backend), media: request.media,
            promptTokens: request.promptTokens, context: request.contextTokens, batch: request.batch)
    }

    /// The first of the smaller formats that fits, else the longest context in the smallest.
    private static func suggest(_ request: PlanRequest, backend: CPUBackend, available: Int) -> String {
        // The head of the list loses least.
        var smaller = request
        for formats in WeightFormat.choices where formats != request.formats {
            smaller.formats = formats
            if memory(smaller, backend: backend).total <= available {
                return "it fits with --weights \(formats.text.rawValue) --vision-weights \(formats.vision.rawValue)"
            }
        }
        smaller.formats = WeightFormat.choices.last ?? request.formats
        let workload = smaller.workload(backend)
        let room =
            available - memory(smaller, backend: backend).total
            + workload.cacheBytes(
                context: request.contextTokens, batch: request.batch)
        let tokens = Int(Double(room) / workload.cacheBytesPerToken / Double(request.batch)) / 64 * 64
        guard tokens > request.promptTokens else { return "no format makes it fit: take a smaller model" }
        return "it fits with --weights \(smaller.formats.text.rawValue) --vision-weights "
            + "\(smaller.formats.vision.rawValue) --context \(tokens)"
    }
}

/// Expected times in seconds.
package struct PlannedTimes: Sendable, Equatable, Encodable {
    /// Decoding, resizing and cutting up pictures.
    package let preparing: Double
    package let vision: Double
    package let prefill: Double
    package var firstToken: Double { preparing + vision + prefill }
    /// Of one conversation, and of all together where there are several.
    package let tokensPerSecond: Double
    package let batchTokensPerSecond: Double?

    // JPEG decoding took 4.8 ns a pixel, resizing and cutting up 25 ns a pixel that the model sees (one thread of Zen 4).
    private static let decodingPerPixel = 5e-9
    private static let preparingPerPixel = 25e-9

    package init(_ request: PlanRequest, workload: Workload, limits: MachineLimits) {
        let text = Efficiency.of(request.formats.text)
        let tower = Efficiency.of(request.formats.vision)
        preparing = request.media.reduce(0) {
            $0 + $1.decodedPixels * Self.decodingPerPixel + $1.processedPixels * Self.preparingPerPixel
        }
        vision = request.media.reduce(0) { sum, media in
            let work = workload.vision(media.grid)
            return sum + work.windowed.seconds(at: limits) / tower.windowedBlocks
                + work.fullAttention.seconds(at: limits) / tower.fullAttentionBlocks
                + work.embeddingAndMerger.seconds(at: limits) / tower.embeddingAndMerger
        }
        prefill = workload.prefill(request.promptTokens).seconds(at: limits) / text.prefill
        let one = workload.decodeStep(context: request.promptTokens).seconds(at: limits) / text.decode
        tokensPerSecond = 1 / one
        batchTokensPerSecond =
            request.batch > 1
            ? Double(request.batch) * text.batchDecode
                / workload.decodeStep(batch: request.batch, context: request.promptTokens).seconds(at: limits)
            : nil
    }

    private enum Key: String, CodingKey {
        case preparing, vision, prefill, firstToken, tokensPerSecond, batchTokensPerSecond
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(preparing, forKey: .preparing)
        try container.encode(vision, forKey: .vision)
        try container.encode(prefill, forKey: .prefill)
        try container.encode(firstToken, forKey: .firstToken)
        try container.encode(tokensPerSecond, forKey: .tokensPerSecond)
        try container.encodeIfPresent(batchTokensPerSecond, forKey: .batchTokensPerSecond)
    }
}

extension WeightFormat {
    /// The last resort.
    package static var smallest: QwenVLModel.Formats? { choices.last }

    /// Formats of text and vision, those that lose least first.
    static let choices: [QwenVLModel.Formats] = [
        QwenVLModel.Formats(text: .float32, vision: .float32), QwenVLModel.Formats(text: .bfloat16, vision: .bfloat16),
        QwenVLModel.Formats(text: .int8, vision: .bfloat16), QwenVLModel.Formats(text: .int8, vision: .int8),
        QwenVLModel.Formats(text: .int4, vision: .int8), QwenVLModel.Formats(text: .int4, vision: .int4),
    ]
}
