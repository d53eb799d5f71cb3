/// Runs a parsed template once: Jinja's semantics, on values that never change in place.
final class TemplateRenderer {
    private enum Flow {
        case next, breakLoop, continueLoop
    }

    /// The line of what is being evaluated, for errors.
    var line = 1
    private var steps = 0
    private var depth = 0
    private var output = ""
    var scope: Scope
    /// The rendered body while its block's filters run.
    var body = RuntimeValue.none
    // Namespaces and macros can refer to themselves: their contents are dropped at the end.
    private var namespaces: [NamespaceBox] = []
    private var macroScopes: [Scope] = []

    init(variables: [String: RuntimeValue]) {
        let globals = Scope(parent: nil)
        for function in BuiltinFunction.allCases { globals.variables[function.rawValue] = .function(function) }
        globals.variables.merge(variables) { $1 }
        scope = Scope(parent: globals)
    }

    func render(_ statements: [Statement]) throws(TemplateError) -> String {
        defer {
            for namespace in namespaces { namespace.attributes = [:] }
            for scope in macroScopes { scope.variables = [:] }
        }
        _ = try run(statements)
        return output
    }

    // MARK: Bounds

    func failure(_ message: String) -> TemplateError { TemplateError(.evaluation, line: line, message) }

    func charge(_ work: Int) throws(TemplateError) {
        let (sum, overflows) = steps.addingReportingOverflow(work)
        steps = sum
        if overflows || steps > TemplateLimits.steps {
            throw TemplateError(.limit, line: line, "the template takes too many steps")
        }
    }

    func checkText(bytes: Int) throws(TemplateError) {
        if bytes > TemplateLimits.textBytes {
            throw TemplateError(.limit, line: line, "a text grows beyond \(TemplateLimits.textBytes) bytes")
        }
        try charge(bytes >> 6)
    }

    func made(_ text: String) throws(TemplateError) -> RuntimeValue {
        try checkText(bytes: text.utf8.count)
        return .string(text)
    }

    /// Checks a value that was put together from others.
    func made(_ value: RuntimeValue, count: Int) throws(TemplateError) -> RuntimeValue {
        try charge(count)
        if value.extent.depth > TemplateLimits.valueDepth {
            throw TemplateError(
                .limit, line: line, "lists and mappings nest deeper than \(TemplateLimits.valueDepth) levels")
        }
        return value
    }

    func list(_ items: [RuntimeValue]) throws(TemplateError) -> RuntimeValue {
        try made(.list(Elements(items)), count: items.count)
    }

    func iterator(_ items: [RuntimeValue]) throws(TemplateError) -> RuntimeValue {
        try made(.iterator(IteratorBox(items)), count: items.count)
    }

    func deeper<Result>(_ body: () throws(TemplateError) -> Result) throws(TemplateError) -> Result {
        depth += 1
        defer { depth -= 1 }
        if depth > TemplateLimits.evaluationDepth {
            throw TemplateError(
                .limit, line: line, "evaluation nests deeper than \(TemplateLimits.evaluationDepth) levels")
        }
        try charge(1)
        return try body()
    }

    /// The text of a value, as printing gives it.
    func text(_ value: RuntimeValue) throws(TemplateError) -> String {
        if case .string(let text) = value { return text }
        try checkText(bytes: value.extent.bytes)
        guard let text = value.text else { throw failure("a \(value.typeName) cannot be printed") }
        return text
    }

    // MARK: Statements

    private func run(_ statements: [Statement]) throws(TemplateError) -> Flow {
        for statement in statements {
            line = statement.line
            let flow = try deeper { () throws(TemplateError) in try run(statement) }
            if flow != .next { return flow }
        }
        return .next
    }

