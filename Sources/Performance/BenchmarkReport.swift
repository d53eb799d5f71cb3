package import Measuring
import QwenVL
import QwenVLModel
package import TensorCore

/// What `Benchmark` measured. Seconds; rates in 10^9 a second; shares are the time that the machine's limits allow over
/// the time measured.
package struct BenchmarkReport: Sendable, Encodable {
    package let model: String
    package let textWeights: WeightFormat
    package let visionWeights: WeightFormat
    package let backend: String
    package let repetitions: Int
    package let limits: MachineLimits
    package let loading: Loading
    package let pictures: [Picture]
    package let prefill: Text?
    package let decode: Text?
    package let batch: Text?
    /// The most that was resident while answering.
    package let peakBytes: Int

    package struct Loading: Sendable, Encodable {
        package let seconds: Double
        /// The most that was resident meanwhile.
        package let peakBytes: Int
    }

    /// Some part of the work.
    package struct Phase: Sendable, Encodable {
        package let seconds: Statistic
        package let operations: Double
        package let share: Double
    }

    package struct Picture: Sendable, Encodable {
        package let width: Int
        package let height: Int
        package let patches: Int
        package let pixelsPerPatch: Int
        /// Of the picture alone, and of the prompt around it.
        package let tokens: Int
        package let promptTokens: Int
        /// From pixels to patches.
        package let preparing: Statistic
        package let vision: Phase
        package let windowed: Phase
        package let fullAttention: Phase
        package let embeddingAndMerger: Phase
        package let prefill: Phase
        /// Preparing, vision and prefill.
        package let firstToken: Phase
    }

    package struct Text: Sendable, Encodable {
        package let conversations: Int
        /// Tokens of each before the first that was measured.
        package let context: Int
        /// Over all conversations.
        package let tokens: Int
        package let seconds: Statistic
        package let tokensPerSecond: Double
        package let share: Double
        /// Weights and cache that were read.
        package var bytesPerSecond: Double?
    }

    init(
        request: BenchmarkRequest, formats: QwenVLModel.Formats, backend: String, limits: MachineLimits,
        loading: Loading,
        pictures: [Picture], prefill: Text?, decode: Text?, batch: Text?, peakBytes: Int
    ) {
        switch request.source {
        case .directory(let path): model = path
        case .shape(let shape): model = "\(shape.label), random weights"
        }
        (textWeights, visionWeights) = (formats.text, formats.vision)
        self.backend = backend
        repetitions = request.repetitions
        self.limits = limits
        self.loading = loading
        self.pictures = pictures
        self.prefill = prefill
        self.decode = decode
        self.batch = batch
        self.peakBytes = peakBytes
    }
}
