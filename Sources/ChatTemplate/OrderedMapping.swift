/// A string compared and hashed by its code points, as Python does.
///
/// Swift compares strings by canonical equivalence: "é" composed and decomposed would be one key.
struct ExactString: Hashable, Sendable {
    let value: String

    static func == (left: ExactString, right: ExactString) -> Bool {
        left.value.utf8.elementsEqual(right.value.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var copy = value
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// A mapping from strings that keeps the order of insertion, as Python's `dict` and JSON documents do.
package struct OrderedMapping<Value> {
    package private(set) var keys: [String] = []
    package private(set) var values: [Value] = []
    private var index: [ExactString: Int] = [:]

    package init() {}

    /// A repeated key keeps its first place and takes the last value.
    package init(_ pairs: some Sequence<(String, Value)>) {
        for (key, value) in pairs { self[key] = value }
    }

    package var count: Int { keys.count }
    package var isEmpty: Bool { keys.isEmpty }

    package subscript(key: String) -> Value? {
        get { index[ExactString(value: key)].map { values[$0] } }
        set {
            let exact = ExactString(value: key)
            switch (index[exact], newValue) {
            case (let place?, let value?): values[place] = value
            case (nil, let value?):
                index[exact] = keys.count
                keys.append(key)
                values.append(value)
            case (let place?, nil):
                keys.remove(at: place)
                values.remove(at: place)
                index.removeValue(forKey: exact)
                for later in place..<keys.count { index[ExactString(value: keys[later])] = later }
            case (nil, nil): break
            }
        }
    }
}

extension OrderedMapping: Sequence {
    package func makeIterator() -> Zip2Sequence<[String], [Value]>.Iterator { zip(keys, values).makeIterator() }
}

extension OrderedMapping: Sendable where Value: Sendable {}

extension OrderedMapping: Equatable where Value: Equatable {
    /// Equal regardless of order, as in Python.
    package static func == (left: Self, right: Self) -> Bool {
        left.count == right.count && left.allSatisfy { key, value in right[key] == value }
    }
}
