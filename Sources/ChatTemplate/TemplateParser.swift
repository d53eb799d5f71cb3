/// Parses the statements of a template: the grammar of Jinja 3.1 with loop controls, less inheritance,
/// imports, call blocks and recursive loops, which no chat template can or does use.
struct TemplateParser {
    private let tokens: [LocatedToken]
    private var position = 0
    var depth = 0
    private var loopDepth = 0

    static func parse(_ source: String) throws(TemplateError) -> [Statement] {
        var parser = TemplateParser(tokens: try TemplateLexer.tokens(source))
        return try parser.statements(until: [])
    }

    private init(tokens: [LocatedToken]) { self.tokens = tokens }

    // MARK: Tokens

    var current: TemplateToken { tokens[position].token }
    var following: TemplateToken { tokens[min(position + 1, tokens.count - 1)].token }
    var line: Int { tokens[position].line }

    func failure(_ message: String) -> TemplateError { TemplateError(.syntax, line: line, message) }

    mutating func advance() { if position < tokens.count - 1 { position += 1 } }

    mutating func take(_ token: TemplateToken) -> Bool {
        guard current == token else { return false }
        advance()
        return true
    }

    mutating func take(symbol: String) -> Bool { take(.symbol(symbol)) }
    mutating func take(word: String) -> Bool { take(.name(word)) }

    mutating func expect(_ token: TemplateToken) throws(TemplateError) {
        if !take(token) { throw failure("expected \(token.description), found \(current.description)") }
    }

    mutating func expectName() throws(TemplateError) -> String {
        guard case .name(let name) = current else { throw failure("expected a name, found \(current.description)") }
        advance()
        return name
    }

    /// Runs one level deeper, within the limit.
    mutating func nested<Result>(
        _ body: (inout TemplateParser) throws(TemplateError) -> Result
    ) throws(TemplateError) -> Result {
        let outer = depth
        defer { depth = outer }
        depth += 1
        if depth > TemplateLimits.syntaxDepth {
            throw TemplateError(.limit, line: line, "nested deeper than \(TemplateLimits.syntaxDepth) levels")
        }
        return try body(&self)
    }

    // MARK: Statements

    /// Statements up to a tag of one of the names, whose name is then the current token; up to the end for none.
    private mutating func statements(until names: Set<String>) throws(TemplateError) -> [Statement] {
        try nested { (parser) throws(TemplateError) in
            var result: [Statement] = []
            let level = parser.depth
            while true {
                let line = parser.line
                parser.depth = level
                switch parser.current {
                case .data(let text):
                    parser.advance()
                    result.append(Statement(line: line, kind: .text(text)))
                case .variableBegin:
                    parser.advance()
                    result.append(Statement(line: line, kind: .output(try parser.tupleOrExpression())))
                    try parser.expect(.variableEnd)
                case .blockBegin:
                    parser.advance()
                    if case .name(let name) = parser.current, names.contains(name) { return result }
                    result.append(Statement(line: line, kind: try parser.statement()))
                    try parser.expect(.blockEnd)
                default:
                    if names.isEmpty { return result }
                    throw parser.failure("expected \(names.sorted().map { "'\($0)'" }.joined(separator: " or "))")
                }
            }
        }
    }

    /// The body of a block up to one of the names; the name itself is taken and returned.
    private mutating func body(until names: String...) throws(TemplateError) -> (body: [Statement], end: String) {
        _ = take(symbol: ":")
        try expect(.blockEnd)
        let body = try statements(until: Set(names))
        return (body, try expectName())
    }

    private mutating func statement() throws(TemplateError) -> Statement.Kind {
        let name = try expectName()
        switch name {
        case "if": return try condition()
        case "for": return try loop()
        case "set": return try set()
        case "macro": return try macro()
        case "with": return try with()
        case "filter":
            let filters = try filterChain(Expression(line: line, kind: .body), first: true)
            return .filterBlock(filters: filters, body: try body(until: "endfilter").body)
        case "generation": return .scope(try body(until: "endgeneration").body)
        case "break", "continue":
            if loopDepth == 0 { throw failure("'\(name)' outside of a loop") }
            return name == "break" ? .breakLoop : .continueLoop
        default: throw failure("the tag '\(name)' is unknown here, or not supported")
        }
    }

