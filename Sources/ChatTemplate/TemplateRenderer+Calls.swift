import Foundation

extension TemplateRenderer {
    func call(_ callee: RuntimeValue, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        switch callee {
        case .undefined(let reason): throw failure(reason)
        case .macro(let macro): return try call(macro, arguments)
        case .function(let function): return try call(function, arguments)
        case .method(let receiver, let name):
            switch receiver {
            case .string(let text): return try callMethod(name, of: text, arguments)
            case .mapping(let members): return try callMethod(name, of: members.mapping, receiver, arguments)
            case .list(let elements), .tuple(let elements):
                return try callMethod(name, of: elements, receiver, arguments)
            case .loop(let state): return try callMethod(name, of: state, arguments)
            default: throw failure("a \(receiver.typeName) has no method '\(name)'")
            }
        default: throw failure("a \(callee.typeName) cannot be called")
        }
    }

    private func call(_ macro: Macro, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        let definition = macro.definition
        let bound = try BoundArguments(
            arguments, to: definition.parameters.map(\.name), of: definition.name, in: self)
        let inner = Scope(parent: macro.scope)
        for (name, fallback) in definition.parameters {
            if let value = bound[name] {
                inner.variables[name] = value
            } else if let fallback {
                // A default sees the arguments before it.
                let outer = scope
                scope = inner
                defer { scope = outer }
                inner.variables[name] = try evaluate(fallback)
            } else {
                inner.variables[name] = .undefined("parameter '\(name)' was not provided")
            }
        }
        return .string(try captured(in: inner, definition.body))
    }

    private func call(_ function: BuiltinFunction, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        switch function {
        case .range: return try range(arguments)
        case .namespace:
            return makeNamespace(try members(arguments, of: "namespace").reduce(into: [:]) { $0[$1.0] = $1.1 })
        case .dict:
            let mapping = try members(arguments, of: "dict")
            return try made(.mapping(Members(mapping)), count: mapping.count)
        case .raiseException:
            let bound = try BoundArguments(arguments, to: ["message"], of: function.rawValue, in: self)
            throw TemplateError(.raised, line: line, try text(bound.required("message")))
        case .currentTime:
            let bound = try BoundArguments(arguments, to: ["format"], of: function.rawValue, in: self)
            return try made(localTime(bound.string("format")))
        }
    }

    /// The members of an optional mapping and of the named arguments.
    private func members(
        _ arguments: CallArguments, of function: String
    ) throws(TemplateError) -> OrderedMapping<RuntimeValue> {
        var result = OrderedMapping<RuntimeValue>()
        if let first = arguments.positional.first {
            guard case .mapping(let members) = first, arguments.positional.count == 1 else {
                throw failure("'\(function)' takes one mapping and named arguments")
            }
            result = members.mapping
        }
        for (name, value) in arguments.named.sorted(by: { $0.key < $1.key }) { result[name] = value }
        return result
    }

    private func range(_ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        var bounds: [Int] = []
        for value in arguments.positional {
            guard let integer = value.asInteger else {
                throw failure("'range' takes integers, not a \(value.typeName)")
            }
            bounds.append(integer)
        }
        guard (1...3).contains(bounds.count), arguments.named.isEmpty else {
            throw failure("'range' takes 1 to 3 integers")
        }
        let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        let step = bounds.count == 3 ? bounds[2] : 1
        if step == 0 { throw failure("the step of a range cannot be 0") }
        var items: [RuntimeValue] = []
        for number in stride(from: start, to: stop, by: step) {
            if items.count == TemplateLimits.rangeCount {
                throw TemplateError(.limit, line: line, "a range has more than \(TemplateLimits.rangeCount) numbers")
            }
            items.append(.integer(number))
        }
        return try list(items)
    }

    private func localTime(_ format: String) throws(TemplateError) -> String {
        if format.isEmpty { return "" }
        var seconds = time(nil)
        var parts = tm()
        localtime_r(&seconds, &parts)
        // A format can ask for any width ("%999d"): the buffer bounds it.
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = strftime(&buffer, buffer.count, format, &parts)
        guard count > 0, let text = String(validating: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        else { throw failure("the format of 'strftime_now' gives no text, or too much") }
        return text
    }

    private func callMethod(
        _ name: String, of state: LoopState, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        if name == "changed" {
            defer { state.lastSeen = arguments.positional }
            guard let last = state.lastSeen, last.count == arguments.positional.count else { return .boolean(true) }
            for (a, b) in zip(last, arguments.positional) where try !areEqual(a, b) { return .boolean(true) }
            return .boolean(false)
        }
        if arguments.positional.isEmpty { throw failure("no items for cycling given") }
        return arguments.positional[state.index0 % arguments.positional.count]
    }
}
