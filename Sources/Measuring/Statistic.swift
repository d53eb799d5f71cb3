/// Repeated measurements of one thing.
package struct Statistic: Sendable, Equatable, Encodable {
    package let median: Double
    package let minimum: Double
    package let maximum: Double

    /// - Parameter values: at least one; none gives zeros.
    package init(_ values: [Double]) {
        let sorted = values.sorted()
        minimum = sorted.first ?? 0
        maximum = sorted.last ?? 0
        let middle = sorted.count / 2
        median =
            sorted.isEmpty ? 0 : sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
