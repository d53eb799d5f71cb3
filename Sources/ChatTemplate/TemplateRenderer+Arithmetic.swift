import Foundation

extension TemplateRenderer {
    func negate(_ value: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        if let integer = value.asInteger { return try checked(Int(0).subtractingReportingOverflow(integer)) }
        if case .double(let double) = value { return .double(-double) }
        throw unsupported("-", value)
    }

    func arithmetic(
        _ operation: ArithmeticOperator, _ left: RuntimeValue, _ right: RuntimeValue
    ) throws(TemplateError) -> RuntimeValue {
        if let a = left.asInteger, let b = right.asInteger { return try integers(operation, a, b) }
        if let a = left.asNumber, let b = right.asNumber {
            for case .largeInteger in [left, right] { throw failure("an integer beyond 64 bits in arithmetic") }
            return try doubles(operation, a, b)
        }
        switch operation {
        case .add:
            if let sum = try joined(left, right) { return sum }
        case .multiply:
            if let count = right.asInteger, let product = try repeated(left, count) { return product }
            if let count = left.asInteger, let product = try repeated(right, count) { return product }
        default: break
        }
        throw unsupported(operation.rawValue, left, right)
    }

    private func checked(_ result: (partialValue: Int, overflow: Bool)) throws(TemplateError) -> RuntimeValue {
        if result.overflow { throw failure("an integer grows beyond 64 bits") }
        return .integer(result.partialValue)
    }

    private func integers(_ operation: ArithmeticOperator, _ a: Int, _ b: Int) throws(TemplateError) -> RuntimeValue {
        switch operation {
        case .add: return try checked(a.addingReportingOverflow(b))
        case .subtract: return try checked(a.subtractingReportingOverflow(b))
        case .multiply: return try checked(a.multipliedReportingOverflow(by: b))
        case .divide:
            if b == 0 { throw failure("division by zero") }
            return .double(Double(a) / Double(b))
        case .floorDivide:
            if b == 0 { throw failure("division by zero") }
            let quotient = a.dividedReportingOverflow(by: b)
            let isInexact = !quotient.overflow && a % b != 0 && (a < 0) != (b < 0)
            return try checked((quotient.partialValue - (isInexact ? 1 : 0), quotient.overflow))
        case .modulo:
            if b == 0 { throw failure("division by zero") }
            if b == -1 { return .integer(0) }
            let rest = a % b
            return .integer(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest)
        case .power: return try power(a, b)
        }
    }

    private func power(_ base: Int, _ exponent: Int) throws(TemplateError) -> RuntimeValue {
        if exponent < 0 {
            if base == 0 { throw failure("division by zero") }
            return .double(pow(Double(base), Double(exponent)))
        }
        if base == 0 || base == 1 || exponent == 0 { return .integer(exponent == 0 ? 1 : base) }
        if base == -1 { return .integer(exponent.isMultiple(of: 2) ? 1 : -1) }
        var result = (partialValue: 1, overflow: false)
        // Any other base overflows within 64 steps.
        for _ in 0..<min(exponent, 64) where !result.overflow {
            result = result.partialValue.multipliedReportingOverflow(by: base)
        }
        return try checked(result)
    }

    private func doubles(_ operation: ArithmeticOperator, _ a: Double, _ b: Double) throws(TemplateError)
        -> RuntimeValue
    {
        switch operation {
        case .add: return .double(a + b)
        case .subtract: return .double(a - b)
        case .multiply: return .double(a * b)
        case .power:
            let result = pow(a, b)
            if !result.isFinite, a.isFinite, b.isFinite { throw failure("a power grows beyond a number") }
            return .double(result)
        case .divide, .floorDivide, .modulo:
            if b == 0 { throw failure("division by zero") }
            if operation == .divide { return .double(a / b) }
            var rest = fmod(a, b)
            if rest != 0, (rest < 0) != (b < 0) { rest += b }
            if operation == .modulo { return .double(rest == 0 ? copysign(0, b) : rest) }
            return .double(((a - rest) / b).rounded())
        }
    }

    /// `+` of strings, lists or tuples; nil for anything else.
    private func joined(_ left: RuntimeValue, _ right: RuntimeValue) throws(TemplateError) -> RuntimeValue? {
        switch (left, right) {
        case (.string(let a), .string(let b)): return try made(a + b)
        case (.list(let a), .list(let b)): return try list(a.items + b.items)
        case (.tuple(let a), .tuple(let b)):
            return try made(.tuple(Elements(a.items + b.items)), count: a.items.count + b.items.count)
        default: return nil
        }
    }

    private func repeated(_ value: RuntimeValue, _ times: Int) throws(TemplateError) -> RuntimeValue? {
        let times = max(0, times)
        switch value {
        case .string(let text):
            let size = text.utf8.count.multipliedReportingOverflow(by: times)
            try checkText(bytes: size.overflow ? .max : size.partialValue)
            return .string(String(repeating: text, count: times))
        case .list(let elements), .tuple(let elements):
            let size = elements.items.count.multipliedReportingOverflow(by: times)
            try charge(size.overflow ? .max : size.partialValue)
            let items = Elements(Array(repeatElement(elements.items, count: times).joined()))
            if case .tuple = value { return .tuple(items) }
            return .list(items)
        default: return nil
        }
    }
}
