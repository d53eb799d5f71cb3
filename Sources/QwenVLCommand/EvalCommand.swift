import ArgumentParser
import Evaluation
import Foundation
import QwenVL

/// What a model reaches on questions with known answers.
struct EvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Ask held-out questions and score the answers, task by task.",
        discussion: """
            The suite "demo" comes with this program: drawn pictures and clips on which the demo model was never \
            trained. Another suite is a folder with suite.json and media.tar. Answers are greedy.

            score: what was right of all questions, objects or fields. right: answers without any fault. mean IoU: the \
            overlap of boxes with their right places. JSON: answers that need no repair.
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Pictures") var pictures: PictureOptions

    @Option(help: "The questions: demo, or a folder.")
    var suite = "demo"

    @Option(help: "Ask at most this many questions of each task.")
    var limit: Int?

    @Option(help: "Ask the questions of this task alone; may be given several times.")
    var task: [String] = []

    @Option(help: "Questions asked at a time.")
    var batch = 16

    @Flag(help: "Print the answers that are not wholly right.")
    var wrong = false

    @Flag(help: "Print JSON, every answer included.")
    var json = false

    /// Twice the longest right answer of the demo suite; a model that rambles is cut off.
    private static let longestAnswer = 768

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit: expected a positive number, found \(limit)") }
        if !(1...256).contains(batch) { throw ValidationError("--batch: expected 1 to 256, found \(batch)") }
    }

    func run() async throws {
        guard let folder = suite == "demo" ? SuppliedFolder.find("Models/demo-eval", holding: "suite.json") : suite
        else { throw ValidationError("--suite: the folder Models/demo-eval is not beside this program") }
        let questions = try EvaluationSuite(folder: folder)
        for name in task where !questions.tasks.contains(name) {
            throw ValidationError(
                "--task: expected one of \(questions.tasks.joined(separator: ", ")), found \"\(name)\"")
        }
        let tasks = task.isEmpty ? questions.tasks : questions.tasks.filter(task.contains)
        var options = model.engineOptions(pictures)
        options.maximumBatch = batch
        let engine = try await model.load(options)
        var report = EvaluationReport(
            suite: suite, model: try model.directory(), weights: engine.weights.rawValue)
        let chosen = tasks.map { name in questions.items.filter { $0.task == name }.prefix(limit ?? .max) }
        let progress = EvaluationProgress(total: chosen.map(\.count).reduce(0, +))
        if !json { try Terminal.out(EvaluationReport.heading + "\n") }
        for (name, items) in zip(tasks, chosen) {
            let start = ContinuousClock.now
            let results = try await ask(Array(items), of: questions, engine: engine, progress: progress)
            report.add(name, results, seconds: start.duration(to: .now) / .seconds(1))
            progress.clear()
            if !json { try print(report.tasks[report.tasks.count - 1], results) }
        }
        if json {
            try Terminal.out(JSONOutput.encode(report) + "\n")
        } else if tasks.count > 1 {
            try Terminal.out(EvaluationReport.row(report.total) + "\n")
        }
    }

    /// As many questions at a time as make a batch: the next is asked as soon as one is answered.
    private func ask(
        _ items: [EvaluationSuite.Item], of suite: EvaluationSuite, engine: Engine, progress: EvaluationProgress
    ) async throws -> [(answer: EvaluationReport.Answer, score: Score)] {
        var options = GenerationOptions.greedy
        options.maxTokens = Self.longestAnswer
        return try await withThrowingTaskGroup(of: (Int, Completion).self) { group in
            var waiting = Array(items.enumerated())[...]
            var results = [(answer: EvaluationReport.Answer, score: Score)?](repeating: nil, count: items.count)
            func askNext() throws {
                guard let (index, item) = waiting.popFirst() else { return }
                let messages = try suite.messages(item)
                group.addTask { [options] in (index, try await engine.reply(to: messages, options: options)) }
            }
            for _ in 0..<batch { try askNext() }
            while let (index, completion) = try await group.next() {
                let score = Score(completion.text, to: items[index])
                results[index] = (EvaluationReport.Answer(completion, to: items[index], score: score), score)
                progress.answered(task: items[index].task, score: score)
                try askNext()
            }
            return results.compactMap { $0 }
        }
    }

    private func print(
        _ row: EvaluationReport.Task, _ results: [(answer: EvaluationReport.Answer, score: Score)]
    ) throws {
        try Terminal.out(EvaluationReport.row(row) + "\n")
        guard wrong else { return }
        for (answer, score) in results where !score.isRight {
            try Terminal.out(
                "    \(answer.id): \(answer.question)\n      right:  \(Self.oneLine(answer.expected))\n"
                    + "      answer: \(Self.oneLine(answer.answer))\n")
        }
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: "⏎").replacing("\t", with: "")
    }
}

extension EvaluationReport.Answer {
    fileprivate init(_ completion: Completion, to item: EvaluationSuite.Item, score: Score) {
        self.init(
            id: item.id, question: item.question, expected: item.answer, answer: completion.text,
            tokenIDs: completion.tokenIDs, score: score.earned, possible: score.possible)
    }
}

/// How far the questions are, on a terminal.
private final class EvaluationProgress {
    private let line = ProgressLine()
    private let total: Int
    private var done = 0
    private let start = ContinuousClock.now

    init(total: Int) { self.total = total }

    func answered(task: String, score: Score) {
        done += 1
        // Twenty-four cells leave room for the words on a narrow terminal.
        let filled = total == 0 ? 0 : 24 * done / total
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
        let elapsed = start.duration(to: .now) / .seconds(1)
        let left = Int((elapsed / Double(done) * Double(total - done)).rounded(.up))
        line.show("\(bar) \(done)/\(total) \(task) · \(left) s left")
    }

    func clear() { line.clear() }
}
