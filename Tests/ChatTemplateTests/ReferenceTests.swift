import ChatTemplate
import Foundation
import Testing

/// What Jinja2 gave for a template, set up as Transformers does.
struct ReferenceCase: Sendable, CustomTestStringConvertible {
    let name: String
    let template: String
    let variables: OrderedMapping<TemplateValue>
    /// nil: the reference fails.
    let output: String?

    var testDescription: String { name }

    static let all: [ReferenceCase] = {
        guard let url = Bundle.module.url(forResource: "jinja", withExtension: "json", subdirectory: "Fixtures"),
            let document = try? TemplateValue(json: Data(contentsOf: url)), case .list(let items)? = document["cases"],
            let sets = document["sets"], let templates = document["templates"]
        else { return [] }
        return items.compactMap { item in
            guard case .string(let name)? = item["name"], case .string(let source)? = item["template"],
                case .list(let names)? = item["variables"]
            else { return nil }
            var variables = OrderedMapping<TemplateValue>()
            for case .string(let name) in names {
                guard case .mapping(let members)? = sets[name] else { return nil }
                for (key, value) in members { variables[key] = value }
            }
            let template = if case .string(let named)? = templates[source] { named } else { source }
            let output: String? = if case .string(let text)? = item["output"] { text } else { nil }
            return ReferenceCase(name: name, template: template, variables: variables, output: output)
        }
    }()

    func render() throws -> String {
        let template = try ChatTemplate(source: template)
        guard case .list(let messages)? = variables["messages"] else {
            let extra = Dictionary(uniqueKeysWithValues: variables.map { ($0, $1) })
            return try template.render(messages: [], addGenerationPrompt: false, extra: extra)
        }
        let tools: [TemplateValue]? = if case .list(let tools)? = variables["tools"] { tools } else { nil }
        var extra: [String: TemplateValue] = [:]
        for (name, value) in variables where !["messages", "tools", "add_generation_prompt"].contains(name) {
            extra[name] = value
        }
        return try template.render(
            messages: messages, tools: tools, addGenerationPrompt: variables["add_generation_prompt"] == .boolean(true),
            extra: extra)
    }
}

@Suite("Jinja2 as Transformers runs it")
struct ReferenceTests {
    @Test("The fixture holds cases of both kinds")
    func fixtureIsRead() {
        #expect(ReferenceCase.all.count > 400)
        #expect(ReferenceCase.all.contains { $0.output == nil })
    }

    @Test("Templates render the same bytes, or fail as well")
    func rendersTheSame() {
        for reference in ReferenceCase.all {
            let output = try? reference.render()
            if let output, let expected = reference.output {
                #expect(output.utf8.elementsEqual(expected.utf8), "\(reference.name): \(output) is not \(expected)")
            } else if let expected = reference.output {
                #expect(throws: Never.self, "\(reference.name): should give \(expected)") { _ = try reference.render() }
            } else {
                #expect(output == nil, "\(reference.name) fails in Jinja2")
            }
        }
    }
}
