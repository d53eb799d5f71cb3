import Evaluation
import Foundation
import QwenVL
import Testing

@Suite struct SuiteTests {
    private func suite(_ items: String) throws -> EvaluationSuite {
        let folder = FileManager.default.temporaryDirectory.appending(path: "suite-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("{\"items\": \(items)}".utf8).write(to: folder.appending(path: "suite.json"))
        try Data(count: 1024).write(to: folder.appending(path: "media.tar"))
        return try EvaluationSuite(folder: folder.path)
    }

    @Test func itemsBecomeConversations() throws {
        let suite = try suite(
            """
            [{"id": "a/1", "task": "a", "system": "Be brief.", "question": "Who are you?", "answer": "A model.",
              "scoring": "exact"},
             {"id": "b/1", "task": "b", "images": ["lost.png"], "question": "?", "answer": "", "scoring": "boxes"}]
            """)
        #expect(suite.tasks == ["a", "b"])
        #expect(try suite.messages(suite.items[0]) == [.system("Be brief."), .user(.text("Who are you?"))])
        let error = #expect(throws: InputError.self) { try suite.messages(suite.items[1]) }
        #expect(error?.description.contains("lost.png") == true)
    }

    @Test(arguments: [
        (
            "[{\"id\": \"a\", \"task\": \"a\", \"question\": \"?\", \"answer\": \"\", \"scoring\": \"magic\"}]",
            "items[0].scoring"
        ),
        ("[{\"id\": 7}]", "items[0].id"),
        ("[{}]", "items[0]"),
        ("7", "items"),
    ])
    func whatIsWrongIsNamed(_ items: String, named: String) throws {
        let error = #expect(throws: InputError.self) { try suite(items) }
        #expect(error?.field.hasSuffix(named) == true, "\(error.map(\.field) ?? "none")")
    }
}