    private func run(_ statement: Statement) throws(TemplateError) -> Flow {
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expression): try write(text(evaluate(expression)))
        case .condition(let branches, let otherwise): return try run(branches, otherwise: otherwise)
        case .loop(let loop): return try run(loop)
        case .set(let target, let expression): try assign(evaluate(expression), to: target)
        case .setBlock(let target, let filters, let statements):
            try assign(filtered(statements, filters), to: target)
        case .macro(let definition):
            macroScopes.append(scope)
            scope.variables[definition.name] = .macro(Macro(definition, scope: scope))
        case .with(let assignments, let statements): return try run(assignments, statements)
        case .filterBlock(let filters, let statements): try write(text(filtered(statements, filters)))
        case .scope(let statements): try write(captured(in: Scope(parent: scope), statements))
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .next
    }

    private func write(_ text: String) throws(TemplateError) {
        try charge(text.utf8.count >> 6)
        output += text
        if output.utf8.count > TemplateLimits.textBytes { try checkText(bytes: output.utf8.count) }
    }

    private func run(
        _ branches: [(test: Expression, body: [Statement])], otherwise: [Statement]
    ) throws(TemplateError) -> Flow {
        for (test, statements) in branches where try evaluate(test).isTrue { return try run(statements) }
        return try run(otherwise)
    }

    private func run(_ assignments: [(AssignmentTarget, Expression)], _ statements: [Statement]) throws(TemplateError)
        -> Flow
    {
        let outer = scope
        let inner = Scope(parent: outer)
        for (target, expression) in assignments {
            let value = try evaluate(expression)
            scope = inner
            defer { scope = outer }
            try assign(value, to: target)
        }
        scope = inner
        defer { scope = outer }
        return try run(statements)
    }

    /// What the statements print, in a scope of their own.
    func captured(in inner: Scope, _ statements: [Statement]) throws(TemplateError) -> String {
        let (outerOutput, outerScope) = (output, scope)
        (output, scope) = ("", inner)
        defer { (output, scope) = (outerOutput, outerScope) }
        _ = try run(statements)
        return output
    }

    private func filtered(_ statements: [Statement], _ filters: Expression) throws(TemplateError) -> RuntimeValue {
        let outer = body
        defer { body = outer }
        body = .string(try captured(in: Scope(parent: scope), statements))
        return try evaluate(filters)
    }

    private func run(_ loop: LoopStatement) throws(TemplateError) -> Flow {
        let outer = scope
        defer { scope = outer }
        let items = try elements(of: evaluate(loop.iterable))
        var filter: LoopState.Filter?
        if let test = loop.test {
            filter = { [unowned self] (item) throws(TemplateError) in
                let here = self.scope
                self.scope = Scope(parent: outer)
                defer { self.scope = here }
                try self.assign(item, to: loop.target)
                return try self.evaluate(test).isTrue
            }
        }
        let state = LoopState(items, filter: filter)
        defer { state.finish() }
        while let item = try state.advance() {
            scope = Scope(parent: outer)
            scope.variables["loop"] = .loop(state)
            try assign(item, to: loop.target)
            try charge(1)
            if try run(loop.body) == .breakLoop { break }
        }
        scope = outer
        if state.index0 < 0 { return try run(loop.otherwise) }
        return .next
    }

    // MARK: Assignment

    func assign(_ value: RuntimeValue, to target: AssignmentTarget) throws(TemplateError) {
        switch target {
        case .name(let name): scope.variables[name] = value
        case .attribute(let name, let attribute):
            guard case .namespace(let namespace)? = scope.lookup(name) else {
                throw failure("'\(name)' is not a namespace: its attributes cannot be set")
            }
            namespace.attributes[attribute] = value
        case .tuple(let targets):
            let items = try elements(of: value)
            guard items.count == targets.count else {
                throw failure("expected \(targets.count) values to unpack, found \(items.count)")
            }
            for (target, item) in zip(targets, items) { try assign(item, to: target) }
        }
    }

    func makeNamespace(_ attributes: [String: RuntimeValue]) -> RuntimeValue {
        let namespace = NamespaceBox(attributes)
        namespaces.append(namespace)
        return .namespace(namespace)
    }

    /// What iteration over the value gives.
    func elements(of value: RuntimeValue) throws(TemplateError) -> [RuntimeValue] {
        switch value {
        case .undefined: return []
        case .list(let elements), .tuple(let elements): return elements.items
        case .mapping(let members): return members.mapping.keys.map { .string($0) }
        case .iterator(let box): return box.take()
        case .string(let text):
            try charge(text.utf8.count)
            return text.unicodeScalars.map { .string(String($0)) }
        default: throw failure("a \(value.typeName) cannot be iterated over")
        }
    }
}
