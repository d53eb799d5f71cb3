/// The extents of a tensor, outermost first.
package struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    package let dimensions: [Int]

    package init(_ dimensions: [Int]) { self.dimensions = dimensions }
    package init(arrayLiteral elements: Int...) { dimensions = elements }

    /// The number of elements.
    package var count: Int { dimensions.reduce(1, *) }
    package var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}