    private mutating func condition() throws(TemplateError) -> Statement.Kind {
        var branches: [(test: Expression, body: [Statement])] = []
        while true {
            let test = try tupleOrExpression(conditional: false)
            let (statements, end) = try body(until: "elif", "else", "endif")
            branches.append((test, statements))
            if end == "elif" { continue }
            let otherwise = end == "else" ? try body(until: "endif").body : []
            return .condition(branches, otherwise: otherwise)
        }
    }

    private mutating func loop() throws(TemplateError) -> Statement.Kind {
        let target = try assignmentTarget(namespaces: false)
        if !take(word: "in") { throw failure("expected 'in', found \(current.description)") }
        let iterable = try tupleOrExpression(conditional: false)
        let test = take(word: "if") ? try expression() : nil
        if current == .name("recursive") { throw failure("recursive loops are not supported") }
        loopDepth += 1
        let (statements, end) = try body(until: "endfor", "else")
        loopDepth -= 1
        let otherwise = end == "else" ? try body(until: "endfor").body : []
        return .loop(
            LoopStatement(target: target, iterable: iterable, test: test, body: statements, otherwise: otherwise))
    }

    private mutating func set() throws(TemplateError) -> Statement.Kind {
        let target = try assignmentTarget(namespaces: true)
        if take(symbol: "=") { return .set(target, try tupleOrExpression()) }
        let filters = try filterChain(Expression(line: line, kind: .body), first: false)
        return .setBlock(target, filters: filters, body: try body(until: "endset").body)
    }

    private mutating func macro() throws(TemplateError) -> Statement.Kind {
        let name = try expectName()
        var parameters: [(name: String, fallback: Expression?)] = []
        try expect(.symbol("("))
        while current != .symbol(")") {
            if !parameters.isEmpty { try expect(.symbol(",")) }
            let parameter = try expectName()
            if take(symbol: "=") {
                parameters.append((parameter, try expression()))
            } else if parameters.last?.fallback != nil {
                throw failure("the parameter '\(parameter)' needs a default, since one before it has one")
            } else {
                parameters.append((parameter, nil))
            }
        }
        advance()
        let outer = loopDepth
        loopDepth = 0
        let statements = try body(until: "endmacro").body
        loopDepth = outer
        return .macro(MacroDefinition(name: name, parameters: parameters, body: statements))
    }

    private mutating func with() throws(TemplateError) -> Statement.Kind {
        var assignments: [(AssignmentTarget, Expression)] = []
        while current != .blockEnd {
            if !assignments.isEmpty { try expect(.symbol(",")) }
            let target = AssignmentTarget.name(try expectName())
            try expect(.symbol("="))
            assignments.append((target, try expression()))
        }
        return .with(assignments, body: try body(until: "endwith").body)
    }

    // MARK: Targets

    private mutating func assignmentTarget(namespaces: Bool) throws(TemplateError) -> AssignmentTarget {
        var targets: [AssignmentTarget] = []
        var isTuple = false
        repeat {
            if current == .name("in") || current == .blockEnd || current == .symbol(")") { break }
            targets.append(try singleTarget(namespaces: namespaces))
            if current == .symbol(",") { isTuple = true }
        } while take(symbol: ",")
        if targets.isEmpty { throw failure("expected a name to assign to, found \(current.description)") }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func singleTarget(namespaces: Bool) throws(TemplateError) -> AssignmentTarget {
        if take(symbol: "(") {
            let target = try nested { (parser) throws(TemplateError) in
                try parser.assignmentTarget(namespaces: namespaces)
            }
            try expect(.symbol(")"))
            return target
        }
        let name = try expectName()
        if Self.constants[name] != nil { throw failure("'\(name)' cannot be assigned to") }
        if namespaces, take(symbol: ".") { return .attribute(of: name, try expectName()) }
        return .name(name)
    }

    static let constants: [String: TemplateValue] = [
        "true": .boolean(true), "True": .boolean(true), "false": .boolean(false), "False": .boolean(false),
        "none": .null, "None": .null,
    ]
}
