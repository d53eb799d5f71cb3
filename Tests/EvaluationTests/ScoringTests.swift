import Evaluation
import Foundation
import Testing

@Suite struct ScoringTests {
    private func item(_ scoring: String, _ answer: String, target: [Int]? = nil) throws -> EvaluationSuite.Item {
        var fields: [String: Any] = ["id": "x/1", "task": "x", "question": "?", "answer": answer, "scoring": scoring]
        fields["target"] = target
        return try JSONDecoder().decode(
            EvaluationSuite.Item.self, from: JSONSerialization.data(withJSONObject: fields))
    }

    private func box(_ edges: [Int], _ label: String) -> String { "{\"bbox_2d\": \(edges), \"label\": \"\(label)\"}" }

    @Test func exactAnswersMayHaveSpaceAround() throws {
        let question = try item("exact", "A red circle.")
        #expect(Score(" A red circle.\n", to: question).isRight)
        #expect(!Score("A red square.", to: question).isRight)
        #expect(Score("A red circle.", to: question).isJSON == nil)
    }

    @Test func boxesCountByObject() throws {
        let right = box([0, 0, 10, 10], "a"), other = box([20, 20, 40, 40], "b")
        let question = try item("boxes", "```json\n[\(right), \(other)]\n```")
        let whole = Score("```json\n[\(other), \(box([0, 0, 10, 9], "a"))]\n```", to: question)
        #expect(whole.isRight && whole.isJSON == true)
        #expect(whole.overlaps == [0.9, 1])
        let label = Score("[\(right), \(box([20, 20, 40, 40], "c"))]", to: question)
        #expect(label.earned == 1 && label.possible == 2 && label.overlaps == [1, 0])
        let extra = Score("[\(right), \(other), \(right)]", to: question)
        #expect(extra.earned == 2 && extra.possible == 3)
        // Half is not more than half.
        let half = Score("[\(box([0, 0, 10, 5], "a")), \(other)]", to: question)
        #expect(half.earned == 1)
        let mended = Score("```json\n[\(right), \(other),]\n```", to: question)
        #expect(mended.isRight && mended.isJSON == false)
    }

    @Test func pointsAndClicksMustHitTheTarget() throws {
        let point = try item("point", "[{\"point_2d\": [15, 15], \"label\": \"a\"}]", target: [10, 10, 20, 20])
        #expect(Score("[{\"point_2d\": [11, 19], \"label\": \"a\"}]", to: point).isRight)
        #expect(!Score("[{\"point_2d\": [9, 19], \"label\": \"a\"}]", to: point).isRight)
        func call(_ arguments: String) -> String {
            "<tool_call>\n{\"name\": \"computer_use\", \"arguments\": {\(arguments)}}\n</tool_call>"
        }
        let click = try item(
            "action", call("\"action\": \"left_click\", \"coordinate\": [15, 15]"), target: [10, 10, 20, 20])
        #expect(Score(call("\"action\": \"left_click\", \"coordinate\": [12, 19]"), to: click).isRight)
        #expect(!Score(call("\"action\": \"left_click\", \"coordinate\": [12, 29]"), to: click).isRight)
        #expect(!Score(call("\"action\": \"right_click\", \"coordinate\": [12, 19]"), to: click).isRight)
        #expect(Score("There is no such button.", to: click) == Score("", to: click))
    }

    @Test func fieldsCountOneByOne() throws {
        let question = try item(
            "fields",
            "```json\n{\n\t\"company\": \"Oak Press\",\n\t\"items\": [{\"name\": \"Tea\", \"price\": \"2.50\"}]\n}\n```"
        )
        #expect(Score(question.answer, to: question) == Score(earned: 3, possible: 3, isJSON: true))
        let wrong = Score(
            "{\"company\": \"Oak Press\", \"items\": [{\"name\": \"Tea\", \"price\": \"2.60\"}]}", to: question)
        #expect(wrong.earned == 2 && wrong.possible == 3)
        #expect(Score("no idea", to: question) == Score(earned: 0, possible: 3, isJSON: false))
    }

    @Test func tablesCountByCell() throws {
        let table =
            "```html\n<html><body>\n<h2 data-bbox=\"0 0 9 9\">Title</h2>\n<table data-bbox=\"0 10 50 60\">\n"
            + "<tr><th>Item</th><th>Price</th></tr>\n<tr><td>Tea</td><td>2.50</td></tr>\n</table>\n</body></html>\n```"
        let question = try item("html", table)
        #expect(Score(table, to: question) == Score(earned: 5, possible: 5, overlaps: [1, 1]))
        let wrong = Score(table.replacing("2.50", with: "2.80"), to: question)
        #expect(wrong.earned == 4 && wrong.possible == 5)
    }

    @Test func timesMayBeHalfASecondOff() throws {
        let moment = try item("seconds", "At 3.0 seconds.")
        #expect(Score("At 3.5 seconds.", to: moment).isRight)
        #expect(!Score("At 3.6 seconds.", to: moment).isRight)
        let span = try item("seconds", "The given query happens in 1.0 - 4.0 seconds.")
        #expect(Score("The given query happens in 0.5 - 4.5 seconds.", to: span).isRight)
        #expect(!Score("The given query happens in 0.5 - 4.6 seconds.", to: span).isRight)
        #expect(!Score("At 1.0 seconds.", to: span).isRight)
        let event =
            "{\"start_time\": \"00:01.00\", \"end_time\": \"00:02.00\", \"description\": \"A star is visible.\"}"
        let events = try item("events", "```json\n[\(event)]\n```")
        #expect(Score("[\(event.replacing("02.00", with: "02.40"))]", to: events).isRight)
        #expect(!Score("[\(event.replacing("star", with: "ring"))]", to: events).isRight)
        #expect(Score("[\(event), \(event)]", to: events).earned == 1)
    }
}
