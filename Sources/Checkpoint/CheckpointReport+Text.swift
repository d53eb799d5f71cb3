import Foundation

extension CheckpointReport {
    /// The report for people: a table of a line per fact.
    package var text: String {
        var table = Table()
        let name = model.map { "Qwen2.5-VL \($0.sizeClass ?? Self.count($0.parameters))" } ?? "no usable configuration"
        table.line("\(directory): \(name), \(isComplete ? "complete" : "NOT complete")")
        if let model { describe(model, in: &table) }
        if let weights { describe(weights, in: &table) }
        if let memory {
            table.heading("Memory")
            table.row(
                "weights",
                "\(Self.binary(memory.bfloat16Weights)) in bfloat16, \(Self.binary(memory.float32Weights)) in float32")
            table.row(
                "KV cache",
                "\(Self.binary(memory.bfloat16CachePer1024Tokens)) per 1024 tokens in bfloat16, "
                    + "\(Self.binary(memory.float32CachePer1024Tokens)) in float32")
        }
        describeFiles(in: &table)
        return table.text
    }

    private func describe(_ model: Model, in table: inout Table) {
        let text = model.config.text
        let vision = model.config.vision
        table.heading("Model")
        table.row(
            "parameters",
            "\(Self.count(model.parameters)): text \(Self.count(model.textParameters)), "
                + "vision \(Self.count(model.visionParameters))")
        table.row(
            "text",
            "\(text.layers) layers, hidden \(text.hiddenSize), \(text.heads) heads of \(text.headSize) "
                + "(\(text.keyValueHeads) KV), FFN \(text.intermediateSize)")
        table.row(
            "vocabulary",
            "\(text.vocabularySize), output head \(text.tiesWordEmbeddings ? "tied to the embedding" : "of its own")")
        table.row(
            "vision",
            "\(vision.depth) blocks, hidden \(vision.hiddenSize), \(vision.heads) heads of \(vision.headSize), "
                + "FFN \(vision.intermediateSize)")
        let blocks = vision.fullAttentionBlocks.map(String.init).joined(separator: ", ")
        table.row(
            "",
            "patches of \(vision.patchSize)×\(vision.patchSize)×\(vision.temporalPatchSize), window \(vision.windowSize), "
                + "full attention in \(blocks.isEmpty ? "no block" : "blocks \(blocks)")")
        let yarn = text.rope.yarn.map { ", YaRN ×\($0.factor) from \($0.originalMaximumPositions)" } ?? ""
        table.row("context", "\(model.contextLength) tokens\(yarn)")
    }

    private func describe(_ weights: Weights, in table: inout Table) {
        table.heading("Weights")
        for type in weights.types {
            table.row(type.type.rawValue, "\(type.tensors) tensors, \(Self.binary(type.bytes))")
        }
        guard let expected = weights.expectedTensors else { return }
        table.row("expected", "\(expected) tensors\(weights.fits ? ": all there, none besides" : "")")
        let lists = [
            ("missing", weights.missing.map { "\(CheckpointError.printable($0.name)) \($0.shape)" }),
            ("misshapen", weights.misshapen.map(Self.describe)),
            ("mistyped", weights.mistyped.map(Self.describe)),
            ("unexpected", weights.unexpected.map { "\(CheckpointError.printable($0.name)) \($0.shape)" }),
        ]
        for (label, lines) in lists where !lines.isEmpty {
            // The whole list is in the JSON form.
            for (number, line) in lines.prefix(10).enumerated() { table.row(number == 0 ? label : "", line) }
            if lines.count > 10 { table.row("", "and \(lines.count - 10) more") }
        }
    }

    private static func describe(_ misfit: Misfit) -> String {
        "\(CheckpointError.printable(misfit.name)): expected \(misfit.expected), found \(misfit.found)"
    }

    private func describeFiles(in table: inout Table) {
        table.heading("Files")
        let width = files.map(\.name.count).max() ?? 0
        for file in files { table.row(file.name, Self.binary(file.bytes), width: width) }
        if !missingFiles.isEmpty { table.heading("Missing files") }
        for file in missingFiles {
            table.line("  \(file.name): \(file.purpose)\(file.isRequired ? "" : " (optional)")")
        }
        if !problems.isEmpty { table.heading("Problems") }
        for problem in problems { table.line("  \(problem)") }
    }

    /// 3.75B, 0.42M, …
    private static func count(_ number: Int) -> String {
        let (scale, suffix) = number >= 100_000_000 ? (1e9, "B") : (1e6, "M")
        return String(format: "%.2f%@", Double(number) / scale, suffix)
    }

    /// 7.0 GiB, 36.0 MiB, …
    private static func binary(_ bytes: Int) -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) bytes" : String(format: "%.1f %@", value, units[unit])
    }

    private struct Table {
        var text = ""

        mutating func line(_ line: String) { text += line + "\n" }
        mutating func heading(_ heading: String) { line("\n\(heading)") }

        mutating func row(_ label: String, _ value: String, width: Int = 12) {
            line("  " + label.padding(toLength: max(width, label.count), withPad: " ", startingAt: 0) + "  " + value)
        }
    }
}
