import Foundation
import QwenVL
import Testing

@Suite struct GroundedAnswerTests {
    /// A picture of 200 × 100 pixels that the model saw as 112 × 56.
    private let picture = PictureReport(
        original: .init(width: 200, height: 100), processed: .init(width: 112, height: 56), tokens: 8, video: nil)

    @Test func fencedBoxesComeWithBothPixels() {
        let answer = GroundedAnswer(
            parsing: """
                ```json
                [
                	{"bbox_2d": [28, 14, 84, 42], "label": "red circle"},
                	{"bbox_2d": [0, 0, 56, 28], "label": "a \\"star\\""}
                ]
                ```
                """, picture: picture)
        #expect(answer.boxes.map(\.label) == ["red circle", "a \"star\""])
        #expect(answer.boxes[0].seen == PixelBox(left: 28, top: 14, right: 84, bottom: 42))
        #expect(answer.boxes[0].original == PixelBox(left: 50, top: 25, right: 150, bottom: 75))
        #expect(answer.repairs.isEmpty)
    }

    @Test(arguments: [
        ("[{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"a\"},]", GroundedAnswer.Repair.trailingComma),
        ("[{\"bbox_2d\": [1, 2, 3, 4,], \"label\": \"a\",}]", .trailingComma),
        ("[{\"bbox_2d\": [1, 2, 3, 4] \"label\": \"a\"}]", .missingComma),
        ("Here: [{'bbox_2d': [1, 2, 3, 4], 'label': 'a'}], as asked.", .singleQuotes),
        ("```json\n[{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"a\"}, {\"bbox_2d\": [5, 6", .cutOff),
        ("[{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"a\"}, {\"label\": \"b", .cutOff),
        ("[{\"bbox_2d\": [3, 2, 1, 4], \"label\": \"a\"}]", .swappedCorners),
    ])
    func whatModelsGetWrongIsMended(_ text: String, _ repair: GroundedAnswer.Repair) {
        let answer = GroundedAnswer(parsing: text)
        #expect(answer.boxes.map(\.seen) == [PixelBox(left: 1, top: 2, right: 3, bottom: 4)])
        #expect(answer.boxes.map(\.label) == ["a"])
        #expect(answer.repairs == [repair])
    }

    @Test func placesOutsideMoveToTheEdge() {
        let answer = GroundedAnswer(
            parsing: "[{\"bbox_2d\": [-5, 10, 300, 40]}, {\"point_2d\": [10, 90]}]", picture: picture)
        #expect(answer.boxes.map(\.seen) == [PixelBox(left: 0, top: 10, right: 112, bottom: 40)])
        #expect(answer.points.map(\.seen) == [PixelPoint(x: 10, y: 56)])
        #expect(answer.repairs == [.outsidePicture])
    }

