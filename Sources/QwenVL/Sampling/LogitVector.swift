/// Whole-vocabulary passes over logits, 16 lanes at a time: plain SIMD types, so one code for every platform.
enum LogitVector {
    typealias Lanes = SIMD16<Float>

    /// The greatest element, and whether any is not a number. An empty buffer has -infinity.
    static func maximum(_ values: UnsafeBufferPointer<Float>) -> (value: Float, hasNaN: Bool) {
        var greatest = Lanes(repeating: -.infinity)
        var ordered = SIMDMask<SIMD16<Int32>>(repeating: true)
        forEachLanes(values, padding: -.infinity) { _, lanes in
            ordered = ordered .& (lanes .== lanes)
            greatest.replace(with: lanes, where: lanes .> greatest)
        }
        return (greatest.max(), !all(ordered))
    }

    /// The index of the first greatest element.
    static func firstIndex(of value: Float, in values: UnsafeBufferPointer<Float>) -> Int? {
        var found: Int?
        let whole = values.count / 16 * 16
        var index = 0
        while index < whole, found == nil {
            if any(load(values, index) .== Lanes(repeating: value)) { found = index }
            index += 16
        }
        let start = found ?? whole
        return values[start...].firstIndex(of: value)
    }

    /// The sum of exp(value - maximum).
    static func sumOfExponentials(_ values: UnsafeBufferPointer<Float>, maximum: Float) -> Double {
        var total = 0.0
        var partial = Lanes.zero
        forEachLanes(values, padding: -.infinity) { index, lanes in
            partial += exponential(lanes - maximum)
            // Short float32 runs, added up in float64: 64 terms lose less than 2⁻¹⁸.
            if index & 1023 == 0 {
                total += Double(partial.sum())
                partial = .zero
            }
        }
        return total + Double(partial.sum())
    }

    /// exp of numbers up to 0, within 2 units in the last place; 0 below ``underflow``.
    static func exponential(_ x: Lanes) -> Lanes {
        let isTiny = x .< Lanes(repeating: underflow)
        let clamped = x.replacing(with: 0, where: isTiny)
        // Adding 1.5 · 2²³ rounds to the nearest integer, which then stands in the low bits of the mantissa.
        let shifted = clamped * 1.442_695_04 + 12_582_912
        let exponent = shifted - 12_582_912
        // ln 2 in two parts, so that the remainder is exact (Cody and Waite).
        let r = (clamped - exponent * 0.693_359_375) - exponent * -2.121_944_4e-4
        var series = Lanes(repeating: 1 / 5040)
        for coefficient: Float in [1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1, 1] { series = series * r + coefficient }
        let bits = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23
        let power = unsafeBitCast(bits &+ SIMD16(repeating: 0x3F80_0000), to: Lanes.self)
        return (series * power).replacing(with: 0, where: isTiny)
    }

    /// Below this, exp is smaller than the least normal float32: no such token is ever drawn.
    static let underflow: Float = -87

    static func load(_ values: UnsafeBufferPointer<Float>, _ index: Int) -> Lanes {
        UnsafeRawBufferPointer(values).loadUnaligned(fromByteOffset: index * 4, as: Lanes.self)
    }

    static func forEachLanes(
        _ values: UnsafeBufferPointer<Float>, padding: Float, _ body: (_ index: Int, _ lanes: Lanes) -> Void
    ) {
        var index = 0
        while index + 16 <= values.count {
            body(index, load(values, index))
            index += 16
        }
        if index < values.count {
            var last = Lanes(repeating: padding)
            for lane in 0..<values.count - index { last[lane] = values[index + lane] }
            body(index, last)
        }
    }
}
