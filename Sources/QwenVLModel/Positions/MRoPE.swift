import Checkpoint
import Foundation
import TensorCore

/// Rotary embedding on three axes: a head's frequencies are dealt out to time, height and width in sections.
/// Source: `apply_multimodal_rotary_pos_emb` of the reference.
struct MRoPE: Sendable {
    let frequencies: RotaryFrequencies
    /// Frequencies of each axis; they sum to headSize / 2.
    let sections: [Int]

    init(config: ModelConfig.Text) {
        frequencies = RotaryFrequencies(
            headSize: config.headSize, theta: Float(config.rope.theta), scaling: config.rope.yarn)
        sections = config.rope.sections
    }

    /// Cosines and sines for each row of a step, [rows, headSize / 2].
    func table(_ positions: MRoPEPositions, backend: any Backend) -> RotaryTable {
        let width = frequencies.count
        var cosines = [Float](repeating: 0, count: positions.count * width)
        var sines = cosines
        let axes = [positions.time, positions.height, positions.width]
        for row in 0..<positions.count {
            var column = 0
            for (axis, section) in sections.enumerated() {
                let position = Float(axes[axis][row])
                for _ in 0..<section {
                    let angle = position * frequencies.values[column]
                    cosines[row * width + column] = cos(angle) * frequencies.scale
                    sines[row * width + column] = sin(angle) * frequencies.scale
                    column += 1
                }
            }
        }
        return RotaryTable(
            cosine: cosines.withUnsafeBufferPointer { backend.makeTensor($0, rows: positions.count, columns: width) },
            sine: sines.withUnsafeBufferPointer { backend.makeTensor($0, rows: positions.count, columns: width) })
    }
}
