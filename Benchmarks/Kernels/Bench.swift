import CKernels
import Foundation
import Measuring

/// What a rate is measured against.
enum Limit: Hashable {
    case read
    case float32
    case bfloat16
    case int8
}

extension qv_weight_format {
    var name: String { ["f32", "bf16", "i8", "i4"][Int(rawValue)] }
    /// What bounds products of this format.
    var limit: Limit { [.float32, .bfloat16, .int8, .int8][Int(rawValue)] }
}

/// Memory as the backend allocates it.
final class Memory {
    let raw: UnsafeMutableRawPointer
    let count: Int

    init(_ count: Int) {
        self.count = count
        guard let raw = qv_memory_allocate(count) else { preconditionFailure("no \(count) bytes of memory") }
        self.raw = raw
    }

    /// `count` float32 in -1 ..< 1, the same in every run.
    convenience init(floats count: Int, seed: UInt32 = 1) {
        self.init(count * 4)
        var state = seed
        for i in 0..<count {
            state = state &* 1_664_525 &+ 1_013_904_223
            floats[i] = Float(Int32(bitPattern: state) >> 8) * 0x1p-23
        }
    }

    var floats: UnsafeMutablePointer<Float> { raw.assumingMemoryBound(to: Float.self) }

    deinit { qv_memory_release(raw) }
}

/// Times cases and reports them.
final class Bench {
    let kernels: OpaquePointer
    let pool: OpaquePointer
    let repetitions: Int
    let cpuTime: Bool
    let filter: String?
    let report: Report
    var limits: [Limit: Double] = [:]

    init(kernels: OpaquePointer, pool: OpaquePointer, repetitions: Int, cpuTime: Bool, filter: String?, report: Report)
    {
        (self.kernels, self.pool, self.repetitions, self.cpuTime) = (kernels, pool, repetitions, cpuTime)
        (self.filter, self.report) = (filter, report)
    }

    func wants(_ name: String) -> Bool { filter.map { name.contains($0) } ?? true }

    /// Median seconds of a call; one call goes ahead unmeasured.
    func seconds(_ body: () -> Void) -> Double {
        body()
        let times = (0..<repetitions).map { _ in
            let start = now()
            body()
            return now() - start
        }.sorted()
        return times[times.count / 2]
    }

    private func now() -> Double {
        var time = timespec()
        clock_gettime(cpuTime ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// `amount` operations or bytes a call.
    func measure(_ name: String, amount: Double, limit: Limit, _ body: () -> Void) {
        let time = seconds(body)
        report.row(name: name, seconds: time, rate: amount / time * 1e-9, limit: limit, of: limits[limit])
    }

    /// The reading and arithmetic limits, on one thread and on all.
    func measureLimits(threads: Int) {
        for count in Set([1, threads]).sorted() {
            for (limit, name, probe) in [
                (Limit.read, "memory read", qv_probe_read), (.float32, "float32 FMA", qv_probe_fma),
                (.bfloat16, "bfloat16 dot", qv_probe_bf16), (.int8, "int8 dot", qv_probe_int8),
            ] {
                var rates: [Double] = []
                for _ in 0..<5 { rates.append(ThreadRates.sum(of: count, probe)) }
                let rate = rates.sorted()[2]
                if rate == 0 { continue }  // no such instruction here
                limits[limit] = rate
                report.row(
                    name: "\(name), \(count) thread\(count == 1 ? "" : "s")", seconds: nil, rate: rate, limit: limit,
                    of: nil)
            }
        }
        // Without the instruction a bfloat16 product is made of float32 FMAs.
        limits[.bfloat16] = limits[.bfloat16] ?? limits[.float32]
        limits[.int8] = limits[.int8] ?? limits[.float32]
    }
}
