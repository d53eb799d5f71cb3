import Foundation
import Measuring
import TensorCore

extension BenchmarkReport {
    /// The report for people.
    package var text: String {
        var table = TextTable(widths: [34, 10, 16, 22, 10])
        table.line("\(model): text \(textWeights.rawValue), vision \(visionWeights.rawValue); \(backend)")
        table.line(
            "limits: read \(Self.number(limits.read)) GB/s; float32 \(Self.number(limits.float32)), "
                + "bfloat16 \(Self.number(limits.bfloat16)), int8 \(Self.number(limits.int8)) GOP/s")
        table.line("medians of \(repetitions)")
        table.line("")
        table.row(["", "seconds", "from – to", "rate", "of limit"])
        table.row(["loading", Self.seconds(loading.seconds), "", "", ""])
        for picture in pictures { add(picture, to: &table) }
        addGrowth(to: &table)
        if let prefill { add("prompt of \(prefill.tokens) tokens", prefill, to: &table) }
        if let decode { add("answer of \(decode.tokens) tokens after \(decode.context)", decode, to: &table) }
        if let batch {
            add("\(batch.conversations) answers together", batch, to: &table)
            if let decode {
                table.row([
                    "  against one", "", "", Self.number(batch.tokensPerSecond / decode.tokensPerSecond) + " times", "",
                ])
            }
        }
        table.line("")
        table.line(
            "memory at the peak: \(ByteCount.text(peakBytes)) answering, \(ByteCount.text(loading.peakBytes)) loading")
        return table.text
    }

    private func add(_ picture: Picture, to table: inout TextTable) {
        table.row(["picture \(picture.width)×\(picture.height), \(picture.patches) patches", "", "", "", ""])
        row("  pixels to patches", picture.preparing, to: &table)
        row("  vision tower", picture.vision, to: &table)
        row("    blocks with windows", picture.windowed, to: &table)
        row("    blocks with full attention", picture.fullAttention, to: &table)
        row("    embedding, merger", picture.embeddingAndMerger, to: &table)
        guard picture.prefill.seconds.median > 0 else { return }
        row("  prompt of \(picture.promptTokens) tokens", picture.prefill, to: &table)
        row("  first token", picture.firstToken, to: &table)
    }

    /// How the cost of a pixel changes with the picture's size, where there are several.
    private func addGrowth(to table: inout TextTable) {
        guard pictures.count > 1 else { return }
        table.row(["a pixel of each, in ns", "", "windowed", "full attention", ""])
        for picture in pictures {
            let pixels = Double(picture.patches) * Double(picture.pixelsPerPatch)
            let (windowed, full) = (
                picture.windowed.seconds.median + picture.embeddingAndMerger.seconds.median,
                picture.fullAttention.seconds.median
            )
            table.row([
                "  \(picture.width)×\(picture.height)", "", Self.number(windowed / pixels * 1e9),
                Self.number(full / pixels * 1e9), "",
            ])
        }
    }

    private func row(_ label: String, _ seconds: Statistic, to table: inout TextTable) {
        table.row([label, Self.seconds(seconds.median), Self.range(seconds), "", ""])
    }

    private func row(_ label: String, _ phase: Phase, to table: inout TextTable) {
        let rate = Self.number(phase.operations / phase.seconds.median * 1e-9) + " GOP/s"
        table.row([
            label, Self.seconds(phase.seconds.median), Self.range(phase.seconds), rate, Self.percent(phase.share),
        ])
    }

    private func add(_ label: String, _ text: Text, to table: inout TextTable) {
        let read = text.bytesPerSecond.map { ", \(Self.number($0 * 1e-9)) GB/s" } ?? ""
        table.row([
            label, Self.seconds(text.seconds.median), Self.range(text.seconds),
            Self.number(text.tokensPerSecond) + " tok/s" + read, Self.percent(text.share),
        ])
    }

    static func seconds(_ value: Double) -> String { String(format: value < 1 ? "%.3f" : "%.2f", value) }
    static func range(_ value: Statistic) -> String { "\(seconds(value.minimum)) – \(seconds(value.maximum))" }
    static func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }
    /// Three digits that matter.
    static func number(_ value: Double) -> String {
        String(format: value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value)
    }
}

/// Lines of columns: the first to the left, numbers to the right.
struct TextTable {
    private let widths: [Int]
    private(set) var text = ""

    init(widths: [Int]) { self.widths = widths }

    mutating func line(_ line: String) { text += line + "\n" }

    mutating func row(_ cells: [String]) {
        var line = ""
        for (index, (cell, width)) in zip(cells, widths).enumerated() {
            let space = String(repeating: " ", count: max(0, width - cell.count))
            line += index == 0 ? cell + space : "  " + space + cell
        }
        while line.hasSuffix(" ") { line.removeLast() }
        self.line(line)
    }
}

/// Bytes for people.
package enum ByteCount {
    /// 7.0 GiB, 36.0 MiB…
    package static func text(_ bytes: Int) -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) bytes" : String(format: "%.1f %@", value, units[unit])
    }
}
