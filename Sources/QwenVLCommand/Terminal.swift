import Foundation
import Synchronization

/// Standard output for results, standard error for everything else.
enum Terminal {
    /// Whether standard error is a terminal, where a progress line may be rewritten.
    static let errorIsTerminal = isatty(2) == 1
    static let inputIsTerminal = isatty(0) == 1

    static func out(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
    static func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
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
            FileHandle.standardError.write(Data("\r\u{1B}[2K\(text)".utf8))
            state = (text, .now)
        }
    }

    func clear() {
        shown.withLock { state in
            guard state != nil else { return }
            FileHandle.standardError.write(Data("\r\u{1B}[2K".utf8))
            state = nil
        }
    }
}
