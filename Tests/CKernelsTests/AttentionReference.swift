import CKernels
import Foundation
import Testing

/// Rows of heads, [rows, heads * headSize].
struct Rows {
    var values: [Float]
    let heads: Int
    let headSize: Int

    var width: Int { heads * headSize }

    subscript(row: Int, head: Int) -> ArraySlice<Float> {
        let start = row * width + head * headSize
        return values[start..<(start + headSize)]
    }
}

/// softmax(q kᵀ scale) v in double precision for one query over some keys, with a bound on what float32 may err.
func attention(
    query: ArraySlice<Float>, keys: [ArraySlice<Float>], values: [ArraySlice<Float>], scale: Double,
    format: qv_weight_format
) -> (out: [Double], tolerance: Double) {
    let q = query.map { seen($0, format) }
    var scoreError = 0.0
    let scores = keys.map { key in
        var sum = 0.0
        var magnitude = 0.0
        for (a, b) in zip(q, key) {
            sum += a * seen(b, format)
            magnitude += abs(a * seen(b, format))
        }
        scoreError = max(scoreError, magnitude * abs(scale))
        return sum * scale
    }
    let maximum = scores.max() ?? 0
    let weights = scores.map { exp($0 - maximum) }
    let total = weights.reduce(0, +)
    var out = [Double](repeating: 0, count: q.count)
    var largest = 0.0
    for (weight, value) in zip(weights, values) {
        for (i, x) in value.enumerated() {
            out[i] += weight / total * seen(x, format)
            largest = max(largest, abs(seen(x, format)))
        }
    }
    // A score off by d changes its probability by a factor of 1 + d, twice over with the sum's; a probability rounded
    // to bfloat16 by one of 1 + 2^-9.
    let probability = 2 * roundoff * (Double(q.count).squareRoot() + 8) * max(1, scoreError)
    let sums = roundoff * (Double(keys.count).squareRoot() + 16)
    return (out, largest * (probability + sums + (format == QV_WEIGHT_BF16 ? 0x1p-9 : 0)))
}
