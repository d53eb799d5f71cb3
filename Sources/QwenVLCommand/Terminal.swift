import Foundation
import Synchronization

/// Standard output for results, standard error for everything else.
enum Terminal {
    /// Whether standard error is a terminal, where a progress line may be rewritten.
    static let errorIsTerminal = isatty(2) == 1
    static let inputIsTerminal = isatty(0) == 1

    /// - Throws: ``OutputError`` when the result cannot be written: a full disk must not look like an answer.
    static func out(_ text: String) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw OutputError(reason: "\(error.localizedDescription)")
        }
    }

    static func note(_ text: String) { write(text + "\n") }

    /// To standard error; where nobody reads it, nothing is lost.
    static func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
    static func error(_ text: String) { note("qwenvl: \(text)") }
}

/// A line on a terminal's standard error that is rewritten as work goes on; silent elsewhere.
final class ProgressLine: Sendable {
    private let shown = Mutex<(text: String, at: ContinuousClock.Instant)?>(nil)

    func show(_ text: String) {
        guard Terminal.errorIsTerminal else { return }
        shown.withLock { state in
            // Ten lines a second are enough for an eye.
            if let state, state.at.duration(to: .now) < .milliseconds(100) { return }
            Terminal.write("\r\u{1B}[2K\(text)")
            state = (text, .now)
        }
    }

    func clear() {
        shown.withLock { state in
            guard state != nil else { return }
            Terminal.write("\r\u{1B}[2K")
            state = nil
        }
    }
}

/// Standard output refused what was written to it.
struct OutputError: Error, CustomStringConvertible {
    let reason: String
    var description: String { "cannot write to standard output: \(reason)" }
}
