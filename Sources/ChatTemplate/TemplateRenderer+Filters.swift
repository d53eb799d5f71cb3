import Foundation

extension TemplateRenderer {
    static let filterNames: Set = [
        "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "indent", "int",
        "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace",
        "reverse", "round", "safe", "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim",
        "unique", "upper",
    ]

    func filter(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        func bind(_ names: String...) throws(TemplateError) -> BoundArguments {
            try BoundArguments(arguments, to: names, of: name, in: self)
        }
        switch name {
        case "map", "select", "reject", "selectattr", "rejectattr", "sort", "unique", "sum", "min", "max", "dictsort",
            "first", "last", "list", "reverse", "items", "join":
            return try filterSequence(name, value, arguments)
        case "length", "count":
            _ = try bind()
            return .integer(try length(value))
        case "default", "d":
            let bound = try bind("default_value", "boolean")
            let isMissing = if case .undefined = value { true } else { bound.isTrue("boolean") && !value.isTrue }
            return isMissing ? bound["default_value"] ?? .string("") : value
        case "tojson": return try json(value, bind("ensure_ascii", "indent", "separators", "sort_keys"))
        case "int": return try integer(value, bind("default", "base"))
        case "float":
            let fallback = try bind("default")["default"] ?? .double(0)
            return try float(value).map { .double($0) } ?? fallback
        case "round": return try round(value, bind("precision", "method"))
        case "abs":
            _ = try bind()
            if let integer = value.asInteger { return integer < 0 ? try negate(value) : .integer(integer) }
            if case .double(let double) = value { return .double(double.magnitude) }
            throw unsupported("abs", value)
        default: return try filterText(name, value, arguments)
        }
    }

    private func filterText(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        func bind(_ names: String...) throws(TemplateError) -> BoundArguments {
            try BoundArguments(arguments, to: names, of: name, in: self)
        }
        guard Self.filterNames.contains(name) else {
            throw failure("the filter '\(name)' is unknown, or not supported")
        }
        if name == "safe" { return value }
        let text = try text(value)
        try charge(text.utf8.count >> 5)
        switch name {
        case "trim":
            let characters = try bind("chars").optional("chars")
            let set = try characters.map { (value) throws(TemplateError) in Set(try self.text(value).unicodeScalars) }
            return .string(text.stripped(set, left: true, right: true))
        case "replace":
            let bound = try bind("old", "new", "count")
            return try replace(
                text, self.text(bound.required("old")), self.text(bound.required("new")),
                limit: bound.integer("count", default: -1))
        case "indent": return try indent(text, bind("width", "first", "blank"))
        case "escape", "e": return try made(text.htmlEscaped)
        default:
            _ = try bind()
            switch name {
            case "upper": return try made(text.pythonUppercased)
            case "lower": return try made(text.pythonLowercased)
            case "capitalize": return try made(text.pythonCapitalized)
            case "title": return try made(text.jinjaTitlecased)
            default: return .string(text)
            }
        }
    }

    // MARK: Numbers

    func length(_ value: RuntimeValue) throws(TemplateError) -> Int {
        switch value {
        case .undefined: return 0
        case .string(let text): return text.unicodeScalars.count
        case .list(let elements), .tuple(let elements): return elements.items.count
        case .mapping(let members): return members.mapping.count
        case .loop(let state): if case .integer(let count)? = try state.attribute("length") { return count }
        default: break
        }
        throw failure("a \(value.typeName) has no length")
    }

    private func integer(_ value: RuntimeValue, _ bound: BoundArguments) throws(TemplateError) -> RuntimeValue {
        let fallback = bound["default"] ?? .integer(0)
        let base = try bound.integer("base", default: 10)
        switch value {
        case .undefined(let reason): throw failure(reason)
        case .double(let double): return Int(exactly: double.rounded(.towardZero)).map { .integer($0) } ?? fallback
        case .largeInteger: return value
        case .string(let text):
            var digits = text.stripped(nil, left: true, right: true).filter { $0 != "_" }
            if base == 16, let range = digits.range(of: "0x", options: .caseInsensitive) {
                digits.removeSubrange(range)
            }
            guard (2...36).contains(base) else { throw failure("the base of 'int' is not from 2 to 36") }
            if let integer = Int(digits, radix: base) { return .integer(integer) }
            guard let double = try float(value), let integer = Int(exactly: double.rounded(.towardZero)) else {
                return fallback
            }
            return .integer(integer)
        default: return value.asInteger.map { .integer($0) } ?? fallback
        }
    }

    /// Python's `float()`; nil when the value is none.
    private func float(_ value: RuntimeValue) throws(TemplateError) -> Double? {
        switch value {
        case .undefined(let reason): throw failure(reason)
        case .string(let text):
            let trimmed = text.stripped(nil, left: true, right: true)
            // Swift also reads hexadecimal floats, which Python does not.
            return trimmed.contains(where: { "xXpP".contains($0) }) ? nil : Double(trimmed)
        default: return value.asNumber
        }
    }

