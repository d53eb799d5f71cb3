/// The members of a JSON object in a configuration file, read with checks. Null counts as absent.
struct ConfigFields {
    let file: String
    /// What precedes a key in messages: "", "vision_config.", …
    let path: String
    let members: [String: JSON]
    /// Where a key is looked for that is not in `members`: the top level, for text fields that may stand in either.
    var outer: [String: JSON] = [:]

    /// The root object of a file.
    init(parsing bytes: [UInt8], file: String) throws(CheckpointError) {
        guard case .object(let members) = try JSON(parsing: bytes, file: file) else {
            throw .invalidField(file: file, field: "the document", expected: "an object", found: "something else")
        }
        self.init(file: file, path: "", members: members)
    }

    init(file: String, path: String, members: [String: JSON], outer: [String: JSON] = [:]) {
        self.file = file
        self.path = path
        self.members = members
        self.outer = outer
    }

    func error(_ key: String, expected: String, found: String) -> CheckpointError {
        .invalidField(file: file, field: path + key, expected: expected, found: found)
    }

    func unsupported(_ key: String, _ reason: String) -> CheckpointError {
        .unsupported(file: file, field: path + key, reason: reason)
    }

    func value(_ key: String) throws(CheckpointError) -> JSON? {
        let inner = members[key].flatMap { $0 == .null ? nil : $0 }
        let outer = outer[key].flatMap { $0 == .null ? nil : $0 }
        if let inner, let outer, inner != outer {
            throw error(key, expected: "the same as at the top level, \(outer.summary)", found: inner.summary)
        }
        return inner ?? outer
    }

    /// The object under a key, or nil.
    func object(_ key: String) throws(CheckpointError) -> ConfigFields? {
        guard let value = try value(key) else { return nil }
        guard case .object(let members) = value else {
            throw error(key, expected: "an object", found: value.summary)
        }
        return ConfigFields(file: file, path: "\(path)\(key).", members: members)
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int? {
        guard let value = try value(key) else { return nil }
        guard case .integer(let integer) = value, range.contains(integer) else {
            throw error(
                key, expected: "an integer from \(range.lowerBound) to \(range.upperBound)", found: value.summary)
        }
        return integer
    }

    func requiredInteger(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
        guard let integer = try integer(key, in: range) else {
            throw error(
                key, expected: "an integer from \(range.lowerBound) to \(range.upperBound)", found: "nothing")
        }
        return integer
    }

    func number(_ key: String, in range: ClosedRange<Double>) throws(CheckpointError) -> Double? {
        guard let value = try value(key) else { return nil }
        let number: Double? =
            switch value {
            case .integer(let integer): Double(integer)
            case .number(let number): number
            default: nil
            }
        guard let number, range.contains(number) else {
            throw error(
                key, expected: "a number from \(range.lowerBound) to \(range.upperBound)", found: value.summary)
        }
        return number
    }

    func bool(_ key: String) throws(CheckpointError) -> Bool? {
        guard let value = try value(key) else { return nil }
        guard case .bool(let bool) = value else { throw error(key, expected: "true or false", found: value.summary) }
        return bool
    }

    func string(_ key: String) throws(CheckpointError) -> String? {
        guard let value = try value(key) else { return nil }
        guard case .string(let string) = value else { throw error(key, expected: "a string", found: value.summary) }
        return string
    }

    func integers(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> [Int]? {
        guard let value = try value(key) else { return nil }
        guard case .array(let elements) = value else {
            throw error(key, expected: "an array of integers", found: value.summary)
        }
        var integers: [Int] = []
        for element in elements {
            guard case .integer(let integer) = element, range.contains(integer) else {
                throw error(
                    key, expected: "integers from \(range.lowerBound) to \(range.upperBound)", found: element.summary)
            }
            integers.append(integer)
        }
        return integers
    }
}
