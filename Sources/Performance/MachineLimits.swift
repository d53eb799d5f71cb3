internal import CKernels
internal import Measuring
package import TensorCore

/// The arithmetic of a product, which a format of weights decides.
package enum Arithmetic: String, Sendable, Hashable, CaseIterable {
    case float32, bfloat16, int8
}

/// What this machine can do at most, measured: 10^9 bytes and operations a second on all threads together.
package struct MachineLimits: Sendable, Equatable, Encodable {
    package var threads: Int
    /// Reading memory that no cache holds.
    package var read: Double
    /// Multiply-adds count as two operations, here and below.
    package var float32: Double
    /// Where the processor has no such instruction, products are made of float32's.
    package var bfloat16: Double
    package var int8: Double

    package init(threads: Int, read: Double, float32: Double, bfloat16: Double, int8: Double) {
        self.threads = threads
        self.read = read
        self.float32 = float32
        self.bfloat16 = bfloat16
        self.int8 = int8
    }

    package func rate(_ arithmetic: Arithmetic) -> Double {
        switch arithmetic {
        case .float32: float32
        case .bfloat16: bfloat16
        case .int8: int8
        }
    }

    /// Takes some tenths of a second: each probe several times, the medians count.
    package static func measure(threads: Int, repetitions: Int = 5) -> MachineLimits {
        func median(_ probe: @escaping @Sendable () -> Double) -> Double {
            Statistic((0..<repetitions).map { _ in ThreadRates.sum(of: threads, probe) }).median
        }
        let float32 = max(median { qv_probe_fma() }, .leastNormalMagnitude)
        let (bfloat16, int8) = (median { qv_probe_bf16() }, median { qv_probe_int8() })
        return MachineLimits(
            threads: threads, read: median { qv_probe_read() }, float32: float32,
            bfloat16: bfloat16 > 0 ? bfloat16 : float32, int8: int8 > 0 ? int8 : float32)
    }

    /// The reading rate alone, which on shared machines changes from second to second.
    package static func measureRead(threads: Int) -> Double { ThreadRates.sum(of: threads) { qv_probe_read() } }
}

extension WeightFormat {
    /// What products with such weights compute in.
    package var arithmetic: Arithmetic {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        // Activations are rounded to 8 bits, and so are weights of 4 on their way into registers.
        case .int8, .int4: .int8
        }
    }
}

extension AttentionFormat {
    package var arithmetic: Arithmetic { self == .float32 ? .float32 : .bfloat16 }
}