    private func round(_ value: RuntimeValue, _ bound: BoundArguments) throws(TemplateError) -> RuntimeValue {
        let precision = try bound.integer("precision", default: 0)
        guard (-30...30).contains(precision) else { throw failure("the precision of 'round' is not from -30 to 30") }
        let method = bound["method"] == nil ? "common" : try bound.string("method")
        if case .integer = value, method == "common", precision >= 0 { return value }
        guard let number = value.asNumber else { throw unsupported("round", value) }
        let scale = pow(10, Double(precision))
        switch method {
        case "ceil": return .double((number * scale).rounded(.up) / scale)
        case "floor": return .double((number * scale).rounded(.down) / scale)
        case "common":
            if precision < 0 { return .double((number * scale).rounded(.toNearestOrEven) / scale) }
            return .double(Double(String(format: "%.\(precision)f", number)) ?? number)
        default: throw failure("the method of 'round' is common, ceil or floor")
        }
    }

    // MARK: Text

    private func json(_ value: RuntimeValue, _ bound: BoundArguments) throws(TemplateError) -> RuntimeValue {
        try checkText(bytes: value.extent.bytes)
        var separators: (item: String, key: String)?
        if let value = bound.optional("separators") {
            let items = try elements(of: value)
            guard items.count == 2, case .string(let item) = items[0], case .string(let key) = items[1] else {
                throw failure("the separators of 'tojson' are two strings")
            }
            separators = (item, key)
        }
        var writer = JSONWriter(
            indentation: try indentation(bound.optional("indent")), separators: separators,
            sortsKeys: bound.isTrue("sort_keys"), escapesNonASCII: bound.isTrue("ensure_ascii"))
        if let type = writer.write(value, limit: TemplateLimits.textBytes) {
            throw failure("a value of type \(type) cannot be written as JSON")
        }
        return try made(writer.result)
    }

    private func indentation(_ value: RuntimeValue?) throws(TemplateError) -> String? {
        guard let value else { return nil }
        if case .string(let text) = value { return text }
        guard let width = value.asInteger, width <= 1000 else {
            throw failure("an indentation is a string or an integer up to 1000")
        }
        return String(repeating: " ", count: max(0, width))
    }

    private func indent(_ text: String, _ bound: BoundArguments) throws(TemplateError) -> RuntimeValue {
        let margin = try indentation(bound.optional("width") ?? .integer(4)) ?? ""
        // The added newline makes a trailing one count as a line of its own.
        let lines = (text + "\n").pythonLines(keepingEnds: false)
        try checkText(bytes: text.utf8.count + lines.count * (margin.utf8.count + 1))
        let keepsBlank = !bound.isTrue("blank")
        let indented = lines.enumerated().map { index, line in
            index == 0 || (keepsBlank && line.isEmpty) ? line : margin + line
        }
        return .string((bound.isTrue("first") ? margin : "") + indented.joined(separator: "\n"))
    }

    func replace(
        _ text: String, _ old: String, _ new: String, limit: Int
    ) throws(TemplateError) -> RuntimeValue {
        if old.isEmpty { return try interleave(text, new, limit: limit) }
        try charge((text.utf8.count + old.utf8.count) >> 5)
        let pieces = ByteSearch(old).pieces(of: text, limit: limit, fromRight: false)
        let growth = (pieces.count - 1).multipliedReportingOverflow(by: new.utf8.count)
        try checkText(bytes: growth.overflow ? .max : growth.partialValue)
        return try made(pieces.joined(separator: new))
    }

    /// Replaces the empty text: `new` before each character and at the end.
    private func interleave(_ text: String, _ new: String, limit: Int) throws(TemplateError) -> RuntimeValue {
        let places = text.unicodeScalars.count + 1
        let count = limit < 0 ? places : min(limit, places)
        let growth = count.multipliedReportingOverflow(by: new.utf8.count)
        try checkText(bytes: growth.overflow ? .max : growth.partialValue)
        var result = ""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            if index < count { result += new }
            result.unicodeScalars.append(scalar)
        }
        return try made(count == places ? result + new : result)
    }

    /// - Parameter strict: whether every element has to be a string, as `str.join` demands.
    func join(
        _ items: [RuntimeValue], separator: String, strict: Bool
    ) throws(TemplateError) -> RuntimeValue {
        var result = ""
        for (index, item) in items.enumerated() {
            if index > 0 { result += separator }
            if strict {
                guard case .string = item else { throw failure("'join' joins strings, not a \(item.typeName)") }
            }
            result += try text(item)
            if result.utf8.count > TemplateLimits.textBytes { break }
        }
        try charge(items.count)
        return try made(result)
    }
}

extension String {
    fileprivate var htmlEscaped: String {
        let entities: [Unicode.Scalar: String] = [
            "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", "\"": "&#34;",
        ]
        return unicodeScalars.map { entities[$0] ?? String($0) }.joined()
    }

    /// Jinja's `title`: words begin after white space, hyphens and opening brackets only.
    fileprivate var jinjaTitlecased: String {
        let borders: Set<Unicode.Scalar> = ["-", "(", "{", "[", "<"]
        var result = ""
        var word: [Unicode.Scalar] = []
        func flush() {
            if let first = word.first {
                result += first.properties.uppercaseMapping + String(scalars: word.dropFirst()).pythonLowercased
            }
            word = []
        }
        for scalar in unicodeScalars {
            if borders.contains(scalar) || scalar.isPythonSpace {
                flush()
                result.unicodeScalars.append(scalar)
            } else {
                word.append(scalar)
            }
        }
        flush()
        return result
    }
}
