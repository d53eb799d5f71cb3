/// The element types a checkpoint's tensors may have, named as in safetensors.
package enum DType: String, Sendable, CaseIterable {
    case float32 = "F32"
    case bfloat16 = "BF16"
    case float16 = "F16"

    /// Bytes per element.
    package var size: Int { self == .float32 ? 4 : 2 }
}

/// How a backend keeps a weight matrix, and thereby the arithmetic of products with it.
package enum WeightFormat: String, Sendable, CaseIterable, Codable {
    /// Everything in float32: the mode that is compared with the reference.
    case float32
    /// Weights and incoming activations in bfloat16, sums in float32.
    case bfloat16
    /// Weights in 8 bits, a scale for every 128 inputs of an output; incoming activations likewise, as they come.
    case int8
    /// Weights in 4 bits, a step and a zero point for every 32 inputs of an output; activations as with `int8`.
    case int4

    /// Whether activations are rounded to 8 bits as they enter products.
    package var isQuantized: Bool { self == .int8 || self == .int4 }

    /// Bits that one weight takes, its share of scales included (padding to whole blocks apart).
    package var bitsPerWeight: Double {
        switch self {
        case .float32: 32
        case .bfloat16: 16
        case .int8: 8.125
        case .int4: 4.375
        }
    }

    /// What attention computes in beside weights of this format, and how the cache keeps keys and values.
    package var attention: AttentionFormat { self == .float32 ? .float32 : .bfloat16 }
}

/// The arithmetic of attention, and the format of keys and values.
package enum AttentionFormat: String, Sendable, CaseIterable {
    case float32
    /// Queries, keys, values and probabilities in bfloat16; scores, sums and maxima in float32.
    case bfloat16
}
