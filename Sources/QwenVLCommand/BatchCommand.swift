import ArgumentParser
import Foundation
import QwenVL

/// One question about many pictures, one line of JSON for each.
struct BatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch", abstract: "Ask one question about many pictures, documents or videos.",
        discussion: """
            Every file is a question of its own; a directory stands for the pictures and videos in it. One line of \
            JSON follows for each, as it is answered: file, text, finish_reason, usage, pictures; or file and error. \
            With --out, files that it has an answer for are left out, so an interrupted run goes on where it was.

              qwenvl batch receipts/ "scans/*.png" --prompt "What is the total?" --out totals.jsonl
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Pictures") var pictures: PictureOptions
    @OptionGroup(title: "Videos") var sampling: VideoOptions
    @OptionGroup(title: "Sampling") var tokens: SamplingOptions

    @Argument(help: "Files, directories, or patterns in quotation marks.")
    var files: [String]

    @Option(name: [.short, .long], help: "The question.")
    var prompt: String

    @Option(name: [.short, .long], help: "A file of JSON lines to add to (default: standard output).")
    var out: String?

    @Option(help: "Questions that are answered at the same time.")
    var parallel: Int = 4

    func validate() throws {
        if files.isEmpty { throw ValidationError("expected files, directories or patterns") }
        if !(1...64).contains(parallel) { throw ValidationError("--parallel: expected 1 to 64, found \(parallel)") }
    }

    func run() async throws {
        var names: [String] = []
        for file in files { names += try MediaFiles.named(file) }
        let log = try ResultLog(path: out)
        let rest = names.filter { !log.done.contains($0) }
        var bar = ProgressBar(total: names.count, done: names.count - rest.count)
        bar.show()
        defer { bar.clear() }
        guard !rest.isEmpty else { return }
        let engine = try await model.load(model.engineOptions(pictures))
        var failures = 0
        try await withThrowingTaskGroup(of: BatchRecord.self) { group in
            var waiting = rest[...]
            for _ in 0..<min(parallel, rest.count) { add(waiting.removeFirst(), to: &group, engine) }
            while let record = try await group.next() {
                try log.write(record)
                if record.error != nil { failures += 1 }
                bar.advance()
                if let name = waiting.popFirst() { add(name, to: &group, engine) }
            }
        }
        bar.clear()
        if failures > 0 {
            Terminal.error("\(failures) of \(rest.count) files could not be used; their lines say why")
            throw ExitStatus.badInput
        }
    }

    private func add(_ name: String, to group: inout ThrowingTaskGroup<BatchRecord, any Error>, _ engine: Engine) {
        group.addTask {
            do {
                let part: ContentPart =
                    MediaFiles.isVideo(name) ? .video(try sampling.part(named: name)) : .image(path: name)
                let completion = try await engine.reply(
                    to: [.user(part, .text(prompt))], options: tokens.generationOptions)
                return BatchRecord(file: name, completion: completion)
            } catch let error as QwenVLError where error.isUserError {
                return BatchRecord(file: name, error: error.description)
            } catch let error as InputError {
                return BatchRecord(file: name, error: error.description)
            }
        }
    }
}

/// One line of a batch.
struct BatchRecord: Codable, Sendable {
    let file: String
    var text: String?
    var finish_reason: String?
    var usage: Usage?
    var pictures: [PictureReport]?
    var error: String?

    init(file: String, completion: Completion) {
        self.file = file
        text = completion.text
        finish_reason = completion.finishReason.rawValue
        usage = completion.usage
        pictures = completion.pictures
    }

    init(file: String, error: String) {
        self.file = file
        self.error = error
    }
}

/// The lines of a batch: what a file holds already, and those that are added.
struct ResultLog {
    /// Files that have an answer.
    let done: Set<String>
    private let handle: FileHandle?

    init(path: String?) throws {
        guard let path else {
            done = []
            handle = nil
            return
        }
        let old = FileManager.default.contents(atPath: path)
        if old == nil, !FileManager.default.createFile(atPath: path, contents: nil) {
            throw InputError(field: "--out", expected: "a file that can be written", found: "\"\(path)\"")
        }
        guard let handle = FileHandle(forUpdatingAtPath: path) else {
            throw InputError(field: "--out", expected: "a file that can be written", found: "\"\(path)\"")
        }
        // A run that was interrupted may have left half a line.
        let whole = (old ?? Data()).lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        try handle.truncate(atOffset: UInt64(whole))
        try handle.seekToEnd()
        self.handle = handle
        let records = (old ?? Data()).prefix(whole).split(separator: UInt8(ascii: "\n"))
            .compactMap { try? JSONDecoder().decode(BatchRecord.self, from: Data($0)) }
        done = Set(records.filter { $0.error == nil }.map(\.file))
    }

    func write(_ record: BatchRecord) throws {
        let line = try JSONOutput.line(record) + "\n"
        guard let handle else { return try Terminal.out(line) }
        do {
            try handle.write(contentsOf: Data(line.utf8))
        } catch {
            throw OutputError(reason: error.localizedDescription)
        }
    }
}

/// How far a batch has come, on a terminal's standard error.
struct ProgressBar {
    private let total: Int
    private var done: Int
    private let before: Int
    private let start = ContinuousClock.now
    private let line = ProgressLine()
    private static let width = 30

    init(total: Int, done: Int) {
        self.total = total
        self.done = done
        before = done
    }

    mutating func advance() {
        done += 1
        show()
    }

    func show() {
        let filled = total == 0 ? Self.width : done * Self.width / total
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.width - filled)
        line.show("\(bar) \(done) of \(total)\(remaining)")
    }

    private var remaining: String {
        guard done > before, done < total else { return "" }
        let elapsed = start.duration(to: .now)
        let seconds = Double(elapsed.components.seconds) / Double(done - before) * Double(total - done)
        return seconds < 90 ? " · \(Int(seconds)) s left" : " · \(Int(seconds / 60)) min left"
    }

    func clear() { line.clear() }
}
