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

    convenience init(_ elements: [Element]) {
        guard let first = elements.first else {
            self.init(zeroedCount: 0)
            return
        }
        self.init(repeating: first, count: elements.count)
        for (i, element) in elements.enumerated() { base[i] = element }
    }

    private init(zeroedCount count: Int) {
        self.count = count
        let bytes = max(count, 1) * MemoryLayout<Element>.stride
        let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: MemoryLayout<Element>.alignment)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        base = raw.assumingMemoryBound(to: Element.self)
    }

    deinit { base.deallocate() }

    subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count)
        return base[index]
    }
}
