/// What is wrong with a chat template, or with rendering it.
package struct TemplateError: Error, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// The text is not a template of the supported language.
        case syntax
        /// An expression has no value: an undefined variable's member, an operation on wrong types…
        case evaluation
        /// The template itself refused its input (`raise_exception`).
        case raised
        /// The template takes more work, output or nesting than any real one.
        case limit
    }

    package let kind: Kind
    /// 1-based line of the template.
    package let line: Int
    package let message: String

    package init(_ kind: Kind, line: Int, _ message: String) {
        self.kind = kind
        self.line = line
        self.message = message
    }

    package var description: String {
        kind == .raised ? "chat template: \(message)" : "chat template, line \(line): \(message)"
    }
}

/// Bounds that keep a hostile template from exhausting the process. Real templates stay far below all of them.
enum TemplateLimits {
    /// The longest template on the hub known to us has some 20 KB.
    static let sourceBytes = 1 << 20
    /// Text of one string and of the result. Long conversations have some MB.
    static let textBytes = 64 << 20
    /// Evaluated nodes, elements and 64-byte stretches of text. A conversation of 1000 messages takes 100,000.
    static let steps = 5_000_000
    /// Nested brackets and blocks in the source: parsing recurses within a thread stack of 512 KiB.
    static let syntaxDepth = 48
    /// Nested evaluation, recursive macros included, within the same stack.
    static let evaluationDepth = 192
    /// Nested lists and mappings, which are compared, printed and freed recursively. JSON documents have up to 128.
    static let valueDepth = 144
    /// As in Jinja's sandbox.
    static let rangeCount = 100_000
}
