import Foundation

/// What a model reached, task by task. Encodes to the JSON of `qwenvl eval --json`.
package struct EvaluationReport: Sendable, Encodable {
    /// One row of the table.
    package struct Task: Sendable, Encodable {
        package let task: String
        package let items: Int
        /// What was right, as a share of what could be: questions, objects or fields.
        package let score: Double
        /// Answers without any fault, as a share.
        package let right: Double
        /// The mean overlap of boxes, an expected one that was not found counting 0; nil without boxes.
        package let meanIoU: Double?
        /// Answers that are JSON without repair, as a share of those that should be; nil where none should.
        package let json: Double?
        /// Wall time.
        package let seconds: Double

        private enum CodingKeys: String, CodingKey {
            case task, items, score, right
            case meanIoU = "mean_iou"
            case json, seconds
        }

        init(_ task: String, _ scores: [Score], seconds: Double) {
            let overlaps = scores.flatMap(\.overlaps)
            let json = scores.compactMap(\.isJSON)
            self.task = task
            items = scores.count
            score = scores.map(\.earned).reduce(0, +) / max(1, scores.map(\.possible).reduce(0, +))
            right = Double(scores.count(where: \.isRight)) / Double(max(1, scores.count))
            meanIoU = overlaps.isEmpty ? nil : overlaps.reduce(0, +) / Double(overlaps.count)
            self.json = json.isEmpty ? nil : Double(json.count { $0 }) / Double(json.count)
            self.seconds = seconds
        }
    }

    /// One answer.
    package struct Answer: Sendable, Encodable {
        package let id: String
        package let question: String
        package let expected: String
        package let answer: String
        package let tokenIDs: [Int]
        package let score: Double
        package let possible: Double

        package init(
            id: String, question: String, expected: String, answer: String, tokenIDs: [Int], score: Double,
            possible: Double
        ) {
            self.id = id
            self.question = question
            self.expected = expected
            self.answer = answer
            self.tokenIDs = tokenIDs
            self.score = score
            self.possible = possible
        }

        private enum CodingKeys: String, CodingKey {
            case id, question, expected, answer
            case tokenIDs = "token_ids"
            case score, possible
        }
    }

    package let suite: String
    package let model: String
    package let weights: String
    package private(set) var tasks: [Task] = []
    package private(set) var answers: [Answer] = []
    private var everything: [Score] = []

    private enum CodingKeys: String, CodingKey { case suite, model, weights, tasks, answers }

    package init(suite: String, model: String, weights: String) {
        self.suite = suite
        self.model = model
        self.weights = weights
    }

    /// Adds a task's row and its answers.
    package mutating func add(_ task: String, _ results: [(answer: Answer, score: Score)], seconds: Double) {
        let scores = results.map(\.score)
        tasks.append(Task(task, scores, seconds: seconds))
        answers += results.map(\.answer)
        everything += scores
    }

    /// All tasks in one row.
    package var total: Task { Task("all", everything, seconds: tasks.map(\.seconds).reduce(0, +)) }

    /// The heading of the table; its columns are as wide as those of ``row(_:)``.
    package static let heading = line(["task", "items", "score", "right", "mean IoU", "JSON", "seconds"])

    /// The row of a task.
    package static func row(_ task: Task) -> String {
        let percent = { (share: Double) in String(format: "%.1f %%", share * 100) }
        return line([
            task.task, "\(task.items)", percent(task.score), percent(task.right),
            task.meanIoU.map { String(format: "%.2f", $0) } ?? "", task.json.map(percent) ?? "",
            String(format: "%.1f", task.seconds),
        ])
    }

    private static func line(_ cells: [String]) -> String {
        zip(cells, [-18, 5, 8, 8, 8, 8, 8]).map { cell, width in
            let space = String(repeating: " ", count: max(0, abs(width) - cell.count))
            return width < 0 ? cell + space : space + cell
        }.joined(separator: "  ")
    }
}
