package import ChatTemplate

/// A value inside a JSON document, with the path that leads to it: typed reads whose errors name the place.
package struct JSONField: Sendable {
    package let value: TemplateValue
    package let path: String

    package init(_ value: TemplateValue, path: String) {
        self.value = value
        self.path = path
    }

    package func failure(expected: String) -> InputError {
        InputError(field: path, expected: expected, found: value.excerpt)
    }

    // MARK: Structure

    /// The member of that name; nil when it is absent or null (clients write absent fields as null).
    package func optional(_ key: String) -> JSONField? {
        guard let member = value[key], member != .null else { return nil }
        return JSONField(member, path: path.isEmpty ? key : "\(path).\(key)")
    }

    package func required(_ key: String, _ expected: String) throws(InputError) -> JSONField {
        if let field = optional(key) { return field }
        let found = value[key] == nil ? "nothing" : "null"
        throw InputError(field: path.isEmpty ? key : "\(path).\(key)", expected: expected, found: found)
    }

    package func object(_ expected: String = "an object") throws(InputError) -> OrderedMapping<TemplateValue> {
        guard case .mapping(let mapping) = value else { throw failure(expected: expected) }
        return mapping
    }

    package func elements(_ expected: String = "a list") throws(InputError) -> [JSONField] {
        guard case .list(let items) = value else { throw failure(expected: expected) }
        return items.enumerated().map { JSONField($1, path: "\(path)[\($0)]") }
    }

    // MARK: Scalars

    package func string(_ expected: String = "a string") throws(InputError) -> String {
        guard case .string(let text) = value else { throw failure(expected: expected) }
        return text
    }

    package func boolean() throws(InputError) -> Bool {
        guard case .boolean(let flag) = value else { throw failure(expected: "true or false") }
        return flag
    }

    /// An integer in the range; 1003520.0 is one, as in Python's arithmetic.
    package func integer(in range: ClosedRange<Int>, _ expected: String) throws(InputError) -> Int {
        let number: Int? =
            switch value {
            case .integer(let integer): integer
            case .double(let double): Int(exactly: double)
            default: nil
            }
        guard let number, range.contains(number) else { throw failure(expected: expected) }
        return number
    }

    package func positiveInteger() throws(InputError) -> Int {
        try integer(in: 1...Int.max, "a positive integer")
    }

    package func number(_ expected: String = "a number") throws(InputError) -> Double {
        switch value {
        case .integer(let integer): return Double(integer)
        case .double(let double) where double.isFinite: return double
        default: throw failure(expected: expected)
        }
    }
}

extension TemplateValue {
    /// The value for an error message, at most about 60 characters.
    package var excerpt: String {
        switch self {
        case .null: "null"
        case .boolean(let flag): "\(flag)"
        case .integer(let integer): "\(integer)"
        case .largeInteger(let digits): digits.count > 60 ? "an integer of \(digits.count) digits" : digits
        case .double(let double): "\(double)"
        case .string(let text): text.count > 60 ? "\"\(text.prefix(57))...\"" : "\"\(text)\""
        case .list(let items): items.isEmpty ? "an empty list" : "a list"
        case .mapping: "an object"
        }
    }
}
