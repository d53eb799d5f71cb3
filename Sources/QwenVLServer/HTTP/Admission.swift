import Synchronization

/// Counts requests that are being read, prepared or answered, so that their number, and with it the memory that
/// their bodies and pictures take, has a bound.
final class Admission: Sendable {
    private let limit: Int
    private let count = Mutex(0)

    init(limit: Int) { self.limit = limit }

    /// Requests under way.
    var current: Int { count.withLock { $0 } }

    /// A place for one request.
    /// - Throws: ``APIError/overloaded`` when there is none.
    func enter() throws -> Place {
        let entered = count.withLock { count in
            if count >= limit { return false }
            count += 1
            return true
        }
        guard entered else { throw APIError.overloaded }
        return Place(self)
    }

    /// Held as long as the request is under way; given back whatever becomes of it.
    final class Place: Sendable {
        private let admission: Admission
        fileprivate init(_ admission: Admission) { self.admission = admission }
        deinit { admission.count.withLock { $0 -= 1 } }
    }
}
