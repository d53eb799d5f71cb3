import Checkpoint
package import QwenVL
import CPUBackend
import Measuring
import QwenVLModel
import TensorCore

/// What is to be measured.
package struct BenchmarkRequest: Sendable {
    package enum Source: Sendable {
        /// A checkpoint.
        case directory(String)
        /// Random weights.
        case shape(OfficialShape)
    }

    package var source: Source
    package var options = EngineOptions()
    package var pictures: [NoiseRequest.PictureSize] = []
    /// 0 measures no text.
    package var promptTokens = 512
    package var newTokens = 64
    /// Conversations that are decoded together besides; 1 for none.
    package var batch = 1
    package var repetitions = 3
    /// Text beside a picture: a template and a short question.
    package var questionTokens = 32
    /// Leaves pictures with the vision tower, and asks nothing about them.
    package var visionOnly = false

    package init(source: Source) { self.source = source }
}

/// Measures a model as the engine runs it: prompts of noise go the way of real ones.
package final class Benchmark {
    private let request: BenchmarkRequest
    private let config: ModelConfig
    private let engine: Engine
    private let workload: Workload
    private var limits: MachineLimits
    private var loading: BenchmarkReport.Loading
    private var peak = 0
    private var seed: UInt64 = 0

    /// Measures the machine, then loads the model.
    /// - Throws: `QwenVLError`; `PlanError` when the model does not fit into memory.
    package static func run(
        _ request: BenchmarkRequest, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> BenchmarkReport {
        progress("measuring the machine's limits")
        let benchmark = try await Benchmark(request, progress: progress)
        return try await benchmark.run(progress)
    }

    private init(_ request: BenchmarkRequest, progress: @escaping @Sendable (String) -> Void) async throws {
        let backend = try CPUBackend(threads: request.options.threads)
        config = try request.source.config
        self.request = request
        let options = request.engineOptions(config)
        workload = Workload(
            config, formats: try request.formats(config), cacheStorage: options.kvCache.storage, backend: backend)
        limits = MachineLimits.measure(threads: backend.threads)
        let needed = workload.textWeightBytes + workload.visionWeightBytes
        guard needed < MachineMemory.available else {
            throw PlanError(
                field: "--weights",
                reason: "the weights take \(ByteCount.text(needed)), and "
                    + "\(ByteCount.text(MachineMemory.available)) are available")
        }
        MachineMemory.resetPeak()
        let start = ContinuousClock.now
        let report: @Sendable (LoadProgress) -> Void = {
            progress("making the model: \(Int($0.fraction * 100)) %")
        }
        switch request.source {
        case .directory(let path):
            engine = try await Engine.load(path, options: options, progress: report)
        case .shape:
            engine = try await Engine.make(config, options: options, progress: report)
        }
        loading = BenchmarkReport.Loading(
            seconds: start.duration(to: .now) / .seconds(1), peakBytes: MachineMemory.peak)
    }

    // MARK: Measuring

    private func run(_ progress: @Sendable (String) -> Void) async throws -> BenchmarkReport {
        var text: [TextRun] = []
        var batches: [TextRun] = []
        var pictures = [[NoiseResult]](repeating: [], count: request.pictures.count)
        // Once unmeasured: pages are touched, buffers are made.
        _ = try await measure([NoiseRequest(textTokens: 16, newTokens: 2, seed: next())])
        for repetition in 0..<request.repetitions {
            progress("measuring: \(repetition + 1) of \(request.repetitions)")
            if request.promptTokens > 0 {
                let run = try await decode(1, prompt: request.promptTokens)
                text.append(run)
            }
            if request.batch > 1 {
                let run = try await decode(request.batch, prompt: request.batchPrompt)
                batches.append(run)
            }
            for (index, size) in request.pictures.enumerated() {
                let results = try await look(at: size)
                pictures[index] += results
            }
        }
        let reads = (text + batches).map(\.read)
        if !reads.isEmpty { limits.read = Statistic(reads).median }
        return BenchmarkReport(
            request: request, formats: workload.formats, backend: engine.backendName, limits: limits, loading: loading,
            pictures: zip(request.pictures, pictures).map { picture($0, $1) },
            prefill: text.isEmpty ? nil : prefill(text), decode: text.isEmpty ? nil : decoding(text, batch: 1),
            batch: batches.isEmpty ? nil : decoding(batches, batch: request.batch), peakBytes: peak)
    }

    private func next() -> UInt64 {
        seed += 1
        return seed
    }

    private func measure(_ requests: [NoiseRequest]) async throws -> [NoiseResult] {
        defer { peak = max(peak, MachineMemory.peak) }
        return try await engine.measure(requests)
    }

    private func look(at size: NoiseRequest.PictureSize) async throws -> [NoiseResult] {
        guard request.visionOnly else {
            return try await measure([
                NoiseRequest(textTokens: request.questionTokens, picture: size, newTokens: 1, seed: next())
            ])
        }
        defer { peak = max(peak, MachineMemory.peak) }
        return [try await engine.measureVision(size, seed: next())]
    }

    /// One repetition with text: the conversations, and the reading rate measured beside it.
    private struct TextRun {
        let results: [NoiseResult]
        let read: Double
    }

    private func decode(_ batch: Int, prompt: Int) async throws -> TextRun {
        // The rate at which memory is read changes within seconds on shared machines: before and after.
        let before = MachineLimits.measureRead(threads: limits.threads)
        MachineMemory.resetPeak()
        var requests: [NoiseRequest] = []
        for _ in 0..<batch {
            requests.append(NoiseRequest(textTokens: prompt, newTokens: request.newTokens, seed: next()))
        }
        let results = try await measure(requests)
        let after = MachineLimits.measureRead(threads: limits.threads)
        MachineMemory.resetPeak()
        return TextRun(results: results, read: (before + after) / 2)
    }

    // MARK: Reporting

    private func prefill(_ runs: [TextRun]) -> BenchmarkReport.Text {
        let seconds = Statistic(runs.flatMap(\.results).map(\.timings.prefill))
        return BenchmarkReport.Text(
            conversations: 1, context: 0, tokens: request.promptTokens, seconds: seconds,
            tokensPerSecond: Double(request.promptTokens) / seconds.median,
            share: workload.prefill(request.promptTokens).seconds(at: limits) / seconds.median)
    }

    private func decoding(_ runs: [TextRun], batch: Int) -> BenchmarkReport.Text {
        let context = batch == 1 ? request.promptTokens : request.batchPrompt
        // The first token comes with the prompt.
        let steps = request.newTokens - 1
        let work = workload.decodeStep(batch: batch, context: context + request.newTokens / 2)
        // All began in one step, so the longest is the time of all.
        let times = runs.map { run in run.results.map(\.timings.decode).max() ?? 0 }
        let shares = zip(runs, times).map { run, time in
            var limits = limits
            limits.read = run.read
            return work.seconds(at: limits) * Double(steps) / time
        }
        let seconds = Statistic(times)
        return BenchmarkReport.Text(
            conversations: batch, context: context, tokens: batch * steps, seconds: seconds,
            tokensPerSecond: Double(batch * steps) / seconds.median, share: Statistic(shares).median,
            bytesPerSecond: work.bytes * Double(steps) / seconds.median)
    }

    private func picture(_ size: NoiseRequest.PictureSize, _ results: [NoiseResult]) -> BenchmarkReport.Picture {
        let merge = config.vision.mergeSize
        let times = results.compactMap(\.vision)
        // Every run has the same grid.
        let grid = results.first?.grid ?? PatchGrid(frames: 0, height: 0, width: 0)
        let work = workload.vision(grid)
        func phase(_ work: Work, _ seconds: [Double]) -> BenchmarkReport.Phase {
            let seconds = Statistic(seconds)
            return BenchmarkReport.Phase(
                seconds: seconds, operations: work.total,
                share: seconds.median > 0 ? work.seconds(at: limits) / seconds.median : 0)
        }
        let promptTokens = results.first?.promptTokens ?? 0
        let reading = request.visionOnly ? Work() : workload.prefill(promptTokens)
        let first = results.map { $0.timings.processing + $0.timings.vision + $0.timings.prefill }
        return BenchmarkReport.Picture(
            width: size.width, height: size.height, patches: grid.patches,
            pixelsPerPatch: config.vision.patchSize * config.vision.patchSize, tokens: grid.tokens(mergeSize: merge),
            promptTokens: promptTokens, preparing: Statistic(results.map(\.timings.processing)),
            vision: phase(work.total, results.map(\.timings.vision)),
            windowed: phase(work.windowed, times.map(\.windowed)),
            fullAttention: phase(work.fullAttention, times.map(\.fullAttention)),
            embeddingAndMerger: phase(work.embeddingAndMerger, times.map(\.embeddingAndMerger)),
            prefill: phase(reading, results.map(\.timings.prefill)),
            firstToken: phase(work.total + reading, first))
    }
}

extension BenchmarkRequest.Source {
    var config: ModelConfig {
        get throws {
            do {
                switch self {
                case .directory(let path): return try CheckpointDirectory(path).modelConfig()
                case .shape(let shape): return try shape.config
                }
            } catch {
                throw QwenVLError.wrapping(error)
            }
        }
    }
}

extension BenchmarkRequest {
    /// What the engine will choose.
    func formats(_ config: ModelConfig) throws -> QwenVLModel.Formats {
        switch source {
        case .directory(let path): try options.formats(for: config, in: path)
        case .shape: options.formats
        }
    }

    /// As asked for, with room for what is measured.
    func engineOptions(_ config: ModelConfig) -> EngineOptions {
        var options = options
        options.cacheTokens = cacheTokens(config)
        options.maximumBatch = max(options.maximumBatch, batch)
        return options
    }

    /// Short enough that all prompts of the batch are read in one step, so that decoding begins together.
    var batchPrompt: Int { max(1, min(promptTokens, 32, options.prefillChunk / max(1, batch))) }

    /// Room for the largest of the measurements; every conversation begins a block of its own.
    func cacheTokens(_ config: ModelConfig) -> Int {
        let block = 64
        let cell = config.vision.patchSize * config.vision.mergeSize
        let pictureTokens = pictures.map { ($0.width / cell + 1) * ($0.height / cell + 1) + questionTokens }.max() ?? 0
        let text = max(promptTokens + newTokens, pictureTokens + 1)
        return max(text + 2 * block, batch * (batchPrompt + newTokens + 2 * block))
    }
}
