import ChatTemplate
import Foundation
import Testing

@Suite("Templates of a checkpoint")
struct CheckpointTests {
    /// A directory with the given files, removed afterwards.
    private func inDirectory(_ files: [String: String], _ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        for (name, contents) in files { try Data(contents.utf8).write(to: directory.appending(path: name)) }
        try body(directory)
    }

    private func render(_ directory: URL, tools: [TemplateValue]? = nil) throws -> String {
        try ChatTemplate.load(directory: directory).render(messages: [], tools: tools, addGenerationPrompt: false)
    }

    private func expect(_ output: String, from files: [String: String], tools: [TemplateValue]? = nil) throws {
        try inDirectory(files) { directory in
            let rendered = try render(directory, tools: tools)
            #expect(rendered == output)
        }
    }

    @Test("The template's own files come before the tokenizer's configuration")
    func respectsTheOrder() throws {
        var files = ["tokenizer_config.json": #"{"chat_template": "config", "eos_token": "E"}"#]
        try expect("config", from: files)
        files["chat_template.json"] = #"{"chat_template": "json {{ eos_token }}"}"#
        try expect("json E", from: files)
        files["chat_template.jinja"] = "jinja"
        try expect("jinja", from: files)
    }

    @Test("Named templates and special tokens are read")
    func readsNamedTemplates() throws {
        let config = """
            {"bos_token": null, "eos_token": {"content": "<e>", "lstrip": false}, "pad_token": "<p>",
             "chat_template": [{"name": "tool_use", "template": "T{{ tools|length }}"},
                               {"name": "default", "template": "D{{ eos_token ~ pad_token ~ bos_token }}"}]}
            """
        try expect("D<e><p>", from: ["tokenizer_config.json": config])
        try expect("T1", from: ["tokenizer_config.json": config], tools: [["name": "f"]])
    }

    @Test("Missing and malformed files are errors")
    func reportsBadFiles() throws {
        try inDirectory([:]) { directory in
            #expect(throws: ChatTemplateFileError.missing(directory: directory.path)) { try render(directory) }
        }
        try inDirectory(["tokenizer_config.json": "{}"]) { directory in
            #expect(throws: ChatTemplateFileError.missing(directory: directory.path)) { try render(directory) }
        }
        try inDirectory(["chat_template.json": #"{"chat_template": 3}"#]) { directory in
            #expect(throws: ChatTemplateFileError.self) { try render(directory) }
        }
        try inDirectory(["chat_template.json": "{"]) { directory in
            #expect(throws: ChatTemplateFileError.self) { try render(directory) }
        }
    }
}

@Suite("JSON")
struct JSONTests {
    @Test("Values keep the order of keys and the kind of numbers")
    func readsValues() throws {
        let text = #" {"z":1,"a":[-0,1.0,1e2,true,null,"\u00e9\ud83d\ude00\n\/"],"z":{"b":12345678901234567890}} "#
        #expect(
            try TemplateValue(json: text)
                == .mapping([
                    ("z", ["b": .largeInteger("12345678901234567890")]),
                    ("a", [0, 1.0, 100.0, true, nil, "é😀\n/"]),
                ]))
        guard case .mapping(let mapping) = try TemplateValue(json: text) else { return }
        #expect(mapping.keys == ["z", "a"])
        #expect(try TemplateValue(json: [0xEF, 0xBB, 0xBF] + Array("1".utf8)) == 1)
    }

    @Test(
        "What is not JSON is refused",
        arguments: [
            "", "{", "[1,]", "{\"a\" 1}", "{a: 1}", "01", "1.", ".5", "+1", "1e", "NaN", "nul", "\"a", "\"\\x\"",
            "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\u12g4\"", "\"\n\"", "1 2", "[1 2]", "'a'", "1e999", "\"\\u+123\"",
            String(repeating: "[", count: 100_000),
        ])
    func refusesOtherText(text: String) {
        #expect(throws: JSONSyntaxError.self) { try TemplateValue(json: text) }
    }

    @Test("Errors give line and column")
    func locatesErrors() {
        #expect(throws: JSONSyntaxError(line: 2, column: 6, message: "expected a value")) {
            try TemplateValue(json: "{\n\"a\": ?}")
        }
        #expect(throws: JSONSyntaxError.self) { try TemplateValue(json: [0x22, 0xFF, 0x22]) }
    }
}
