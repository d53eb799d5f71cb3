import CKernels
import Foundation
package import TensorCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The CPU: kernels in C, chosen for the processor at run time, and a fork-join pool.
package final class CPUBackend: Backend, @unchecked Sendable {
    // Sendable by convention: one thread at a time uses a backend (see `Backend`).
    let kernels: OpaquePointer
    let pool: OpaquePointer
    let buffers = BufferPool()
    private var scratch: (memory: UnsafeMutableRawPointer, size: Int)?
    /// Backends of one thread, one for each of this one's threads; none where it has only one itself.
    let laneBackends: [CPUBackend]

    package let threads: Int
    package let instructionSet: String
    package var name: String { "CPU \(instructionSet), \(threads) thread\(threads == 1 ? "" : "s")" }

    /// - Parameters:
    ///   - threads: compute threads, the calling one included; nil for one per physical core.
    ///   - instructionSet: a kernel table by name; nil for the best (or what `QWENVL_ISA` names).
    package init(threads: Int? = nil, instructionSet: String? = nil) throws(BackendError) {
        let table = instructionSet.map { qv_kernels_named($0) } ?? qv_kernels_best()
        guard let table else {
            let asked = instructionSet ?? getenv("QWENVL_ISA").map { String(cString: $0) } ?? ""
            throw .instructionSetUnavailable(name: asked, available: Self.availableInstructionSets)
        }
        let count = threads ?? Self.physicalCores
        guard count >= 1, let pool = qv_pool_create(Int32(clamping: count)) else {
            throw .threadsUnavailable(count: count)
        }
        let threads = Int(qv_pool_threads(pool))
        var laneBackends: [CPUBackend] = []
        if threads > 1 {
            for _ in 0..<threads {
                laneBackends.append(try CPUBackend(threads: 1, instructionSet: String(cString: qv_kernels_name(table))))
            }
        }
        kernels = table
        self.pool = pool
        self.threads = threads
        self.laneBackends = laneBackends
        self.instructionSet = String(cString: qv_kernels_name(table))
    }

    deinit {
        if let scratch { buffers.give(scratch.memory, scratch.size) }
        qv_pool_destroy(pool)
    }

    /// Kernel tables that this processor can run, slowest first.
    package static var availableInstructionSets: [String] {
        var names: [String] = []
        var next = qv_kernels_available()
        while let list = next, let name = list.pointee {
            names.append(String(cString: name))
            next = list + 1
        }
        return names
    }

    /// Hyperthreads share the vector units that products saturate, so cores are what counts.
    package static var physicalCores: Int {
        #if canImport(Darwin)
            var count: Int32 = 0
            var size = MemoryLayout<Int32>.size
            if sysctlbyname("hw.perflevel0.physicalcpu", &count, &size, nil, 0) == 0, count > 0 { return Int(count) }
            return max(1, ProcessInfo.processInfo.activeProcessorCount)
        #else
            return max(1, ProcessInfo.processInfo.activeProcessorCount / threadsPerCore)
        #endif
    }

    #if !canImport(Darwin)
        /// From the kernel's list of the first core's threads: "0", "0-1" or "0,32".
        private static var threadsPerCore: Int {
            guard let file = fopen("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "r") else { return 1 }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 64)
            guard fgets(&line, 64, file) != nil else { return 1 }
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return max(1, text.split { $0 == "," || $0 == "-" }.count)
        }
    #endif

    // MARK: Memory

    package func makeTensor(rows: Int, columns: Int) -> Tensor {
        let size = BufferPool.roundedSize(rows * columns * MemoryLayout<Float>.size)
        let buffers = buffers
        let storage = Storage(base: buffers.take(size), byteCount: size) { base, _ in buffers.give(base, size) }
        return Tensor(storage: storage, rows: rows, columns: columns)
    }

    package func makeTensor(_ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int) -> Tensor {
        precondition(values.count == rows * columns)
        let tensor = makeTensor(rows: rows, columns: columns)
        if let source = values.baseAddress { tensor.pointer.update(from: source, count: values.count) }
        return tensor
    }

    package func read(_ tensor: Tensor) -> [Float] {
        [Float](unsafeUninitializedCapacity: tensor.rows * tensor.columns) { buffer, count in
            guard let target = buffer.baseAddress else { return }
            for row in 0..<tensor.rows {
                (target + row * tensor.columns).initialize(
                    from: tensor.pointer + row * tensor.rowStride, count: tensor.columns)
            }
            count = tensor.rows * tensor.columns
        }
    }

    /// Scratch memory of at least `byteCount` bytes, valid until the next call.
    func scratch(_ byteCount: Int) -> UnsafeMutableRawPointer {
        if let scratch, scratch.size >= byteCount { return scratch.memory }
        if let scratch { buffers.give(scratch.memory, scratch.size) }
        let size = BufferPool.roundedSize(byteCount)
        let fresh = buffers.take(size)
        scratch = (fresh, size)
        return fresh
    }

    package func setActive(_ active: Bool) { qv_pool_set_active(pool, active) }
}

extension Tensor {
    /// The first element.
    var pointer: UnsafeMutablePointer<Float> { storage.base.assumingMemoryBound(to: Float.self) + offset }
    var stride: Int64 { Int64(rowStride) }
}
