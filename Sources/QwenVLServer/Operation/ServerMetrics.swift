import CoreMetrics
import Metrics
import QwenVL
import Synchronization

/// What the server counts. Names follow Prometheus's habits: base units, `_total` for counters.
final class ServerMetrics: Sendable {
    private let factory: any MetricsFactory
    private let firstToken: Metrics.Timer
    private let betweenTokens: Metrics.Timer
    /// The engine's figures at the last look: counters of swift-metrics only take what has been added.
    private let seen = Mutex(EngineStatistics())

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        firstToken = Metrics.Timer(label: "qwenvl_time_to_first_token_seconds", dimensions: [], factory: factory)
        betweenTokens = Metrics.Timer(label: "qwenvl_inter_token_seconds", dimensions: [], factory: factory)
        guard let registry = factory as? PrometheusRegistry else { return }
        for (name, help) in Self.help { registry.describe(name, help) }
    }

    private static let help = [
        "qwenvl_requests_total": "Requests by route and status.",
        "qwenvl_request_duration_seconds": "Time from a request's arrival to the end of its reply.",
        "qwenvl_time_to_first_token_seconds": "Time from a request's arrival to the first token of its answer.",
        "qwenvl_inter_token_seconds": "Time from one token of an answer to the next.",
        "qwenvl_ready": "1 when the model is loaded and requests are taken.",
        "qwenvl_requests_in_flight": "Requests that are being read, prepared or answered.",
        "qwenvl_sequences_running": "Answers in the batch.",
        "qwenvl_sequences_waiting": "Answers that wait for a place in the batch.",
        "qwenvl_kv_cache_tokens": "Tokens in the KV cache: capacity, held by running answers, kept for use again.",
        "qwenvl_vision_cache_bytes": "Bytes of vision results: limit, and in use.",
        "qwenvl_vision_cache_entries": "Pictures and videos whose vision results are kept.",
        "qwenvl_prompt_tokens_total": "Tokens of prompts, computed or found in the cache.",
        "qwenvl_generated_tokens_total": "Tokens of answers.",
        "qwenvl_vision_inputs_total": "Pictures and videos, encoded or found in the cache.",
        "qwenvl_steps_total": "Passes through the language model.",
        "qwenvl_answers_total": "Answers, finished or given up because the client went.",
        "qwenvl_preemptions_total": "Answers put back into the queue for want of cache.",
        "qwenvl_kv_cache_evictions_total": "Blocks of the KV cache whose contents were given up.",
    ]

    func request(route: String, status: Int, seconds: Double) {
        let route = ("route", route)
        Counter(
            label: "qwenvl_requests_total", dimensions: [route, ("status", "\(status)")], factory: factory
        ).increment()
        Metrics.Timer(label: "qwenvl_request_duration_seconds", dimensions: [route], factory: factory)
            .recordSeconds(seconds)
    }

    func firstToken(seconds: Double) { firstToken.recordSeconds(seconds) }
    func nextToken(seconds: Double) { betweenTokens.recordSeconds(seconds) }

    /// Brings the engine's figures up to date.
    func update(_ engine: EngineStatistics?, isReady: Bool, inFlight: Int) {
        gauge("qwenvl_ready", isReady ? 1 : 0)
        gauge("qwenvl_requests_in_flight", inFlight)
        guard let engine else { return }
        gauge("qwenvl_sequences_running", engine.running)
        gauge("qwenvl_sequences_waiting", engine.waiting)
        gauge("qwenvl_kv_cache_tokens", engine.cacheTokens, ("state", "capacity"))
        gauge("qwenvl_kv_cache_tokens", engine.cacheTokensUsed, ("state", "used"))
        gauge("qwenvl_kv_cache_tokens", engine.cacheTokensReusable, ("state", "reusable"))
        gauge("qwenvl_vision_cache_bytes", engine.visionCacheByteLimit, ("state", "limit"))
        gauge("qwenvl_vision_cache_bytes", engine.visionCacheBytes, ("state", "used"))
        gauge("qwenvl_vision_cache_entries", engine.visionCacheEntries)
        let before = seen.withLock { seen in
            defer { seen = engine }
            return seen
        }
        func count(_ name: String, _ figure: KeyPath<EngineStatistics, Int>, _ label: (String, String)? = nil) {
            Counter(label: name, dimensions: label.map { [$0] } ?? [], factory: factory)
                .increment(by: max(0, engine[keyPath: figure] - before[keyPath: figure]))
        }
        count("qwenvl_prompt_tokens_total", \.promptTokensComputed, ("source", "computed"))
        count("qwenvl_prompt_tokens_total", \.promptTokensReused, ("source", "cache"))
        count("qwenvl_generated_tokens_total", \.generatedTokens)
        count("qwenvl_vision_inputs_total", \.visionEncoded, ("source", "encoded"))
        count("qwenvl_vision_inputs_total", \.visionReused, ("source", "cache"))
        count("qwenvl_steps_total", \.steps)
        count("qwenvl_answers_total", \.finished, ("end", "finished"))
        count("qwenvl_answers_total", \.cancelled, ("end", "cancelled"))
        count("qwenvl_preemptions_total", \.preempted)
        count("qwenvl_kv_cache_evictions_total", \.cacheEvictions)
    }

    private func gauge(_ name: String, _ value: Int, _ label: (String, String)? = nil) {
        Metrics.Gauge(label: name, dimensions: label.map { [$0] } ?? [], factory: factory).record(value)
    }
}
