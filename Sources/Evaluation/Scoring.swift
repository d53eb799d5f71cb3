import ChatTemplate
import Foundation
import QwenVL

/// How an answer is held against the right one.
package enum Scoring: String, Sendable, Decodable {
    /// The same text.
    case exact
    /// Every labelled box overlaps its right place by more than half (intersection over union).
    case boxes
    /// Every text is spotted, its box overlapping the right one by more than half.
    case spotting
    /// A point inside the target.
    case point
    /// The same action; a click inside the target.
    case action
    /// The same JSON; every field counts.
    case fields
    /// The same document; every cell counts.
    case html
    /// A time in seconds, within half a second; so its end, where there is one.
    case seconds
    /// The same events, each beginning and ending within half a second.
    case events
}

/// What an answer is worth.
package struct Score: Sendable, Equatable {
    /// What was right: 0 to ``possible``.
    package var earned: Double
    /// One, or the number of objects or fields.
    package var possible: Double
    /// The overlap of each expected box with the one found for it; 0 where there is none.
    package var overlaps: [Double] = []
    /// Whether the answer is JSON without any repair; nil where none is expected.
    package var isJSON: Bool?

    package init(earned: Double, possible: Double, overlaps: [Double] = [], isJSON: Bool? = nil) {
        self.earned = earned
        self.possible = possible
        self.overlaps = overlaps
        self.isJSON = isJSON
    }

    /// Whether nothing is wrong.
    package var isRight: Bool { earned == possible }
}

extension Score {
    /// Half a second, whatever the frame rate.
    private static let tolerance = 0.5

    package init(_ answer: String, to item: EvaluationSuite.Item) {
        let expected = GroundedAnswer(parsing: item.answer)
        let found = GroundedAnswer(parsing: answer)
        switch item.scoring {
        case .exact: self.init(answer.trimmed == item.answer.trimmed)
        case .boxes: self.init(boxes: found.boxes, expected: expected.boxes) { $0.label == $1.label }
        case .spotting: self.init(boxes: found.boxes, expected: expected.boxes) { $0.text == $1.text }
        case .point: self.init(Self.hits(found, item.target))
        case .action: self.init(Self.same(found.actions, expected.actions, item.target))
        case .fields: self.init(fields: Self.fields(of: answer), expected: Self.fields(of: item.answer))
        case .html:
            self.init(fields: Self.cells(of: answer), expected: Self.cells(of: item.answer))
            overlaps = Score(boxes: found.boxes, expected: expected.boxes) { $0.element == $1.element }.overlaps
        case .seconds: self.init(found.events.count == 1 && Self.near(found.events.first, expected.events.first))
        case .events: self.init(events: found.events, expected: expected.events)
        }
        if Self.strictJSON(item.answer) != nil { isJSON = Self.strictJSON(answer) != nil }
    }

    private init(_ isRight: Bool) { self.init(earned: isRight ? 1 : 0, possible: 1) }

    // MARK: Places

    /// Every expected box takes the one of its kind that overlaps it most; each is taken once.
    private init(
        boxes: [GroundedAnswer.Box], expected: [GroundedAnswer.Box],
        isSame: (GroundedAnswer.Box, GroundedAnswer.Box) -> Bool
    ) {
        var free = boxes
        self.init(earned: 0, possible: Double(max(expected.count, boxes.count)))
        for wanted in expected {
            let overlap = { (box: GroundedAnswer.Box) in box.seen.intersectionOverUnion(wanted.seen) }
            let mine = free.indices.filter { isSame(free[$0], wanted) }
            guard let best = mine.max(by: { overlap(free[$0]) < overlap(free[$1]) }) else {
                overlaps.append(0)
                continue
            }
            overlaps.append(overlap(free[best]))
            if overlap(free[best]) > 0.5 { earned += 1 }
            free.remove(at: best)
        }
    }

    private static func hits(_ found: GroundedAnswer, _ target: PixelBox?) -> Bool {
        guard let target, found.points.count == 1 else { return false }
        return target.contains(found.points[0].seen)
    }

