import Checkpoint
import Foundation

/// The inverse frequencies of a rotary embedding, in float32 as the reference computes them.
struct RotaryFrequencies: Sendable {
    /// Radians per position, one for each pair of a head's elements.
    let values: [Float]
    /// Factor on cosines and sines (YaRN's attention factor, else 1).
    let scale: Float
    var count: Int { values.count }

    /// 1 / base^(2i / dimensions)
    init(dimensions: Int, base: Float) {
        values = Self.plain(dimensions: dimensions, base: base).map { 1 / $0 }
        scale = 1
    }

    /// - Parameter scaling: YaRN (https://arxiv.org/abs/2309.00071), or nil.
    init(headSize: Int, theta: Float, scaling: ModelConfig.YaRN?) {
        guard let scaling else {
            values = Self.plain(dimensions: headSize, base: theta).map { 1 / $0 }
            scale = 1
            return
        }
        // The correction range counts rotations within the original length, as the paper has it.
        let original = Double(scaling.originalMaximumPositions)
        func dimension(rotations: Double) -> Double {
            Double(headSize) * log(original / (rotations * 2 * .pi)) / (2 * log(Double(theta)))
        }
        let low = max(dimension(rotations: scaling.betaFast).rounded(.down), 0)
        let high = min(dimension(rotations: scaling.betaSlow).rounded(.up), Double(headSize - 1))
        // Equal ends would divide by zero: the reference widens them by this much.
        let width = Float(high == low ? 0.001 : high - low)
        values = Self.plain(dimensions: headSize, base: theta).enumerated().map { index, power in
            let ramp = min(max((Float(index) - Float(low)) / width, 0), 1)
            let keep = 1 - ramp
            return 1 / (Float(scaling.factor) * power) * (1 - keep) + 1 / power * keep
        }
        scale = Float(scaling.attentionFactor)
    }

    private static func plain(dimensions: Int, base: Float) -> [Float] {
        stride(from: 0, to: dimensions, by: 2).map { pow(base, Float($0) / Float(dimensions)) }
    }

    /// function(position * frequency) for positions 0 ..< positions: [positions, count], row-major.
    func table(positions: Int, _ function: (Float) -> Float) -> [Float] {
        (0..<positions).flatMap { position in values.map { function(Float(position) * $0) * scale } }
    }
}
