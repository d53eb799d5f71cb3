/// Many strings in one block of memory, as UTF-8.
package struct StringTable: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [Int] = []

    package init() {}

    package init(_ strings: some Sequence<String>) {
        for string in strings { append(string) }
    }

    package var count: Int { ends.count }

    package mutating func append(_ string: String) {
        bytes.append(contentsOf: string.utf8)
        ends.append(bytes.count)
    }

    /// Appends one string that `body` writes at the end of the bytes.
    mutating func append(
        writtenBy body: (inout [UInt8]) throws(TokenizerError) -> Void
    ) throws(TokenizerError) {
        try body(&bytes)
        ends.append(bytes.count)
    }

    mutating func append(_ slice: UnsafeBufferPointer<UInt8>) {
        bytes.append(contentsOf: slice)
        ends.append(bytes.count)
    }

    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

    subscript(index: Int) -> String { String(decoding: bytes[range(index)], as: UTF8.self) }
}
