import CKernels
import Synchronization

/// Activation memory that is used again: a step needs the same sizes as the one before.
///
/// Sizes are rounded up to an eighth of their power of two, so that buffers fit neighbours in size.
final class BufferPool: Sendable {
    /// A buffer that nobody uses: whoever holds it may write to it.
    private struct Block: @unchecked Sendable { let pointer: UnsafeMutableRawPointer }

    private struct State {
        var free: [Int: [Block]] = [:]
        var freeBytes = 0
    }

    // What one large picture's vision pass returns; beyond it memory goes back to the system.
    private static let keptBytes = 1 << 30

    private let state = Mutex(State())

    /// Rounded-up size for a request of `byteCount`.
    static func roundedSize(_ byteCount: Int) -> Int {
        let least = max(byteCount, 4096)
        let step = max(4096, (1 << (Int.bitWidth - 1 - (least - 1).leadingZeroBitCount)) / 8)
        return (least + step - 1) / step * step
    }

    /// Memory aligned to 64 bytes, its contents undefined.
    func take(_ size: Int) -> UnsafeMutableRawPointer {
        let reused = state.withLock { state -> Block? in
            guard let block = state.free[size]?.popLast() else { return nil }
            state.freeBytes -= size
            return block
        }
        if let reused { return reused.pointer }
        guard let fresh = qv_memory_allocate(size) else {
            // As Swift's own allocations do; overcommitting systems kill rather than refuse.
            fatalError("out of memory: \(size) bytes for activations")
        }
        return fresh
    }

    func give(_ pointer: UnsafeMutableRawPointer, _ size: Int) {
        let block = Block(pointer: pointer)
        let kept = state.withLock { state -> Bool in
            guard state.freeBytes + size <= Self.keptBytes else { return false }
            state.free[size, default: []].append(block)
            state.freeBytes += size
            return true
        }
        if !kept { qv_memory_release(pointer) }
    }

    deinit {
        for block in state.withLock({ $0.free }).values.joined() { qv_memory_release(block.pointer) }
    }
}
