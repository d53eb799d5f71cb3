import CKernels
package import TensorCore

#if canImport(Darwin)
    import Darwin
#else
    import Foundation
#endif

/// Parts of a step side by side. A small model's step is many short operations, and sharing out each costs more than
/// some of them take; where the weights stay in the cache that all cores share, each thread may as well read them all.
extension CPUBackend {
    /// A whole chunk of prompts: even there eight small prompts go faster side by side. More rows come from a wide batch
    /// alone, whose operations are long enough to be shared out.
    private static let mostRows = 512

    package func lanes(rows: Int, weightBytes: Int) -> Int {
        guard rows <= Self.mostRows, weightBytes <= Self.sharedCacheBytes / 2 else { return 1 }
        return max(1, min(laneBackends.count, rows / 2))
    }

    package func inLanes(_ count: Int, _ body: @Sendable (_ part: Int, _ backend: any Backend) -> Void) {
        precondition(count <= laneBackends.count)
        withoutActuallyEscaping(body) { body in
            var parts = Parts(backends: laneBackends, body: body)
            withUnsafeMutablePointer(to: &parts) { parts in
                qv_pool_run(
                    pool, Int64(count),
                    { context, part, _ in
                        guard let parts = context?.assumingMemoryBound(to: Parts.self) else { return }
                        parts.pointee.body(Int(part), parts.pointee.backends[Int(part)])
                    }, parts)
            }
        }
    }

    private struct Parts {
        let backends: [CPUBackend]
        let body: @Sendable (Int, any Backend) -> Void
    }

    /// Bytes of the cache that cores share; 0 where the system does not say.
    private static let sharedCacheBytes: Int = {
        #if canImport(Darwin)
            var bytes: Int64 = 0
            var size = MemoryLayout<Int64>.size
            return sysctlbyname("hw.perflevel0.l2cachesize", &bytes, &size, nil, 0) == 0 ? Int(bytes) : 0
        #else
            // "32768K"
            let text = try? String(contentsOfFile: "/sys/devices/system/cpu/cpu0/cache/index3/size", encoding: .utf8)
            let digits = text?.prefix { $0.isNumber } ?? ""
            return (Int(digits) ?? 0) * (text?.dropFirst(digits.count).first == "M" ? 1 << 20 : 1 << 10)
        #endif
    }()
}
