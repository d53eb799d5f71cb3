import CPUBackend
package import Checkpoint
import Foundation
package import QwenVLModel
import TensorCore

extension EngineOptions.Weights {
    var format: WeightFormat {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .int8: .int8
        case .int4: .int4
        }
    }

    init(_ format: WeightFormat) {
        self =
            switch format {
            case .float32: .float32
            case .bfloat16: .bfloat16
            case .int8: .int8
            case .int4: .int4
            }
    }

    /// The vision tower's format beside a language model in this one: 4 bits cost it more than they save.
    var besideInVision: Self { self == .int4 ? .int8 : self }
}

extension EngineOptions {
    /// The formats of a model that comes from no checkpoint.
    package var formats: QwenVLModel.Formats {
        let text = weights ?? .bfloat16
        return QwenVLModel.Formats(text: text.format, vision: (visionWeights ?? text.besideInVision).format)
    }

    /// The formats of a checkpoint's two halves.
    /// - Throws: ``QwenVLError`` when a quantised half is asked for in another format.
    package func formats(for config: ModelConfig, in directory: String) throws -> QwenVLModel.Formats {
        let text = try Self.format(
            asked: weights, stored: config.packing?.text, field: "weights", directory: directory)
        let vision = try Self.format(
            asked: visionWeights, stored: config.packing?.vision, field: "vision weights", directory: directory)
        let chosen = text ?? Self.largestThatFits(config)
        return QwenVLModel.Formats(text: chosen.format, vision: (vision ?? chosen.besideInVision).format)
    }

    private static func format(
        asked: Weights?, stored: WeightFormat?, field: String, directory: String
    ) throws -> Weights? {
        guard let stored else { return asked }
        guard stored.isQuantized else { return asked ?? Weights(stored) }
        if let asked, asked.format != stored {
            throw QwenVLError.unsupported(
                field: field,
                reason: "\(directory) is quantised: expected \(stored.rawValue) or nothing, found \(asked.rawValue)")
        }
        return Weights(stored)
    }

    /// bfloat16 is what the checkpoints are; what does not fit would be slower by orders of magnitude.
    private static func largestThatFits(_ config: ModelConfig) -> Weights {
        guard let free = SystemMemory.available else { return .bfloat16 }
        return [Weights.bfloat16, .int8].first {
            QwenVLModel.Formats(text: $0.format, vision: $0.besideInVision.format).byteCount(config) + workingMemory
                <= free
        } ?? .int4
    }

    /// Activations of a large picture and a cache of some thousand tokens.
    private static let workingMemory = 2 << 30
}

/// Memory that programs may still take.
enum SystemMemory {
    /// Bytes; nil where the system does not tell.
    static var available: Int? {
        #if os(Linux)
            guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else { return nil }
            for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
                let digits = line.drop { !$0.isNumber }.prefix { $0.isNumber }
                return Int(digits).map { $0 << 10 }
            }
            return nil
        #else
            return Int(clamping: ProcessInfo.processInfo.physicalMemory)
        #endif
    }
}
