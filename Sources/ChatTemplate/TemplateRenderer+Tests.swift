extension TemplateRenderer {
    /// Tests that compare with one argument.
    private static let comparisons: [String: ComparisonOperator] = [
        "eq": .equal, "equalto": .equal, "==": .equal, "ne": .notEqual, "!=": .notEqual, "lt": .less,
        "lessthan": .less, "<": .less, "le": .lessOrEqual, "<=": .lessOrEqual, "gt": .greater,
        "greaterthan": .greater, ">": .greater, "ge": .greaterOrEqual, ">=": .greaterOrEqual, "in": .contained,
    ]

    private static let typeTests: Set = [
        "string", "none", "mapping", "sequence", "iterable", "number", "integer", "float", "boolean", "true", "false",
        "defined", "undefined", "callable",
    ]

    private static let otherTests: Set = ["odd", "even", "divisibleby", "lower", "upper", "sameas", "filter", "test"]

    func test(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> Bool {
        if let comparison = Self.comparisons[name] {
            let other = try BoundArguments(arguments, to: ["other"], of: name, in: self).required("other")
            return try holds(comparison, value, other)
        }
        if Self.typeTests.contains(name) {
            if !arguments.isEmpty { throw failure("the test '\(name)' takes no arguments") }
            return isOfType(name, value)
        }
        switch name {
        case "odd", "even", "divisibleby":
            let bound = try BoundArguments(arguments, to: ["num"], of: name, in: self)
            let divisor = name == "divisibleby" ? try bound.required("num") : .integer(2)
            let rest = try arithmetic(.modulo, value, divisor)
            return rest.equals(.integer(name == "odd" ? 1 : 0))
        case "lower", "upper": return try text(value).isUniformlyCased(upper: name == "upper")
        case "sameas":
            let other = try BoundArguments(arguments, to: ["other"], of: name, in: self).required("other")
            return value.typeName == other.typeName ? try areEqual(value, other) : false
        case "filter": return Self.filterNames.contains(try text(value))
        case "test":
            let name = try text(value)
            return Self.comparisons[name] != nil || Self.typeTests.contains(name) || Self.otherTests.contains(name)
        default: throw failure("the test '\(name)' is unknown, or not supported")
        }
    }

    private func isOfType(_ name: String, _ value: RuntimeValue) -> Bool {
        switch (name, value) {
        case ("undefined", .undefined), ("string", .string), ("none", .none), ("mapping", .mapping),
            ("boolean", .boolean), ("true", .boolean(true)), ("false", .boolean(false)), ("integer", .integer),
            ("integer", .largeInteger), ("float", .double):
            return true
        case ("defined", .undefined): return false
        case ("defined", _): return true
        case ("number", .boolean), ("number", .integer), ("number", .largeInteger), ("number", .double): return true
        // Jinja's undefined has a length and can be iterated over and called, each with its own result.
        case ("sequence", .string), ("sequence", .list), ("sequence", .tuple), ("sequence", .mapping),
            ("sequence", .undefined):
            return true
        case ("iterable", .string), ("iterable", .list), ("iterable", .tuple), ("iterable", .mapping),
            ("iterable", .undefined), ("iterable", .iterator), ("iterable", .loop):
            return true
        case ("callable", .function), ("callable", .method), ("callable", .macro), ("callable", .undefined),
            ("callable", .loop):
            return true
        default: return false
        }
    }
}
