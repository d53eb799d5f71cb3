/// Evaluated arguments of a call, a filter or a test.
struct CallArguments {
    var positional: [RuntimeValue] = []
    var named: [String: RuntimeValue] = [:]

    var isEmpty: Bool { positional.isEmpty && named.isEmpty }
}

/// Arguments bound to the names of parameters.
struct BoundArguments {
    private let values: [String: RuntimeValue]
    private let renderer: TemplateRenderer

    init(
        _ arguments: CallArguments, to names: [String], of function: String, in renderer: TemplateRenderer
    ) throws(TemplateError) {
        guard arguments.positional.count <= names.count else {
            throw renderer.failure(
                "'\(function)' takes at most \(names.count) arguments, found \(arguments.positional.count)")
        }
        var values = Dictionary(zip(names, arguments.positional)) { first, _ in first }
        for (name, value) in arguments.named {
            guard names.contains(name) else { throw renderer.failure("'\(function)' has no argument '\(name)'") }
            if values[name] != nil { throw renderer.failure("the argument '\(name)' of '\(function)' is given twice") }
            values[name] = value
        }
        self.values = values
        self.renderer = renderer
    }

    subscript(name: String) -> RuntimeValue? { values[name] }

    /// Nil when absent or none.
    func optional(_ name: String) -> RuntimeValue? {
        if case .none? = values[name] { nil } else { values[name] }
    }

    func isTrue(_ name: String) -> Bool { values[name]?.isTrue ?? false }

    func required(_ name: String) throws(TemplateError) -> RuntimeValue {
        guard let value = values[name] else { throw renderer.failure("the argument '\(name)' is missing") }
        return value
    }

    func integer(_ name: String, default fallback: Int) throws(TemplateError) -> Int {
        guard let value = optional(name) else { return fallback }
        guard let integer = value.asInteger else { throw renderer.failure("the argument '\(name)' is not an integer") }
        return integer
    }

    func string(_ name: String) throws(TemplateError) -> String {
        guard case .string(let text) = try required(name) else {
            throw renderer.failure("the argument '\(name)' is not a string")
        }
        return text
    }
}
