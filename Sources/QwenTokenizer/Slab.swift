/// A fixed block of memory, filled once and shared read-only afterwards.
///
/// The encoder's inner loops run over raw pointers: the bounds checks and exclusivity checks of `Array` cost about as
/// much there as the work itself. Whoever holds a pointer into a slab keeps the slab alive.
final class Slab<Element: BitwiseCopyable>: @unchecked Sendable {
    // Unchecked: written only before the slab is shared.
    let base: UnsafeMutablePointer<Element>
    let count: Int

    init(repeating value: Element, count: Int) {
        self.count = count
        base = .allocate(capacity: max(count, 1))
        base.initialize(repeating: value, count: max(count, 1))
    }

    init(_ elements: [Element]) {
        count = elements.count
        base = .allocate(capacity: max(count, 1))
        elements.withUnsafeBufferPointer { elements in
            if let first = elements.baseAddress { base.initialize(from: first, count: elements.count) }
        }
    }

    deinit { base.deallocate() }
}