    private static func same(_ found: [ScreenAction], _ expected: [ScreenAction], _ target: PixelBox?) -> Bool {
        guard found.count == 1, expected.count == 1 else { return false }
        let (found, expected) = (found[0], expected[0])
        let hits = target.map { box in found.seen.map(box.contains) ?? false } ?? (found.seen == expected.seen)
        return hits && found.tool == expected.tool && found.action == expected.action && found.text == expected.text
            && found.keys == expected.keys && found.status == expected.status
    }

    // MARK: Times

    private static func near(_ found: GroundedAnswer.Event?, _ expected: GroundedAnswer.Event?) -> Bool {
        guard let found, let expected, abs(found.start - expected.start) <= tolerance else { return false }
        switch (found.end, expected.end) {
        case (nil, nil): return true
        case (let end?, let wanted?): return abs(end - wanted) <= tolerance
        default: return false
        }
    }

    private init(events: [GroundedAnswer.Event], expected: [GroundedAnswer.Event]) {
        var free = events
        self.init(earned: 0, possible: Double(max(expected.count, events.count)))
        for wanted in expected {
            let match = free.firstIndex { $0.description == wanted.description && Self.near($0, wanted) }
            guard let match else { continue }
            free.remove(at: match)
            earned += 1
        }
    }

    // MARK: Documents

    private init(fields: [String: String], expected: [String: String]) {
        let right = expected.count { fields[$0.key] == $0.value }
        self.init(earned: Double(right), possible: Double(max(1, expected.count, fields.count)))
    }

    /// The leaves of an answer's JSON by their paths: `items[0].price`.
    private static func fields(of answer: String) -> [String: String] {
        guard let value = strictJSON(answer) ?? JSONValue.found(in: answer).first else { return [:] }
        var fields: [String: String] = [:]
        collect(value.value, path: "", into: &fields)
        return fields
    }

    private static func collect(_ value: TemplateValue, path: String, into fields: inout [String: String]) {
        switch value {
        case .list(let items):
            for (index, item) in items.enumerated() { collect(item, path: "\(path)[\(index)]", into: &fields) }
        case .mapping(let members):
            for (key, member) in members { collect(member, path: "\(path).\(key)", into: &fields) }
        case .string(let text): fields[path] = text
        case .integer(let number): fields[path] = "\(number)"
        case .largeInteger(let digits): fields[path] = digits
        case .double(let number): fields[path] = "\(number)"
        case .boolean(let flag): fields[path] = "\(flag)"
        case .null: fields[path] = "null"
        }
    }

    /// A document's headings and the cells of its tables, by their places.
    private static func cells(of answer: String) -> [String: String] {
        var cells: [String: String] = [:]
        for (row, line) in answer.matches(of: #/<tr>(?<cells>.*?)</tr>/#.dotMatchesNewlines()).enumerated() {
            for (column, cell) in line.cells.matches(of: #/<t(?<kind>[hd])>(?<text>.*?)</t[hd]>/#).enumerated() {
                cells["\(row).\(column).\(cell.kind)"] = String(cell.text)
            }
        }
        for (index, heading) in answer.matches(of: #/<h\d[^>]*>(?<text>.*?)</h\d>/#).enumerated() {
            cells["heading \(index)"] = String(heading.text)
        }
        return cells
    }

    // MARK: JSON

    /// The JSON of an answer that is nothing else: fenced, in a tool call, or bare. Nil where it is not quite JSON.
    private static func strictJSON(_ answer: String) -> JSONValue? {
        var text = answer.trimmed[...]
        for (begin, end) in [("```json", "```"), ("<tool_call>", "</tool_call>")] where text.hasPrefix(begin) {
            guard text.hasSuffix(end), text.count >= begin.count + end.count else { return nil }
            text = text.dropFirst(begin.count).dropLast(end.count)
        }
        guard let first = text.first(where: { !$0.isWhitespace }), first == "[" || first == "{" else { return nil }
        return try? JSONValue(parsing: String(text))
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
