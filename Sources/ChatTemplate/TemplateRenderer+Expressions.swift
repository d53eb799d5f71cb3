extension TemplateRenderer {
    func evaluate(_ expression: Expression) throws(TemplateError) -> RuntimeValue {
        try deeper { () throws(TemplateError) in
            let outer = line
            line = expression.line
            let value = try evaluate(expression.kind)
            line = outer
            return value
        }
    }

    private func evaluate(_ kind: Expression.Kind) throws(TemplateError) -> RuntimeValue {
        switch kind {
        case .literal(let value): return RuntimeValue(value)
        case .name(let name): return scope.lookup(name) ?? .undefined("'\(name)' is undefined")
        case .body: return body
        case .list(let items): return try list(evaluate(items))
        case .tuple(let items): return try made(.tuple(Elements(evaluate(items))), count: items.count)
        case .dictionary(let items): return try dictionary(items)
        case .attribute(let object, let name): return try attribute(name, of: evaluate(object))
        case .item(let object, let key): return try item(evaluate(object), evaluate(key))
        case .slice(let object, let bounds): return try slice(evaluate(object), bounds)
        case .call(let callee, let arguments): return try call(evaluate(callee), evaluate(arguments))
        case .filter(let value, let name, let arguments):
            return try filter(name, evaluate(value), evaluate(arguments))
        case .test(let value, let name, let arguments):
            return .boolean(try test(name, evaluate(value), evaluate(arguments)))
        default: return try operation(kind)
        }
    }

    private func operation(_ kind: Expression.Kind) throws(TemplateError) -> RuntimeValue {
        switch kind {
        case .not(let operand): return .boolean(try !evaluate(operand).isTrue)
        case .negative(let operand): return try negate(evaluate(operand))
        case .positive(let operand):
            let value = try evaluate(operand)
            if let integer = value.asInteger { return .integer(integer) }
            if value.asNumber != nil { return value }
            throw unsupported("+", value)
        case .and(let items): return try firstDeciding(items, whenTrue: false)
        case .or(let items): return try firstDeciding(items, whenTrue: true)
        case .concatenation(let items): return try concatenate(items)
        case .arithmetic(let first, let rest):
            var result = try evaluate(first)
            for (operation, operand) in rest { result = try arithmetic(operation, result, evaluate(operand)) }
            return result
        case .comparison(let first, let rest): return try comparison(first, rest)
        case .conditional(let test, let then, let otherwise):
            if try evaluate(test).isTrue { return try evaluate(then) }
            if let otherwise { return try evaluate(otherwise) }
            return .undefined("the inline if-expression evaluated to false and no else section was defined.")
        default: preconditionFailure("every kind is handled")
        }
    }

    private func evaluate(_ items: [Expression]) throws(TemplateError) -> [RuntimeValue] {
        var values: [RuntimeValue] = []
        values.reserveCapacity(items.count)
        for item in items { values.append(try evaluate(item)) }
        return values
    }

    private func evaluate(_ arguments: Arguments) throws(TemplateError) -> CallArguments {
        var result = CallArguments(positional: try evaluate(arguments.positional))
        for (name, value) in arguments.named {
            if result.named[name] != nil { throw failure("the argument '\(name)' is given twice") }
            result.named[name] = try evaluate(value)
        }
        return result
    }

    private func dictionary(_ items: [(key: Expression, value: Expression)]) throws(TemplateError) -> RuntimeValue {
        var mapping = OrderedMapping<RuntimeValue>()
        for (key, value) in items {
            guard case .string(let name) = try evaluate(key) else {
                throw failure("only strings can be the keys of a mapping")
            }
            mapping[name] = try evaluate(value)
        }
        return try made(.mapping(Members(mapping)), count: items.count)
    }

    // MARK: Members

    /// `object.name`: methods first, then items, as in Jinja.
    func attribute(_ name: String, of object: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        switch object {
        case .undefined(let reason): throw failure(reason)
        case .namespace(let namespace):
            if let value = namespace.attributes[name], !name.hasPrefix("_") { return value }
        case .loop(let state):
            if let value = try state.attribute(name) { return value }
        case .mapping(let members):
            if Self.mappingMethods.contains(name) { return .method(object, name) }
            if Self.forbiddenMappingMethods.contains(name) { break }
            if let value = members.mapping[name] { return value }
        case .string:
            if Self.stringMethods.contains(name) { return .method(object, name) }
        case .list, .tuple:
            if Self.listMethods.contains(name) { return .method(object, name) }
        default: break
        }
        return .undefined("'\(object.typeName) object' has no attribute '\(name)'")
    }

    /// `object[key]`: items first, then methods, as in Jinja.
    func item(_ object: RuntimeValue, _ key: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        switch (object, key) {
        case (.undefined(let reason), _): throw failure(reason)
        case (.mapping(let members), .string(let name)):
            if let value = members.mapping[name] { return value }
            return try attribute(name, of: object)
        case (_, .string(let name)): return try attribute(name, of: object)
        case (.list(let elements), _), (.tuple(let elements), _):
            if let place = key.asInteger {
                let index = place < 0 ? place &+ elements.items.count : place
                if elements.items.indices.contains(index) { return elements.items[index] }
            }
        case (.string(let text), _):
            if let place = key.asInteger, let scalar = text.scalar(at: place) { return .string(String(scalar)) }
        default: break
        }
        let name = key.representation ?? key.typeName
        return .undefined("\(object.typeName) object has no element \(name)")
    }

    private func slice(_ object: RuntimeValue, _ bounds: SliceBounds) throws(TemplateError) -> RuntimeValue {
        let start = try bound(bounds.start)
        let stop = try bound(bounds.stop)
        let step = try bound(bounds.step) ?? 1
        if step == 0 { throw failure("the step of a slice cannot be 0") }
        func places(_ count: Int) -> StrideTo<Int> { slicePlaces(count, start: start, stop: stop, step: step) }
        switch object {
        case .undefined(let reason): throw failure(reason)
        case .list(let elements): return try list(places(elements.items.count).map { elements.items[$0] })
        case .tuple(let elements):
            let items = places(elements.items.count).map { elements.items[$0] }
            return try made(.tuple(Elements(items)), count: items.count)
        case .string(let text):
            try charge(text.utf8.count >> 2)
            let scalars = Array(text.unicodeScalars)
            var result = String.UnicodeScalarView()
            for place in places(scalars.count) { result.append(scalars[place]) }
            return try made(String(result))
        default: return .undefined("\(object.typeName) object has no slices")
        }
    }

    private func bound(_ expression: Expression?) throws(TemplateError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .none = value { return nil }
        guard let integer = value.asInteger else { throw failure("the bounds of a slice are integers or none") }
        return integer
    }

    // MARK: Operators

    private func firstDeciding(_ items: [Expression], whenTrue: Bool) throws(TemplateError) -> RuntimeValue {
        var value = RuntimeValue.none
        for item in items {
            value = try evaluate(item)
            if value.isTrue == whenTrue { break }
        }
        return value
    }

    private func concatenate(_ items: [Expression]) throws(TemplateError) -> RuntimeValue {
        var result = ""
        for item in items {
            result += try text(evaluate(item))
            if result.utf8.count > TemplateLimits.textBytes { break }
        }
        return try made(result)
    }

    private func comparison(
        _ first: Expression, _ rest: [(ComparisonOperator, Expression)]
    ) throws(TemplateError) -> RuntimeValue {
        var left = try evaluate(first)
        for (comparison, expression) in rest {
            let right = try evaluate(expression)
            guard try holds(comparison, left, right) else { return .boolean(false) }
            left = right
        }
        return .boolean(true)
    }

    func holds(
        _ comparison: ComparisonOperator, _ left: RuntimeValue, _ right: RuntimeValue
    ) throws(TemplateError) -> Bool {
        switch comparison {
        case .equal: return try areEqual(left, right)
        case .notEqual: return try !areEqual(left, right)
        case .less: return try precedes(left, right)
        case .greater: return try precedes(right, left)
        case .lessOrEqual:
            if try precedes(left, right) { return true }
            return try areEqual(left, right)
        case .greaterOrEqual:
            if try precedes(right, left) { return true }
            return try areEqual(left, right)
        case .contained: return try contains(right, left)
        case .notContained: return try !contains(right, left)
        }
    }

    func areEqual(_ left: RuntimeValue, _ right: RuntimeValue) throws(TemplateError) -> Bool {
        try charge(min(left.extent.bytes, right.extent.bytes) >> 6)
        return left.equals(right)
    }

    func precedes(_ left: RuntimeValue, _ right: RuntimeValue) throws(TemplateError) -> Bool {
        try charge(min(left.extent.bytes, right.extent.bytes) >> 6)
        if case .undefined(let reason) = left { throw failure(reason) }
        if case .undefined(let reason) = right { throw failure(reason) }
        guard let result = left.precedes(right) else {
            throw failure("\(left.typeName) and \(right.typeName) have no order")
        }
        return result
    }

    func contains(_ container: RuntimeValue, _ value: RuntimeValue) throws(TemplateError) -> Bool {
        switch (container, value) {
        case (.undefined, _): return false
        case (.string(let text), .string(let part)):
            try charge((text.utf8.count + part.utf8.count) >> 6)
            return ByteSearch(part).first(in: text) != nil
        case (.mapping(let members), .string(let key)): return members.mapping[key] != nil
        case (.mapping, .list), (.mapping, .mapping): throw failure("a \(value.typeName) cannot be a key")
        case (.mapping, _): return false
        case (.list(let elements), _), (.tuple(let elements), _):
            for item in elements.items where try areEqual(item, value) { return true }
            return false
        case (.iterator(let box), _):
            for item in box.take() where try areEqual(item, value) { return true }
            return false
        default: throw failure("'in' does not apply to \(value.typeName) and \(container.typeName)")
        }
    }

    func unsupported(_ name: String, _ operands: RuntimeValue...) -> TemplateError {
        for case .undefined(let reason) in operands { return failure(reason) }
        return failure("'\(name)' does not apply to \(operands.map(\.typeName).joined(separator: " and "))")
    }
}

/// The places a slice takes, by Python's rules.
private func slicePlaces(_ count: Int, start: Int?, stop: Int?, step: Int) -> StrideTo<Int> {
    let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
    func clamped(_ bound: Int?, _ absent: Int) -> Int {
        guard let bound else { return absent }
        return min(max(bound < 0 ? bound &+ count : bound, low), high)
    }
    let first = clamped(start, step > 0 ? low : high)
    let end = clamped(stop, step > 0 ? high : low)
    // A step beyond the length takes one element either way, and must not overflow.
    return stride(from: first, to: end, by: min(max(step, -count - 1), count + 1))
}

extension String {
    /// The code point at a place, from the end when negative.
    func scalar(at place: Int) -> Unicode.Scalar? {
        let scalars = unicodeScalars
        let origin = place < 0 ? scalars.endIndex : scalars.startIndex
        let limit = place < 0 ? scalars.startIndex : scalars.endIndex
        guard let index = scalars.index(origin, offsetBy: place, limitedBy: limit), index < scalars.endIndex else {
            return nil
        }
        return scalars[index]
    }
}
