/// A value while a template runs: data, and what only a running template has.
enum RuntimeValue {
    /// Prints as nothing; the text says why it is undefined, for the error when a member of it is asked for.
    case undefined(String)
    case none
    case boolean(Bool)
    case integer(Int)
    /// The digits of an integer beyond 64 bits.
    case largeInteger(String)
    case double(Double)
    case string(String)
    case list(Elements)
    case tuple(Elements)
    case mapping(Members)
    /// What `map`, `select` and their like give: read once, always true, without a length.
    case iterator(IteratorBox)
    case namespace(NamespaceBox)
    case loop(LoopState)
    case macro(Macro)
    case function(BuiltinFunction)
    /// A method of a string or a mapping, not yet called.
    indirect case method(RuntimeValue, String)
}

/// How deep a value nests, and about how many bytes it prints: values are walked recursively, so both are bounded.
struct Extent {
    var depth = 1
    var bytes = 0

    init(_ values: some Sequence<RuntimeValue>) {
        for value in values {
            let extent = value.extent
            depth = max(depth, extent.depth + 1)
            add(extent.bytes)
        }
    }

    init(depth: Int, bytes: Int) {
        self.depth = depth
        self.bytes = bytes
    }

    /// A shared part counts each time: a list may hold the same list twice, and that one another twice…
    mutating func add(_ more: Int) {
        let (sum, overflows) = bytes.addingReportingOverflow(more)
        bytes = overflows ? .max : sum
    }
}

final class Elements {
    let items: [RuntimeValue]
    let extent: Extent

    init(_ items: [RuntimeValue]) {
        self.items = items
        extent = Extent(items)
    }
}

final class Members {
    let mapping: OrderedMapping<RuntimeValue>
    let extent: Extent

    init(_ mapping: OrderedMapping<RuntimeValue>) {
        self.mapping = mapping
        var extent = Extent(mapping.values)
        for key in mapping.keys { extent.add(key.utf8.count) }
        self.extent = extent
    }
}

final class IteratorBox {
    private var items: [RuntimeValue]
    let extent: Extent

    init(_ items: [RuntimeValue]) {
        self.items = items
        extent = Extent(items)
    }

    func take() -> [RuntimeValue] {
        defer { items = [] }
        return items
    }
}

final class NamespaceBox {
    var attributes: [String: RuntimeValue]
    init(_ attributes: [String: RuntimeValue]) { self.attributes = attributes }
}

/// The variables of one block; assignments go to the innermost one.
final class Scope {
    var variables: [String: RuntimeValue] = [:]
    let parent: Scope?

    init(parent: Scope?) { self.parent = parent }

    func lookup(_ name: String) -> RuntimeValue? {
        var scope: Scope? = self
        while let here = scope {
            if let value = here.variables[name] { return value }
            scope = here.parent
        }
        return nil
    }
}

final class Macro {
    let definition: MacroDefinition
    let scope: Scope

    init(_ definition: MacroDefinition, scope: Scope) {
        self.definition = definition
        self.scope = scope
    }
}

enum BuiltinFunction: String, CaseIterable {
    case range
    case namespace
    case dict
    case raiseException = "raise_exception"
    case currentTime = "strftime_now"
}

extension RuntimeValue {
    init(_ value: TemplateValue) {
        switch value {
        case .null: self = .none
        case .boolean(let flag): self = .boolean(flag)
        case .integer(let integer): self = .integer(integer)
        case .largeInteger(let digits): self = .largeInteger(digits)
        case .double(let double): self = .double(double)
        case .string(let text): self = .string(text)
        case .list(let items): self = .list(Elements(items.map { RuntimeValue($0) }))
        case .mapping(let mapping):
            var members = OrderedMapping<RuntimeValue>()
            for (key, member) in mapping { members[key] = RuntimeValue(member) }
            self = .mapping(Members(members))
        }
    }

    var extent: Extent {
        switch self {
        case .list(let elements), .tuple(let elements): elements.extent
        case .mapping(let members): members.extent
        case .iterator(let box): box.extent
        case .method(let receiver, _): Extent(depth: receiver.extent.depth + 1, bytes: receiver.extent.bytes)
        case .string(let text): Extent(depth: 0, bytes: text.utf8.count + 8)
        case .largeInteger(let digits): Extent(depth: 0, bytes: digits.utf8.count)
        // Eight bytes for numbers, words and punctuation, roughly.
        default: Extent(depth: 0, bytes: 8)
        }
    }

    /// The name of Python's type, for errors.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "None"
        case .boolean: "bool"
        case .integer, .largeInteger: "int"
        case .double: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .mapping: "dict"
        case .iterator: "generator"
        case .namespace: "namespace"
        case .loop: "loop"
        case .macro: "macro"
        case .function, .method: "function"
        }
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .boolean(let flag): flag
        case .integer(let integer): integer != 0
        case .double(let double): double != 0
        case .string(let text): !text.isEmpty
        case .list(let elements), .tuple(let elements): !elements.items.isEmpty
        case .mapping(let members): !members.mapping.isEmpty
        case .largeInteger, .iterator, .namespace, .loop, .macro, .function, .method: true
        }
    }

    /// The integer a boolean or an integer stands for.
    var asInteger: Int? {
        switch self {
        case .boolean(let flag): flag ? 1 : 0
        case .integer(let integer): integer
        default: nil
        }
    }

    var asNumber: Double? {
        switch self {
        case .double(let double): double
        case .largeInteger(let digits): Double(digits)
        default: asInteger.map(Double.init)
        }
    }
}

