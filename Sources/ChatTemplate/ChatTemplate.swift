/// A chat template: Jinja2 as Transformers runs it, turning a conversation into the text of a prompt.
///
/// Rendering is bounded: a template that loops, grows or nests beyond reason throws instead.
package struct ChatTemplate: Sendable {
    private let statements: [Statement]
    /// The template for conversations with tools, where a checkpoint has one of its own.
    private let toolStatements: [Statement]?
    /// Whether the template itself prints tools.
    package let knowsTools: Bool
    /// What every rendering sees besides its arguments: the special tokens (`bos_token`, `eos_token`…).
    package var variables: [String: TemplateValue]

    /// Parses a template.
    /// - Throws: ``TemplateError`` of kind `syntax` or `limit`.
    package init(
        source: String, toolSource: String? = nil, variables: [String: TemplateValue] = [:]
    ) throws(TemplateError) {
        statements = try TemplateParser.parse(source)
        toolStatements = try toolSource.map { (source) throws(TemplateError) in try TemplateParser.parse(source) }
        // A template that prints tools has to name the variable.
        knowsTools = toolSource != nil || source.contains("tools")
        self.variables = variables
    }

    /// The text of a conversation.
    /// - Parameters:
    ///   - messages: mappings with `role`, `content` and whatever else the template reads.
    ///   - tools: the schemas of the tools the model may call; nil gives the template `none`.
    ///   - addGenerationPrompt: whether the assistant's turn is opened at the end.
    ///   - extra: further variables, for example `add_vision_id`; they win over all others but the three above.
    /// - Throws: ``TemplateError``; of kind `raised` when the template itself refuses the conversation.
    package func render(
        messages: [TemplateValue], tools: [TemplateValue]? = nil, addGenerationPrompt: Bool,
        extra: [String: TemplateValue] = [:]
    ) throws(TemplateError) -> String {
        var all = variables.merging(extra) { $1 }
        all["messages"] = .list(messages)
        all["tools"] = tools.map { .list($0) } ?? .null
        all["documents"] = extra["documents"] ?? .null
        all["add_generation_prompt"] = .boolean(addGenerationPrompt)
        let renderer = TemplateRenderer(variables: all.mapValues { RuntimeValue($0) })
        let chosen = tools == nil ? statements : toolStatements ?? statements
        return try renderer.render(chosen)
    }
}
