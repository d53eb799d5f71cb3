import CKernels
import Foundation

/// What formats of weights cost in accuracy, for values of several distributions: the error, root of mean squares, against
/// the values' size. Beside them llama.cpp's Q4_0 and Q8_0, as their definitions have them.
struct RoundingErrors {
    let kernels: OpaquePointer
    let pool: OpaquePointer

    private static let (rows, columns) = (4096, 512)

    func report() {
        print("values                     Q4_0      int4      Q8_0      int8")
        for distribution in Distribution.allCases {
            let values = distribution.values(Self.rows * Self.columns)
            let size = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let results = [
                values.blocks(of: 32, Self.q4), rounded(values, QV_WEIGHT_I4), values.blocks(of: 32, Self.q8),
                rounded(values, QV_WEIGHT_I8),
            ]
            let errors = results.map { result in
                let error = zip(result, values).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }.squareRoot()
                return String(format: "%8.3f %%", error / size * 100)
            }
            print(distribution.rawValue.padding(toLength: 22, withPad: " ", startingAt: 0) + errors.joined())
        }
    }

    /// Through packing and a product with the unit matrix, whose rows are exact in 8 bits.
    private func rounded(_ values: [Float], _ format: qv_weight_format) -> [Float] {
        let (rows, columns) = (Self.rows, Self.columns)
        let packed = Memory(qv_matrix_bytes(kernels, format, Int64(rows), Int64(columns)))
        qv_matrix_pack(
            kernels, pool, format, Int64(rows), Int64(columns), values, QV_TYPE_F32, 0, Int64(rows), packed.raw)
        var matrix = qv_matrix(format: format, rows: Int64(rows), columns: Int64(columns), data: packed.raw, bias: nil)
        var unit = [Float](repeating: 0, count: columns * columns)
        for i in 0..<columns { unit[i * columns + i] = 127 }
        var transposed = [Float](repeating: 0, count: rows * columns)
        withUnsafePointer(to: &matrix) { matrix in
            unit.withUnsafeBufferPointer { unit in
                transposed.withUnsafeMutableBufferPointer { result in
                    var arguments = qv_linear_args(
                        count: Int64(columns), x: unit.baseAddress, x_stride: Int64(columns), y: result.baseAddress,
                        y_stride: Int64(rows), weight: matrix, gate: nil, epilogue: QV_EPILOGUE_NONE)
                    let scratch = Memory(qv_linear_scratch(kernels, pool, &arguments))
                    qv_linear(kernels, pool, &arguments, scratch.raw)
                }
            }
        }
        return (0..<values.count).map { transposed[$0 % columns * rows + $0 / columns] / 127 }
    }

    private static func q4(_ block: ArraySlice<Float>) -> [Float] {
        let extreme = block.max { abs($0) < abs($1) } ?? 0
        let step = extreme / -8
        let scale = step  // theirs is float16: within 0.05 %
        return block.map { step == 0 ? 0 : (min(15, ($0 / step + 8.5).rounded(.down)) - 8) * scale }
    }

    private static func q8(_ block: ArraySlice<Float>) -> [Float] {
        let step = (block.map { abs($0) }.max() ?? 0) / 127
        let scale = step  // theirs is float16: within 0.05 %
        return block.map { step == 0 ? 0 : ($0 / step).rounded() * scale }
    }
}

private enum Distribution: String, CaseIterable {
    case normal
    case student = "Student's t, 4"
    case rareOutliers = "one in 500 tenfold"
    case shifted = "every other 32 shifted"

    func values(_ count: Int) -> [Float] {
        var generator = Normal()
        return (0..<count).map { i in
            let value = generator.next()
            switch self {
            case .normal: return Float(value)
            case .student:
                let squares = (0..<4).reduce(0.0) { sum, _ in sum + pow(generator.next(), 2) }
                return Float(value / (squares / 4).squareRoot())
            case .rareOutliers: return Float(generator.uniform() < 0.002 ? value * 10 : value)
            case .shifted: return Float(value * 0.8 + (i / 32 % 2 == 1 ? 0.6 : 0))
            }
        }
    }
}

/// Normal deviates by Box and Muller's method, from SplitMix64 (Steele et al. 2014): the same in every run.
private struct Normal {
    private var state: UInt64 = 1

    mutating func uniform() -> Double {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }

    mutating func next() -> Double {
        (-2 * log(uniform() + 1e-300)).squareRoot() * cos(2 * .pi * uniform())
    }
}

extension [Float] {
    fileprivate func blocks(of size: Int, _ round: (ArraySlice<Float>) -> [Float]) -> [Float] {
        stride(from: 0, to: count, by: size).flatMap { round(self[$0..<Swift.min($0 + size, count)]) }
    }
}