    @Test func pointsComeAsJSONAndAsTags() {
        let json = GroundedAnswer(parsing: "{\"point_2d\": [10, 20.5], \"label\": \"cup\"}")
        #expect(json.points == [.init(seen: PixelPoint(x: 10, y: 20.5), original: nil, label: "cup")])
        let tags = GroundedAnswer(
            parsing:
                #"<points x1="1" y1="2" x2="3" y2="4" alt="cups">cups</points> and <point x="5" y="6">a pen</point>"#)
        #expect(tags.points.map(\.label) == ["cups", "cups", "a pen"])
        #expect(tags.points.map(\.seen.x) == [1, 3, 5])
    }

    @Test func spottedTextKeepsItsWords() {
        let answer = GroundedAnswer(parsing: "[{\"bbox_2d\": [1, 2, 30, 14], \"text_content\": \"Total: 12\\u20ac\"}]")
        #expect(answer.boxes.map(\.text) == ["Total: 12€"])
        #expect(answer.boxes[0].label == nil)
    }

    @Test func documentsGiveTheirElements() {
        let answer = GroundedAnswer(
            parsing: """
                ```html
                <html><body>
                <h2 data-bbox="10 20 110 40">Oak <b>Press</b></h2>
                <table data-bbox='no numbers'></table>
                <table data-bbox="10 50 110 90">
                <tr><th>Item</th><td>Tea</td></tr>
                </table>
                </body></html>
                ```
                """)
        #expect(answer.boxes.map(\.element) == ["h2", "table"])
        #expect(answer.boxes.map(\.text) == ["Oak Press", "Item Tea"])
        #expect(answer.boxes[1].seen == PixelBox(left: 10, top: 50, right: 110, bottom: 90))
    }

    @Test func timesComeInEveryForm() {
        let events = GroundedAnswer(
            parsing: """
                [{"start_time": "00:23.90", "end_time": "01:35.60", "description": "A star."},
                 {"start_time": "1:00:00", "end_time": 3601, "description": "A ring, for 3 seconds."}]
                """)
        #expect(events.events.map(\.start) == [23.9, 3600])
        #expect(events.events.map(\.end) == [95.6, 3601])
        let span = GroundedAnswer(parsing: "The given query happens in 64.0 - 72.5 seconds.")
        #expect(span.events == [.init(start: 64, end: 72.5, description: nil)])
        #expect(GroundedAnswer(parsing: "At 3.5 seconds.").events == [.init(start: 3.5, end: nil, description: nil)])
        #expect(GroundedAnswer(parsing: "Three of 12 circles").isEmpty)
    }

    @Test func callsOfScreenToolsAreActions() throws {
        let answer = GroundedAnswer(
            parsing: """
                I click.
                <tool_call>
                {"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [56, 28]}}
                </tool_call>
                <tool_call>
                {"name": "computer_use", "arguments": {"action": "key", "keys": ["ctrl", "s"]}}
                </tool_call>
                <tool_call>
                {"name": "mobile_use", "arguments": {"action": "swipe", "coordinate": [1, 2], "coordinate2": [3, 4]}}
                """, picture: picture)
        #expect(answer.actions.map(\.action) == ["left_click", "key", "swipe"])
        #expect(answer.actions[0].original == PixelPoint(x: 100, y: 50))
        #expect(answer.actions[1].keys == ["ctrl", "s"])
        #expect(answer.actions[2].seenEnd == PixelPoint(x: 3, y: 4))
        #expect(answer.boxes.isEmpty && answer.points.isEmpty)
    }

    @Test func itsJSONIsStable() throws {
        let answer = GroundedAnswer(
            parsing: "[{\"bbox_2d\": [28, 14, 84, 42,], \"label\": \"cup\"}]", picture: picture)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(answer)
        #expect(
            String(decoding: json, as: UTF8.self) == """
                {"actions":[],"boxes":[{"label":"cup","original":[50,25,150,75],"seen":[28,14,84,42]}],"events":[],\
                "points":[],"repairs":["trailing_comma"]}
                """)
        #expect(try JSONDecoder().decode(GroundedAnswer.self, from: json) == answer)
    }

    @Test func anythingIsReadWithoutHarm() {
        let pieces = [
            "[", "{", "\"bbox_2d\"", ":", "1", ",", "]", "}", "\\", "<tool_call>", "<points x1=", "é", "\"", "-",
            "9e999",
        ]
        var random = FixedGenerator()
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 0...24, using: &random)).map { _ in pieces.randomElement(using: &random)! }
            for box in GroundedAnswer(parsing: text.joined(), picture: picture).boxes {
                #expect(box.seen.left <= box.seen.right && box.seen.right <= 112)
            }
        }
        #expect(GroundedAnswer(parsing: String(repeating: "[", count: 100_000)).isEmpty)
        // Work that grew with the square of the length would take minutes here.
        #expect(GroundedAnswer(parsing: String(repeating: "<point x1=\"1\" ", count: 20_000)).isEmpty)
        #expect(GroundedAnswer(parsing: String(repeating: "<tool_call>{", count: 5_000)).isEmpty)
        let open = GroundedAnswer(parsing: String(repeating: "<p data-bbox=\"1 2 3 4\">", count: 5_000))
        #expect(open.boxes.count == 5_000)
    }

    @Test func overlapIsSymmetric() {
        let (a, b) = (
            PixelBox(left: 0, top: 0, right: 10, bottom: 10), PixelBox(left: 5, top: 0, right: 15, bottom: 10)
        )
        #expect(a.intersectionOverUnion(b) == 50.0 / 150)
        #expect(b.intersectionOverUnion(a) == 50.0 / 150)
        #expect(a.intersectionOverUnion(a) == 1)
        #expect(a.intersectionOverUnion(PixelBox(left: 10, top: 0, right: 20, bottom: 10)) == 0)
    }
}

/// The same numbers every time (Knuth's multiplier; the high bits are the random ones).
private struct FixedGenerator: RandomNumberGenerator {
    private var state: UInt64 = 1
    mutating func next() -> UInt64 {
        func half() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return state >> 32
        }
        return half() << 32 | half()
    }
}
