public import CoreMetrics
import Synchronization

/// Metrics in Prometheus's text format (version 0.0.4): the backend of swift-metrics that this server brings.
///
/// Counters, gauges and histograms by name and labels. Whoever embeds the server may give swift-metrics another backend.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    fileprivate struct Key: Hashable {
        let name: String
        /// `{route="/v1/models",status="200"}`, or nothing.
        let labels: String
    }
    private struct State {
        var counters: [Key: Counter] = [:]
        var gauges: [Key: Gauge] = [:]
        var histograms: [Key: Histogram] = [:]
        var help: [String: String] = [:]
    }
    private let state = Mutex(State())

    /// No metrics yet.
    public init() {}

    /// Upper bounds of histograms in seconds: from the time of one token of a small model to that of a long answer.
    static let bounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
    ]

    /// The sentence that explains a metric.
    func describe(_ name: String, _ help: String) { state.withLock { $0.help[name] = help } }

    // MARK: MetricsFactory

    /// A counter of this name and these labels.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let key = Key(label, dimensions)
        return state.withLock { state in
            let counter = state.counters[key] ?? Counter()
            state.counters[key] = counter
            return counter
        }
    }

    /// A gauge, or where values are to be aggregated a histogram.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        let key = Key(label, dimensions)
        return state.withLock { state in
            if aggregate {
                let histogram = state.histograms[key] ?? Histogram()
                state.histograms[key] = histogram
                return histogram
            }
            let gauge = state.gauges[key] ?? Gauge()
            state.gauges[key] = gauge
            return gauge
        }
    }

    /// A histogram of seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let key = Key(label, dimensions)
        return state.withLock { state in
            let histogram = state.histograms[key] ?? Histogram()
            state.histograms[key] = histogram
            return histogram
        }
    }

    // Names are few and fixed: nothing is ever taken out.
    /// Does nothing.
    public func destroyCounter(_: any CounterHandler) {}
    /// Does nothing.
    public func destroyRecorder(_: any RecorderHandler) {}
    /// Does nothing.
    public func destroyTimer(_: any TimerHandler) {}

    // MARK: Text

    /// Everything, in Prometheus's text format.
    public var text: String {
        let state = state.withLock { $0 }
        var lines: [String: [String]] = [:]
        var kinds: [String: String] = [:]
        for (key, counter) in state.counters {
            kinds[key.name] = "counter"
            lines[key.name, default: []].append("\(key.name)\(key.labels) \(counter.value)")
        }
        for (key, gauge) in state.gauges {
            kinds[key.name] = "gauge"
            lines[key.name, default: []].append("\(key.name)\(key.labels) \(Self.number(gauge.value))")
        }
        for (key, histogram) in state.histograms {
            kinds[key.name] = "histogram"
            lines[key.name, default: []].append(histogram.lines(key))
        }
        var text = ""
        for name in lines.keys.sorted() {
            if let help = state.help[name] { text += "# HELP \(name) \(help)\n" }
            text += "# TYPE \(name) \(kinds[name] ?? "untyped")\n"
            text += (lines[name] ?? []).sorted().joined(separator: "\n") + "\n"
        }
        return text
    }

    fileprivate static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }
}

extension PrometheusRegistry.Key {
    fileprivate init(_ label: String, _ dimensions: [(String, String)]) {
        name = String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" })
        let pairs = dimensions.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(name)=\"\(escaped)\""
        }
        labels = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
    }

    /// The labels with one more.
    fileprivate func labels(adding pair: String) -> String {
        labels.isEmpty ? "{\(pair)}" : "\(labels.dropLast()),\(pair)}"
    }
}

private final class Counter: CounterHandler {
    private let count = Atomic<Int64>(0)
    var value: Int64 { count.load(ordering: .relaxed) }
    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }
}

private final class Gauge: RecorderHandler {
    private let held = Mutex(0.0)
    var value: Double { held.withLock { $0 } }
    func record(_ value: Int64) { held.withLock { $0 = Double(value) } }
    func record(_ value: Double) { held.withLock { $0 = value } }
}

private final class Histogram: RecorderHandler, TimerHandler {
    private struct State {
        var counts = [Int](repeating: 0, count: PrometheusRegistry.bounds.count)
        var count = 0
        var sum = 0.0
    }
    private let state = Mutex(State())

    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) * 1e-9) }
    func record(_ value: Double) {
        state.withLock { state in
            if let place = PrometheusRegistry.bounds.firstIndex(where: { value <= $0 }) { state.counts[place] += 1 }
            state.count += 1
            state.sum += value
        }
    }

    func lines(_ key: PrometheusRegistry.Key) -> String {
        let state = state.withLock { $0 }
        var lines: [String] = []
        var total = 0
        for (bound, count) in zip(PrometheusRegistry.bounds, state.counts) {
            total += count
            let labels = key.labels(adding: "le=\"\(PrometheusRegistry.number(bound))\"")
            lines.append("\(key.name)_bucket\(labels) \(total)")
        }
        lines.append("\(key.name)_bucket\(key.labels(adding: "le=\"+Inf\"")) \(state.count)")
        lines.append("\(key.name)_sum\(key.labels) \(state.sum)")
        lines.append("\(key.name)_count\(key.labels) \(state.count)")
        return lines.joined(separator: "\n")
    }
}
