import Foundation
import QwenVL

/// Streams one answer to standard output and says on standard error what it took.
enum AnswerPrinter {
    /// - Returns: the whole answer.
    static func print(
        _ messages: [ChatMessage], engine: Engine, options: GenerationOptions
    ) async throws -> Completion {
        let line = ProgressLine()
        defer { line.clear() }
        var ended = true
        line.show("reading the prompt…")
        for try await event in engine.stream(messages, options: options) {
            switch event {
            case .prompt(let done, let total): line.show("reading the prompt: \(done) of \(total) tokens")
            case .text(let delta):
                line.clear()
                try Terminal.out(delta.text)
                if let last = delta.text.last { ended = last == "\n" }
            case .finished(let completion):
                if !ended || completion.text.isEmpty { try Terminal.out("\n") }
                return completion
            }
        }
        throw CancellationError()
    }

    /// One line: how much, how long, how fast.
    static func statistics(_ completion: Completion) -> String {
        let (usage, timings) = (completion.usage, completion.timings)
        var parts: [String] = []
        for picture in completion.pictures.suffix(3) {
            let (from, to) = (picture.original, picture.processed)
            let sizes =
                from == to ? "\(to.width)×\(to.height)" : "\(from.width)×\(from.height) as \(to.width)×\(to.height)"
            if let video = picture.video {
                parts.append("video of \(video.frames) frames \(sizes), \(picture.tokens) tokens")
            } else {
                parts.append("picture \(sizes), \(picture.tokens) tokens")
            }
        }
        if timings.vision > 0 { parts.append("vision \(seconds(timings.vision))") }
        let computed = usage.promptTokens - usage.cachedTokens
        let reused = usage.cachedTokens > 0 ? " (\(usage.cachedTokens) reused)" : ""
        parts.append(
            "prompt \(usage.promptTokens) tokens\(reused) \(seconds(timings.prefill))"
                + rate(computed, timings.prefill))
        parts.append(
            "answer \(usage.completionTokens) tokens \(seconds(timings.decode))"
                + rate(usage.completionTokens - 1, timings.decode))
        if completion.finishReason == .length { parts.append("cut at the limit of tokens") }
        return "[" + parts.joined(separator: " · ") + "]"
    }

    /// The places that the answer names, in pixels of the picture as given; nil where the answer has them so already.
    /// An answer does not tell which of several pictures it means, so it is one picture or none.
    static func places(_ completion: Completion) -> String? {
        guard completion.pictures.count == 1, completion.pictures[0].original != completion.pictures[0].processed
        else { return nil }
        let grounding = completion.grounding
        let point = { (place: PixelPoint) in String(format: "(%.0f, %.0f)", place.x, place.y) }
        var places = grounding.boxes.map { box in
            let edges = box.original.map { [$0.left, $0.top, $0.right, $0.bottom] } ?? []
            let numbers = edges.map { String(format: "%.0f", $0) }.joined(separator: ", ")
            return "\(box.label ?? box.text ?? box.element ?? "box") [\(numbers)]"
        }
        places += grounding.points.map { "\($0.label ?? "point") \($0.original.map(point) ?? "")" }
        places += grounding.actions.compactMap { action in action.original.map { "\(action.action) \(point($0))" } }
        guard !places.isEmpty else { return nil }
        return "[in pixels of the picture as given: " + places.joined(separator: " · ") + "]"
    }

    private static func seconds(_ value: Double) -> String {
        value < 1 ? String(format: "%.0f ms", value * 1000) : String(format: "%.1f s", value)
    }

    private static func rate(_ count: Int, _ time: Double) -> String {
        count > 0 && time > 0 ? String(format: ", %.0f/s", Double(count) / time) : ""
    }
}
