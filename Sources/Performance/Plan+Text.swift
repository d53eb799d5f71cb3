import Checkpoint
import Foundation
import QwenVLModel
import TensorCore

extension Plan {
    /// The plan for people.
    package var text: String {
        typealias Report = BenchmarkReport
        var table = TextTable(widths: [34, 12, 30])
        let formats = request.formats
        table.line("\(request.label): text \(formats.text.rawValue), vision \(formats.vision.rawValue); \(backend)")
        for media in request.media { table.line("  " + Self.describe(media, merge: request.config.vision.mergeSize)) }
        table.line(
            "  prompt of \(request.promptTokens) tokens, room for \(request.contextTokens)"
                + (request.batch > 1 ? ", \(request.batch) conversations" : ""))
        table.line("")
        table.line("Memory")
        for (label, bytes) in parts where bytes > 0 { table.row(["  " + label, ByteCount.text(bytes)]) }
        table.row(["  together", ByteCount.text(memory.total)])
        table.row(["  available now", ByteCount.text(available)])
        table.line(fits ? "It fits." : "It does NOT fit: \(suggestion ?? "take a smaller model").")
        table.line("")
        table.line("Expected on this machine" + (fits ? "" : " if it did fit"))
        if times.vision > 0 {
            table.row(["  picture to patches", Report.seconds(times.preparing) + " s"])
            table.row(["  vision tower", Report.seconds(times.vision) + " s"])
        }
        table.row(["  prompt", Report.seconds(times.prefill) + " s"])
        table.row(["  first token after", Report.seconds(times.firstToken) + " s"])
        table.row(["  then, a second", Report.number(times.tokensPerSecond) + " tokens"])
        if let together = times.batchTokensPerSecond {
            table.row(["  \(request.batch) together, a second", Report.number(together) + " tokens"])
        }
        table.line("")
        table.line(
            "from what was just measured: read \(Report.number(limits.read)) GB/s; float32 "
                + "\(Report.number(limits.float32)), bfloat16 \(Report.number(limits.bfloat16)), int8 "
                + "\(Report.number(limits.int8)) GOP/s")
        return table.text
    }

    private var parts: [(String, Int)] {
        [
            ("text weights", memory.textWeights), ("embedding table", memory.embeddingTable),
            ("vision weights", memory.visionWeights), ("KV cache", memory.cache),
            (
                "activations (the larger part)",
                max(memory.visionActivations, memory.textActivations)
            ), ("pictures, decoded", memory.pictures), ("program", memory.program),
        ]
    }

    private static func describe(_ media: PlannedMedia, merge: Int) -> String {
        let size = "\(media.width)×\(media.height)"
        let seen =
            (media.width, media.height) == (media.processedWidth, media.processedHeight)
            ? "" : " seen as \(media.processedWidth)×\(media.processedHeight)"
        let tokens = "\(media.grid.patches) patches, \(media.grid.tokens(mergeSize: merge)) tokens"
        if case .video(let frames) = media.kind { return "video of \(frames) frames \(size)\(seen): \(tokens)" }
        return "picture \(size)\(seen): \(tokens)"
    }
}

extension Plan: Encodable {
    private enum Key: String, CodingKey {
        case model, textWeights, visionWeights, backend, limits, promptTokens, contextTokens, conversations, media
        case memory, neededBytes, availableBytes, fits, suggestion, seconds
    }

    private struct Media: Encodable {
        let width, height, processedWidth, processedHeight, frames, patches, tokens: Int
    }

    /// For programs.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(request.label, forKey: .model)
        try container.encode(request.formats.text, forKey: .textWeights)
        try container.encode(request.formats.vision, forKey: .visionWeights)
        try container.encode(backend, forKey: .backend)
        try container.encode(limits, forKey: .limits)
        try container.encode(request.promptTokens, forKey: .promptTokens)
        try container.encode(request.contextTokens, forKey: .contextTokens)
        try container.encode(request.batch, forKey: .conversations)
        let media = request.media.map {
            Media(
                width: $0.width, height: $0.height, processedWidth: $0.processedWidth,
                processedHeight: $0.processedHeight, frames: $0.frames, patches: $0.grid.patches,
                tokens: $0.grid.tokens(mergeSize: request.config.vision.mergeSize))
        }
        try container.encode(media, forKey: .media)
        try container.encode(memory, forKey: .memory)
        try container.encode(memory.total, forKey: .neededBytes)
        try container.encode(available, forKey: .availableBytes)
        try container.encode(fits, forKey: .fits)
        try container.encodeIfPresent(suggestion, forKey: .suggestion)
        try container.encode(times, forKey: .seconds)
    }
}
