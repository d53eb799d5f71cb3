extension TemplateRenderer {
    static let mappingMethods: Set = ["get", "items", "keys", "values", "copy"]
    /// Methods that change a mapping: Jinja's immutable sandbox hides them.
    static let forbiddenMappingMethods: Set = ["clear", "pop", "popitem", "setdefault", "update", "fromkeys"]
    static let listMethods: Set = ["index", "count"]
    static let stringMethods: Set = [
        "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "partition", "rpartition", "startswith",
        "endswith", "upper", "lower", "title", "capitalize", "replace", "find", "rfind", "index", "count", "join",
        "removeprefix", "removesuffix", "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "zfill",
    ]

    func callMethod(
        _ name: String, of mapping: OrderedMapping<RuntimeValue>, _ receiver: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        if name == "get" {
            let bound = try BoundArguments(arguments, to: ["key", "default"], of: name, in: self)
            guard case .string(let key) = try bound.required("key") else { return bound["default"] ?? .none }
            return mapping[key] ?? bound["default"] ?? .none
        }
        if !arguments.isEmpty { throw failure("'\(name)' takes no arguments") }
        switch name {
        case "keys": return try list(mapping.keys.map { .string($0) })
        case "values": return try list(mapping.values)
        case "items": return try list(pairs(mapping))
        default: return receiver
        }
    }

    func pairs(_ mapping: OrderedMapping<RuntimeValue>) -> [RuntimeValue] {
        mapping.map { .tuple(Elements([.string($0), $1])) }
    }

    func callMethod(
        _ name: String, of elements: Elements, _ receiver: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        let wanted = try BoundArguments(arguments, to: ["value"], of: name, in: self).required("value")
        var count = 0
        for (index, item) in elements.items.enumerated() where try areEqual(item, wanted) {
            if name == "index" { return .integer(index) }
            count += 1
        }
        if name == "index" { throw failure("the value is not in the list") }
        return .integer(count)
    }

    func callMethod(
        _ name: String, of text: String, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        try charge(text.utf8.count >> 5)
        switch name {
        case "strip", "lstrip", "rstrip":
            let characters = try characters(BoundArguments(arguments, to: ["characters"], of: name, in: self))
            return .string(text.stripped(characters, left: name != "rstrip", right: name != "lstrip"))
        case "split", "rsplit", "splitlines": return try split(name, text, arguments)
        case "partition", "rpartition": return try partition(name, text, arguments)
        case "startswith", "endswith": return try hasAffix(name, text, arguments)
        case "removeprefix", "removesuffix": return try removeAffix(name, text, arguments)
        case "replace":
            let bound = try BoundArguments(arguments, to: ["old", "new", "count"], of: name, in: self)
            return try replace(
                text, bound.string("old"), bound.string("new"), limit: bound.integer("count", default: -1))
        case "find", "rfind", "index", "count": return try locate(name, text, arguments)
        case "join":
            let bound = try BoundArguments(arguments, to: ["iterable"], of: name, in: self)
            return try join(elements(of: bound.required("iterable")), separator: text, strict: true)
        case "zfill":
            let width = try BoundArguments(arguments, to: ["width"], of: name, in: self).integer("width", default: 0)
            return try zeroFilled(text, width: width)
        default: return try changeCase(name, text, arguments)
        }
    }

    private func characters(_ bound: BoundArguments) throws(TemplateError) -> Set<Unicode.Scalar>? {
        guard let value = bound.optional("characters") else { return nil }
        guard case .string(let text) = value else { throw failure("the characters to strip are not a string") }
        return Set(text.unicodeScalars)
    }

    private func changeCase(
        _ name: String, _ text: String, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        if !arguments.isEmpty { throw failure("'\(name)' takes no arguments") }
        let scalars = text.unicodeScalars
        switch name {
        case "upper": return try made(text.pythonUppercased)
        case "lower": return try made(text.pythonLowercased)
        case "title": return try made(text.pythonTitlecased)
        case "capitalize": return try made(text.pythonCapitalized)
        case "isspace": return .boolean(!text.isEmpty && scalars.allSatisfy(\.isPythonSpace))
        case "isdigit": return .boolean(!text.isEmpty && scalars.allSatisfy(\.isPythonDigit))
        case "isalpha": return .boolean(!text.isEmpty && scalars.allSatisfy(\.isPythonLetter))
        case "isalnum":
            return .boolean(
                !text.isEmpty && scalars.allSatisfy { $0.isPythonLetter || $0.properties.numericType != nil })
        case "isupper": return .boolean(text.isUniformlyCased(upper: true))
        case "islower": return .boolean(text.isUniformlyCased(upper: false))
        default: throw failure("the string method '\(name)' is not supported")
        }
    }

    // MARK: Cutting

    private func split(_ name: String, _ text: String, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue
    {
        if name == "splitlines" {
            let keepsEnds = try BoundArguments(arguments, to: ["keepends"], of: name, in: self).isTrue("keepends")
            return try list(text.pythonLines(keepingEnds: keepsEnds).map { .string($0) })
        }
        let bound = try BoundArguments(arguments, to: ["sep", "maxsplit"], of: name, in: self)
        let limit = try bound.integer("maxsplit", default: -1)
        let fromRight = name == "rsplit"
        guard let separator = bound.optional("sep") else {
            return try list(text.words(limit: limit, fromRight: fromRight).map { .string($0) })
        }
        guard case .string(let mark) = separator, !mark.isEmpty else {
            throw failure("the separator of '\(name)' is not a string, or empty")
        }
        let search = ByteSearch(mark)
        return try list(search.pieces(of: text, limit: limit, fromRight: fromRight).map { .string($0) })
    }

    private func partition(
        _ name: String, _ text: String, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        let mark = try BoundArguments(arguments, to: ["sep"], of: name, in: self).string("sep")
        if mark.isEmpty { throw failure("the separator of '\(name)' is empty") }
        let fromRight = name == "rpartition"
        let pieces = ByteSearch(mark).pieces(of: text, limit: 1, fromRight: fromRight)
        let parts = pieces.count == 2 ? [pieces[0], mark, pieces[1]] : fromRight ? ["", "", text] : [text, "", ""]
        return .tuple(Elements(parts.map { .string($0) }))
    }

    private func affixes(_ value: RuntimeValue) throws(TemplateError) -> [String] {
        switch value {
        case .string(let text): return [text]
        case .tuple(let elements):
            var result: [String] = []
            for item in elements.items { result += try affixes(item) }
            return result
        default: throw failure("a prefix or suffix is a string or a tuple of strings")
        }
    }

    private func hasAffix(_ name: String, _ text: String, _ arguments: CallArguments) throws(TemplateError)
        -> RuntimeValue
    {
        let bound = try BoundArguments(arguments, to: ["affix"], of: name, in: self)
        for affix in try affixes(bound.required("affix")) {
            try charge(affix.utf8.count >> 5)
            let matches =
                name == "startswith"
                ? text.utf8.starts(with: affix.utf8) : text.utf8.reversed().starts(with: affix.utf8.reversed())
            if matches { return .boolean(true) }
        }
        return .boolean(false)
    }

    private func removeAffix(_ name: String, _ text: String, _ arguments: CallArguments) throws(TemplateError)
        -> RuntimeValue
    {
        let affix = try BoundArguments(arguments, to: ["affix"], of: name, in: self).string("affix")
        try charge(affix.utf8.count >> 5)
        if name == "removeprefix" {
            return .string(
                text.utf8.starts(with: affix.utf8) ? String(text.utf8.dropFirst(affix.utf8.count)) ?? text : text)
        }
        let matches = text.utf8.reversed().starts(with: affix.utf8.reversed())
        return .string(matches ? String(text.utf8.dropLast(affix.utf8.count)) ?? text : text)
    }

    private func locate(_ name: String, _ text: String, _ arguments: CallArguments) throws(TemplateError)
        -> RuntimeValue
    {
        let part = try BoundArguments(arguments, to: ["sub"], of: name, in: self).string("sub")
        try charge(part.utf8.count >> 5)
        let length = text.unicodeScalars.count
        if part.isEmpty { return .integer(name == "count" ? length + 1 : name == "rfind" ? length : 0) }
        let search = ByteSearch(part)
        if name == "count" { return .integer(search.all(in: text).count) }
        guard let offset = name == "rfind" ? search.last(in: text) : search.first(in: text) else {
            if name == "index" { throw failure("the text is not found") }
            return .integer(-1)
        }
        return .integer(
            text.unicodeScalars.distance(from: text.startIndex, to: text.utf8.index(text.startIndex, offsetBy: offset)))
    }

    private func zeroFilled(_ text: String, width: Int) throws(TemplateError) -> RuntimeValue {
        let missing = width - text.unicodeScalars.count
        if missing <= 0 { return .string(text) }
        try checkText(bytes: missing)
        let hasSign = text.hasPrefix("-") || text.hasPrefix("+")
        return .string(
            (hasSign ? String(text.prefix(1)) : "") + String(repeating: "0", count: missing)
                + text.dropFirst(hasSign ? 1 : 0))
    }
}
