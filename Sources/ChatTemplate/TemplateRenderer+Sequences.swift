extension TemplateRenderer {
    func filterSequence(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        func bind(_ names: String...) throws(TemplateError) -> BoundArguments {
            try BoundArguments(arguments, to: names, of: name, in: self)
        }
        switch name {
        case "first", "last":
            _ = try bind()
            return try end(of: value, isFirst: name == "first")
        case "list":
            _ = try bind()
            return try list(elements(of: value))
        case "reverse":
            _ = try bind()
            if case .string(let text) = value { return .string(String(scalars: text.unicodeScalars.reversed())) }
            return try iterator(elements(of: value).reversed())
        case "items":
            _ = try bind()
            switch value {
            case .undefined: return try iterator([])
            case .mapping(let members): return try iterator(pairs(members.mapping))
            default: throw failure("'items' takes a mapping, not a \(value.typeName)")
            }
        case "join":
            let bound = try bind("d", "attribute")
            var items = try elements(of: value)
            if let attribute = bound.optional("attribute") { items = try mapped(items, attribute) }
            let separator = try bound["d"].map { (value) throws(TemplateError) in try text(value) } ?? ""
            return try join(items, separator: separator, strict: false)
        case "map": return try map(value, arguments)
        case "select", "reject", "selectattr", "rejectattr": return try select(name, value, arguments)
        case "dictsort": return try sortedPairs(value, bind("case_sensitive", "by", "reverse"))
        default: return try reduce(name, value, arguments)
        }
    }

    private func end(of value: RuntimeValue, isFirst: Bool) throws(TemplateError) -> RuntimeValue {
        if !isFirst, case .iterator = value { throw failure("'last' does not apply to what can only be read once") }
        if case .string(let text) = value, let scalar = text.scalar(at: isFirst ? 0 : -1) {
            return .string(String(scalar))
        }
        let items = try elements(of: value)
        return (isFirst ? items.first : items.last)
            ?? .undefined("No \(isFirst ? "first" : "last") item, sequence was empty.")
    }

    // MARK: Attributes

    /// The elements' attributes: an integer, or names and integers separated by dots.
    private func mapped(
        _ items: [RuntimeValue], _ attribute: RuntimeValue, fallback: RuntimeValue? = nil
    ) throws(TemplateError) -> [RuntimeValue] {
        var path: [RuntimeValue] = []
        switch attribute {
        case .integer: path = [attribute]
        case .string(let text):
            for part in text.split(separator: ".", omittingEmptySubsequences: false) {
                path.append(
                    part.allSatisfy(\.isWholeNumber)
                        ? Int(part).map { .integer($0) } ?? .string(String(part)) : .string(String(part)))
            }
        default: throw failure("an attribute is a string or an integer")
        }
        var result: [RuntimeValue] = []
        for element in items {
            var value = element
            for key in path {
                value = try item(value, key)
                if case .undefined = value, let fallback { value = fallback }
            }
            result.append(value)
        }
        try charge(items.count * path.count)
        return result
    }

    private func map(_ value: RuntimeValue, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        // Jinja does not even iterate over what is false: none is as good as an empty list here.
        let items = value.isTrue ? try elements(of: value) : []
        if arguments.positional.isEmpty, arguments.named["attribute"] != nil {
            let bound = try BoundArguments(arguments, to: ["attribute", "default"], of: "map", in: self)
            return try iterator(mapped(items, bound.required("attribute"), fallback: bound.optional("default")))
        }
        guard case .string(let name)? = arguments.positional.first else {
            throw failure("'map' takes the name of a filter, or an attribute")
        }
        var rest = arguments
        rest.positional.removeFirst()
        var result: [RuntimeValue] = []
        for item in items { result.append(try filter(name, item, rest)) }
        return try iterator(result)
    }

    private func select(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        // Jinja does not even iterate over what is false: none is as good as an empty list here.
        let items = value.isTrue ? try elements(of: value) : []
        var tested = items
        var rest = arguments
        if name.hasSuffix("attr") {
            guard !rest.positional.isEmpty else { throw failure("'\(name)' takes the name of an attribute") }
            tested = try mapped(items, rest.positional.removeFirst())
        }
        var testName: String?
        if !rest.positional.isEmpty {
            guard case .string(let name) = rest.positional.removeFirst() else {
                throw failure("'\(name)' takes the name of a test")
            }
            testName = name
        }
        let wanted = name.hasPrefix("select")
        var result: [RuntimeValue] = []
        for (item, subject) in zip(items, tested) {
            let holds = if let testName { try test(testName, subject, rest) } else { subject.isTrue }
            if holds == wanted { result.append(item) }
        }
        return try iterator(result)
    }

    // MARK: Order

    /// Strings without their case, unless it matters.
    private func sortKey(_ value: RuntimeValue, caseSensitive: Bool) -> RuntimeValue {
        if !caseSensitive, case .string(let text) = value { return .string(text.pythonLowercased) }
        return value
    }

    /// The indices in ascending order of the keys; equal ones keep their order.
    private func order(_ keys: [RuntimeValue], descending: Bool) throws(TemplateError) -> [Int] {
        let extent = Extent(keys)
        let work = (extent.bytes >> 6).multipliedReportingOverflow(by: Int.bitWidth - keys.count.leadingZeroBitCount)
        try charge(work.overflow ? .max : work.partialValue)
        do {
            // Swift's sort is stable, and so is its descending order, as Python's `reverse=True`.
            return try keys.indices.sorted {
                try descending ? precedes(keys[$1], keys[$0]) : precedes(keys[$0], keys[$1])
            }
        } catch let error as TemplateError {
            throw error
        } catch {
            throw failure("\(error)")
        }
    }

    private func sortedPairs(_ value: RuntimeValue, _ bound: BoundArguments) throws(TemplateError) -> RuntimeValue {
        guard case .mapping(let members) = value else { throw failure("'dictsort' takes a mapping") }
        let byValue = bound["by"] != nil ? try bound.string("by") == "value" : false
        let keys = byValue ? members.mapping.values : members.mapping.keys.map { .string($0) }
        let ranked = keys.map { sortKey($0, caseSensitive: bound.isTrue("case_sensitive")) }
        let all = pairs(members.mapping)
        return try list(order(ranked, descending: bound.isTrue("reverse")).map { all[$0] })
    }

    private func reduce(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        let parameters =
            switch name {
            case "sort": ["reverse", "case_sensitive", "attribute"]
            case "sum": ["attribute", "start"]
            default: ["case_sensitive", "attribute"]
            }
        let bound = try BoundArguments(arguments, to: parameters, of: name, in: self)
        let items = try elements(of: value)
        var subjects = items
        if let attribute = bound.optional("attribute") { subjects = try mapped(items, attribute) }
        if name == "sum" {
            var total = bound["start"] ?? .integer(0)
            for subject in subjects { total = try arithmetic(.add, total, subject) }
            return total
        }
        let keys = subjects.map { sortKey($0, caseSensitive: bound.isTrue("case_sensitive")) }
        if name == "unique" { return try unique(items, keys) }
        let ranks = try order(keys, descending: name == "max" || bound.isTrue("reverse"))
        if name == "sort" { return try list(ranks.map { items[$0] }) }
        return ranks.first.map { items[$0] } ?? .undefined("No aggregated item, sequence was empty.")
    }

    private func unique(_ items: [RuntimeValue], _ keys: [RuntimeValue]) throws(TemplateError) -> RuntimeValue {
        var kept: [Int] = []
        for index in items.indices {
            var isNew = true
            for earlier in kept where isNew {
                try charge(1)
                isNew = try !areEqual(keys[earlier], keys[index])
            }
            if isNew { kept.append(index) }
        }
        return try iterator(kept.map { items[$0] })
    }
}
