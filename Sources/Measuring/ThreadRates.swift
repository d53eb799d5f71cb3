import Foundation

/// What threads of their own measure side by side.
package enum ThreadRates {
    /// The sum of their rates.
    package static func sum(of count: Int, _ probe: @escaping @Sendable () -> Double) -> Double {
        let rates = Collected()
        for _ in 0..<count { Thread { rates.add(probe()) }.start() }
        return rates.total(of: count)
    }

    private final class Collected: @unchecked Sendable {
        // Sendable: the values are guarded by the condition.
        private let condition = NSCondition()
        private var values: [Double] = []

        func add(_ value: Double) {
            condition.withLock { values.append(value) }
            condition.signal()
        }

        func total(of count: Int) -> Double {
            condition.lock()
            defer { condition.unlock() }
            while values.count < count { condition.wait() }
            return values.reduce(0, +)
        }
    }
}
