/// Arithmetic to be done and memory to be read.
package struct Work: Sendable, Equatable {
    /// Operations; a multiply-add is two.
    package var operations: [Arithmetic: Double] = [:]
    /// Bytes that must come from memory.
    package var bytes = 0.0

    package init() {}

    package init(_ operations: Double, _ arithmetic: Arithmetic) { self.operations = [arithmetic: operations] }

    package var total: Double { operations.values.reduce(0, +) }

    package static func + (a: Work, b: Work) -> Work {
        var sum = a
        sum.operations.merge(b.operations, uniquingKeysWith: +)
        sum.bytes += b.bytes
        return sum
    }

    package static func += (a: inout Work, b: Work) { a = a + b }

    package static func * (work: Work, factor: Double) -> Work {
        var product = work
        product.operations = work.operations.mapValues { $0 * factor }
        product.bytes *= factor
        return product
    }

    /// Seconds that the work takes when every limit is reached: computing or reading, whichever is longer.
    package func seconds(at limits: MachineLimits) -> Double {
        let computing = operations.reduce(0) { $0 + $1.value / (limits.rate($1.key) * 1e9) }
        return max(computing, limits.read > 0 ? bytes / (limits.read * 1e9) : 0)
    }
}
