import Foundation
package import TensorCore

/// The shape of a Qwen2.5-VL model: everything `config.json` says that computing depends on. Every value has been
/// checked on the way in.
package struct ModelConfig: Sendable, Equatable, Codable {
    package var text: Text
    package var vision: Vision
    package var tokens: SpecialTokens
    /// The formats of a checkpoint that this program has quantised; nil for any other.
    package var packing: Packing?

    /// What `quantization_config` says of the two halves. A half that is not quantised is stored as usual.
    package struct Packing: Sendable, Equatable, Codable {
        package var text: WeightFormat
        package var vision: WeightFormat

        package init(text: WeightFormat, vision: WeightFormat) {
            self.text = text
            self.vision = vision
        }

        /// `quant_method` of such checkpoints.
        package static let method = "qwenvl"
        /// Of the layout; raised whenever older programs would misread it.
        package static let version = 1
    }

    /// The text decoder.
    package struct Text: Sendable, Equatable, Codable {
        package var hiddenSize: Int
        package var layers: Int
        package var heads: Int
        /// Divides `heads`.
        package var keyValueHeads: Int
        /// Even. `hiddenSize / heads`, unless the file has `head_dim`.
        package var headSize: Int
        package var intermediateSize: Int
        package var vocabularySize: Int
        /// `max_position_embeddings`: the context without YaRN.
        package var maximumPositions: Int
        package var rmsNormEpsilon: Double
        /// Whether the output head is the embedding table.
        package var tiesWordEmbeddings: Bool
        package var rope: Rope

        /// Tokens of context: `maximumPositions`, or what YaRN extends the original length to, if that is more.
        package var contextLength: Int {
            guard let yarn = rope.yarn else { return maximumPositions }
            return max(maximumPositions, Int(yarn.factor * Double(yarn.originalMaximumPositions)))
        }
    }

    /// Rotary positions of the decoder.
    package struct Rope: Sendable, Equatable, Codable {
        package var theta: Double
        /// How many of the `headSize / 2` frequencies turn with time, height and width: three counts that sum to it.
        package var sections: [Int]
        package var yarn: YaRN?

        package init(theta: Double, sections: [Int], yarn: YaRN? = nil) {
            self.theta = theta
            self.sections = sections
            self.yarn = yarn
        }
    }

    /// Context extension after https://arxiv.org/abs/2309.00071.
    package struct YaRN: Sendable, Equatable, Codable {
        package var factor: Double
        /// The length the correction range is computed from.
        package var originalMaximumPositions: Int
        package var betaFast: Double
        package var betaSlow: Double
        /// Multiplies cosine and sine: the file's, otherwise 0.1 ln(factor) + 1.
        package var attentionFactor: Double

        package init(
            factor: Double, originalMaximumPositions: Int, betaFast: Double = 32, betaSlow: Double = 1,
            attentionFactor: Double? = nil
        ) {
            self.factor = factor
            self.originalMaximumPositions = originalMaximumPositions
            self.betaFast = betaFast
            self.betaSlow = betaSlow
            self.attentionFactor = attentionFactor ?? 0.1 * log(factor) + 1
        }
    }

    /// The vision tower.
    package struct Vision: Sendable, Equatable, Codable {
        package var depth: Int
        package var hiddenSize: Int
        /// Divides `hiddenSize` into heads whose size is a multiple of 4.
        package var heads: Int
        package var intermediateSize: Int
        package var inChannels: Int
        /// Pixels along a patch.
        package var patchSize: Int
        /// Frames in a patch.
        package var temporalPatchSize: Int
        /// Patches along a merged cell.
        package var mergeSize: Int
        /// Pixels along a window: a multiple of `patchSize * mergeSize`.
        package var windowSize: Int
        /// Blocks that attend to a whole frame, ascending.
        package var fullAttentionBlocks: [Int]
        package var tokensPerSecond: Int
        /// The decoder's hidden size.
        package var outHiddenSize: Int
        /// No file states it; the reference fixes it at 1e-6.
        package var rmsNormEpsilon: Double

        package var headSize: Int { hiddenSize / heads }
        /// Values in a patch: the columns of the patch embedding.
        package var patchElements: Int { inChannels * temporalPatchSize * patchSize * patchSize }
        /// Width of the merger's input.
        package var mergedSize: Int { hiddenSize * mergeSize * mergeSize }
        /// Merged cells along a window.
        package var windowCells: Int { windowSize / (patchSize * mergeSize) }
    }

    /// Ids that stand for pictures and videos in a prompt.
    package struct SpecialTokens: Sendable, Equatable, Codable {
        package var image: Int
        package var video: Int
        package var visionStart: Int
        package var visionEnd: Int

        package init(image: Int, video: Int, visionStart: Int, visionEnd: Int) {
            self.image = image
            self.video = video
            self.visionStart = visionStart
            self.visionEnd = visionEnd
        }
    }
}
