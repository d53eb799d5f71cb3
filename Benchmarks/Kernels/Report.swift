import Foundation

/// A table for people, or a JSON object per line for scripts.
struct Report {
    let json: Bool

    func header(table: String, threads: Int) {
        if json {
            print(#"{"table": "\#(table)", "threads": \#(threads)}"#)
        } else {
            print("table \(table), \(threads) threads")
            print(column("case", 46) + right("time", 12) + right("rate", 14) + right("of limit", 10))
        }
    }

    /// `rate` in 10^9 bytes or operations a second, `of` the limit in the same unit.
    func row(name: String, seconds: Double?, rate: Double, limit: Limit, of bound: Double?) {
        let unit = limit == .read ? "GB/s" : limit == .int8 ? "GOP/s" : "GFLOP/s"
        let share = bound.map { rate / $0 }
        if json {
            var fields = [#""case": "\#(name)""#, #""rate": \#(format(rate, 3))"#, #""unit": "\#(unit)""#]
            if let seconds { fields.append(#""seconds": \#(format(seconds, 9))"#) }
            if let share { fields.append(#""share": \#(format(share, 4))"#) }
            print("{" + fields.joined(separator: ", ") + "}")
        } else {
            print(
                column(name, 46) + right(seconds.map { format($0 * 1e3, 3) + " ms" } ?? "", 12)
                    + right(format(rate, 1) + " " + unit, 14)
                    + right(share.map { format($0 * 100, 0) + " %" } ?? "", 10))
        }
        fflush(nil)
    }

    private func format(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
    private func column(_ text: String, _ width: Int) -> String {
        text.padding(toLength: width, withPad: " ", startingAt: 0)
    }
    private func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}