// MARK: Comparison

extension RuntimeValue {
    /// Python's `==`.
    func equals(_ other: RuntimeValue) -> Bool {
        switch (self, other) {
        case (.undefined, .undefined), (.none, .none): true
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.largeInteger(let a), .largeInteger(let b)): a == b
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            a.items.count == b.items.count && zip(a.items, b.items).allSatisfy { $0.equals($1) }
        case (.mapping(let a), .mapping(let b)):
            a.mapping.count == b.mapping.count
                && a.mapping.allSatisfy { key, value in b.mapping[key].map(value.equals) ?? false }
        case (.iterator(let a), .iterator(let b)): a === b
        case (.namespace(let a), .namespace(let b)): a === b
        case (.loop(let a), .loop(let b)): a === b
        case (.macro(let a), .macro(let b)): a === b
        case (.function(let a), .function(let b)): a == b
        default: numbersEqual(other)
        }
    }

    private func numbersEqual(_ other: RuntimeValue) -> Bool {
        if let a = asInteger, let b = other.asInteger { return a == b }
        if let a = asNumber, let b = other.asNumber { return a == b }
        return false
    }

    /// Python's `<`; nil when the two have no order.
    func precedes(_ other: RuntimeValue) -> Bool? {
        switch (self, other) {
        case (.string(let a), .string(let b)):
            return a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            for (x, y) in zip(a.items, b.items) where !x.equals(y) { return x.precedes(y) }
            return a.items.count < b.items.count
        default:
            if let a = asInteger, let b = other.asInteger { return a < b }
            if let a = asNumber, let b = other.asNumber { return a < b }
            return nil
        }
    }
}

// MARK: Text

extension RuntimeValue {
    /// Python's `str()`; nil for what has no reproducible text (functions, iterators).
    var text: String? {
        switch self {
        case .undefined: ""
        case .string(let text): text
        default: representation
        }
    }

    /// Python's `repr()`.
    var representation: String? {
        switch self {
        case .undefined: return "Undefined"
        case .none: return "None"
        case .boolean(let flag): return flag ? "True" : "False"
        case .integer(let integer): return String(integer)
        case .largeInteger(let digits): return digits
        case .double(let double): return double.pythonText
        case .string(let text): return text.pythonLiteral
        case .list(let elements):
            return elements.representations.map { "[" + $0.joined(separator: ", ") + "]" }
        case .tuple(let elements):
            return elements.representations.map { "(" + $0.joined(separator: ", ") + ($0.count == 1 ? ",)" : ")") }
        case .mapping(let members):
            var items: [String] = []
            for (key, value) in members.mapping {
                guard let text = value.representation else { return nil }
                items.append(key.pythonLiteral + ": " + text)
            }
            return "{" + items.joined(separator: ", ") + "}"
        case .iterator, .namespace, .loop, .macro, .function, .method: return nil
        }
    }
}

extension Elements {
    fileprivate var representations: [String]? {
        var result: [String] = []
        for item in items {
            guard let text = item.representation else { return nil }
            result.append(text)
        }
        return result
    }
}

extension Double {
    /// Python's `repr`: the shortest digits that read back the same, an exponent from 1e16 and below 1e-4.
    var pythonText: String {
        if isNaN { return "nan" }
        if isInfinite { return self < 0 ? "-inf" : "inf" }
        // Swift prints the same digits; only the layout differs.
        let printed = magnitude.description.lowercased()
        let parts = printed.split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var digits = String(mantissa[0])
        var point = digits.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        if mantissa.count > 1 { digits += mantissa[1] }
        let leading = digits.prefix { $0 == "0" }.count
        digits.removeFirst(leading)
        point -= leading
        while digits.last == "0" { digits.removeLast() }
        let sign = self.sign == .minus ? "-" : ""
        if digits.isEmpty { return sign + "0.0" }
        return sign + Self.layOut(digits, point: point)
    }

    /// `point` is the place of the decimal point: the value is 0.digits · 10^point.
    private static func layOut(_ digits: String, point: Int) -> String {
        if point > 16 || point < -3 {
            let exponent = point - 1
            let fraction = digits.dropFirst()
            let size = String(exponent.magnitude)
            return String(digits.prefix(1)) + (fraction.isEmpty ? "" : "." + fraction) + (exponent < 0 ? "e-" : "e+")
                + (size.count < 2 ? "0" + size : size)
        }
        if point <= 0 { return "0." + String(repeating: "0", count: -point) + digits }
        if point >= digits.count { return digits + String(repeating: "0", count: point - digits.count) + ".0" }
        return digits.prefix(point) + "." + digits.dropFirst(point)
    }
}

extension String {
    /// Python's `repr` of a string.
    var pythonLiteral: String {
        let hasSingle = unicodeScalars.contains("'")
        let quote: Unicode.Scalar = hasSingle && !unicodeScalars.contains("\"") ? "\"" : "'"
        var result = String.UnicodeScalarView()
        result.append(quote)
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "\\", quote:
                result.append("\\")
                result.append(scalar)
            default:
                if scalar.isPythonPrintable {
                    result.append(scalar)
                } else {
                    let (mark, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
                    let hexadecimal = String(scalar.value, radix: 16)
                    let padding = String(repeating: "0", count: width - hexadecimal.count)
                    result.append(contentsOf: ("\\" + mark + padding + hexadecimal).unicodeScalars)
                }
            }
        }
        result.append(quote)
        return String(result)
    }
}

extension Unicode.Scalar {
    fileprivate var isPythonPrintable: Bool {
        if self == " " { return true }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }
}
