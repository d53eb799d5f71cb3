extension TemplateParser {
    /// One expression, or several separated by commas, which make a tuple.
    mutating func tupleOrExpression(conditional: Bool = true) throws(TemplateError) -> Expression {
        let line = line
        var items: [Expression] = []
        var isTuple = false
        while true {
            if isTuple, isTupleEnd { break }
            items.append(conditional ? try expression() : try disjunction())
            guard take(symbol: ",") else { break }
            isTuple = true
        }
        return isTuple ? Expression(line: line, kind: .tuple(items)) : items[0]
    }

    private var isTupleEnd: Bool {
        current == .variableEnd || current == .blockEnd || current == .symbol(")")
    }

    mutating func expression() throws(TemplateError) -> Expression {
        try nested { (parser) throws(TemplateError) in
            let line = parser.line
            var result = try parser.disjunction()
            while parser.take(word: "if") {
                let test = try parser.disjunction()
                let otherwise = parser.take(word: "else") ? try parser.expression() : nil
                result = Expression(line: line, kind: .conditional(test: test, then: result, otherwise: otherwise))
                try parser.grow()
            }
            return result
        }
    }

    /// Counts a level that stays until the enclosing bracket ends: for left-recursive chains.
    private mutating func grow() throws(TemplateError) {
        depth += 1
        if depth > TemplateLimits.syntaxDepth {
            throw TemplateError(.limit, line: line, "nested deeper than \(TemplateLimits.syntaxDepth) levels")
        }
    }

    private mutating func disjunction() throws(TemplateError) -> Expression {
        let line = line
        var items = [try conjunction()]
        while take(word: "or") { items.append(try conjunction()) }
        return items.count == 1 ? items[0] : Expression(line: line, kind: .or(items))
    }

    private mutating func conjunction() throws(TemplateError) -> Expression {
        let line = line
        var items = [try negation()]
        while take(word: "and") { items.append(try negation()) }
        return items.count == 1 ? items[0] : Expression(line: line, kind: .and(items))
    }

    private mutating func negation() throws(TemplateError) -> Expression {
        let line = line
        guard take(word: "not") else { return try comparison() }
        let operand = try nested { (parser) throws(TemplateError) in try parser.negation() }
        return Expression(line: line, kind: .not(operand))
    }

    private mutating func comparison() throws(TemplateError) -> Expression {
        let line = line
        let first = try sum()
        var rest: [(ComparisonOperator, Expression)] = []
        while let comparison = takeComparison() { rest.append((comparison, try sum())) }
        return rest.isEmpty ? first : Expression(line: line, kind: .comparison(first, rest))
    }

    private mutating func takeComparison() -> ComparisonOperator? {
        switch current {
        case .symbol(let symbol):
            guard let comparison = ComparisonOperator(rawValue: symbol) else { return nil }
            advance()
            return comparison
        case .name("in"):
            advance()
            return .contained
        case .name("not") where following == .name("in"):
            advance()
            advance()
            return .notContained
        default: return nil
        }
    }

    private mutating func chain(
        _ operators: Set<ArithmeticOperator>,
        _ operand: (inout TemplateParser) throws(TemplateError) -> Expression
    ) throws(TemplateError) -> Expression {
        let line = line
        let first = try operand(&self)
        var rest: [(ArithmeticOperator, Expression)] = []
        while case .symbol(let symbol) = current, let found = ArithmeticOperator(rawValue: symbol),
            operators.contains(found)
        {
            advance()
            rest.append((found, try operand(&self)))
        }
        return rest.isEmpty ? first : Expression(line: line, kind: .arithmetic(first, rest))
    }

    private mutating func sum() throws(TemplateError) -> Expression {
        try chain([.add, .subtract]) { (parser) throws(TemplateError) in try parser.concatenation() }
    }

    private mutating func concatenation() throws(TemplateError) -> Expression {
        let line = line
        var items = [try product()]
        while take(symbol: "~") { items.append(try product()) }
        return items.count == 1 ? items[0] : Expression(line: line, kind: .concatenation(items))
    }

    private mutating func product() throws(TemplateError) -> Expression {
        try chain([.multiply, .divide, .floorDivide, .modulo]) { (parser) throws(TemplateError) in
            try parser.chain([.power]) { (parser) throws(TemplateError) in try parser.unary(filters: true) }
        }
    }

    private mutating func unary(filters: Bool) throws(TemplateError) -> Expression {
        let line = line
        let outer = depth
        defer { depth = outer }
        var node: Expression
        if take(symbol: "-") {
            try grow()
            node = Expression(line: line, kind: .negative(try unary(filters: false)))
        } else if take(symbol: "+") {
            try grow()
            node = Expression(line: line, kind: .positive(try unary(filters: false)))
        } else {
            node = try primary()
        }
        node = try postfix(node)
        return filters ? try filtersAndTests(node) : node
    }

    // MARK: Primaries

    private mutating func primary() throws(TemplateError) -> Expression {
        let line = line
        switch current {
        case .name(let name):
            advance()
            if let constant = Self.constants[name] { return Expression(line: line, kind: .literal(constant)) }
            return Expression(line: line, kind: .name(name))
        case .string(var text):
            advance()
            while case .string(let more) = current {
                advance()
                text += more
            }
            return Expression(line: line, kind: .literal(.string(text)))
        case .integer(let value):
            advance()
            return Expression(line: line, kind: .literal(.integer(value)))
        case .float(let value):
            advance()
            return Expression(line: line, kind: .literal(.double(value)))
        case .symbol("("): return try parenthesized()
        case .symbol("["): return Expression(line: line, kind: .list(try listItems()))
        case .symbol("{"): return try dictionary()
        default: throw failure("expected an expression, found \(current.description)")
        }
    }

    private mutating func parenthesized() throws(TemplateError) -> Expression {
        let line = line
        advance()
        if take(symbol: ")") { return Expression(line: line, kind: .tuple([])) }
        let result = try tupleOrExpression()
        try expect(.symbol(")"))
        return result
    }

    private mutating func listItems() throws(TemplateError) -> [Expression] {
        advance()
        var items: [Expression] = []
        while !take(symbol: "]") {
            if !items.isEmpty {
                try expect(.symbol(","))
                if take(symbol: "]") { break }
            }
            items.append(try expression())
        }
        return items
    }

    private mutating func dictionary() throws(TemplateError) -> Expression {
        let line = line
        advance()
        var items: [(key: Expression, value: Expression)] = []
        while !take(symbol: "}") {
            if !items.isEmpty {
                try expect(.symbol(","))
                if take(symbol: "}") { break }
            }
            let key = try expression()
            try expect(.symbol(":"))
            items.append((key, try expression()))
        }
        return Expression(line: line, kind: .dictionary(items))
    }

    // MARK: What follows a primary

    private mutating func postfix(_ base: Expression) throws(TemplateError) -> Expression {
        var node = base
        while true {
            let line = line
            switch current {
            case .symbol("."):
                advance()
                node = Expression(line: line, kind: try member(of: node))
            case .symbol("["):
                advance()
                node = Expression(line: line, kind: try subscripted(node))
                try expect(.symbol("]"))
            case .symbol("("): node = Expression(line: line, kind: .call(node, try arguments()))
            default: return node
            }
            try grow()
        }
    }

    private mutating func member(of node: Expression) throws(TemplateError) -> Expression.Kind {
        if case .integer(let index) = current {
            let key = Expression(line: line, kind: .literal(.integer(index)))
            advance()
            return .item(node, key)
        }
        return .attribute(node, try expectName())
    }

    private mutating func subscripted(_ node: Expression) throws(TemplateError) -> Expression.Kind {
        var bounds: [Expression?] = [nil]
        if current != .symbol(":") {
            let key = try expression()
            if current != .symbol(":") { return .item(node, key) }
            bounds = [key]
        }
        while bounds.count < 3, take(symbol: ":") {
            let isEmpty = current == .symbol(":") || current == .symbol("]")
            bounds.append(isEmpty ? nil : try expression())
        }
        return .slice(
            node, SliceBounds(start: bounds[0], stop: bounds[1], step: bounds.count > 2 ? bounds[2] : nil))
    }

    private mutating func arguments() throws(TemplateError) -> Arguments {
        try expect(.symbol("("))
        var arguments = Arguments()
        var isFirst = true
        while !take(symbol: ")") {
            if !isFirst {
                try expect(.symbol(","))
                if take(symbol: ")") { break }
            }
            isFirst = false
            if case .name(let name) = current, following == .symbol("=") {
                advance()
                advance()
                arguments.named.append((name, try expression()))
            } else if !arguments.named.isEmpty {
                throw failure("a positional argument follows a named one")
            } else {
                arguments.positional.append(try expression())
            }
        }
        return arguments
    }

    private mutating func filtersAndTests(_ base: Expression) throws(TemplateError) -> Expression {
        var node = base
        while true {
            let line = line
            if current == .symbol("|") {
                node = try filterChain(node, first: false)
            } else if take(word: "is") {
                node = try test(node, line: line)
            } else if current == .symbol("(") {
                node = Expression(line: line, kind: .call(node, try arguments()))
            } else {
                return node
            }
            try grow()
        }
    }

    /// `|name(arguments)` any number of times; of the first the bar is left out in `{% filter name %}`.
    mutating func filterChain(_ base: Expression, first: Bool) throws(TemplateError) -> Expression {
        var node = base
        var isFirst = first
        while isFirst || take(symbol: "|") {
            isFirst = false
            let line = line
            let name = try expectName()
            let arguments = current == .symbol("(") ? try arguments() : Arguments()
            node = Expression(line: line, kind: .filter(node, name, arguments))
            try grow()
        }
        return node
    }

    private mutating func test(_ node: Expression, line: Int) throws(TemplateError) -> Expression {
        let isNegated = take(word: "not")
        let name = try expectName()
        var arguments = Arguments()
        if current == .symbol("(") {
            arguments = try self.arguments()
        } else if startsTestArgument {
            arguments.positional = [try postfix(try primary())]
        }
        let test = Expression(line: line, kind: .test(node, name, arguments))
        return isNegated ? Expression(line: line, kind: .not(test)) : test
    }

    /// Whether the token can begin the bare argument of a test, as in `x is divisibleby 3`.
    private var startsTestArgument: Bool {
        switch current {
        case .name(let name): !["else", "or", "and", "is", "if", "in", "not"].contains(name)
        case .string, .integer, .float, .symbol("["), .symbol("{"): true
        default: false
        }
    }
}
