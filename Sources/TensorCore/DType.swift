/// The element types a checkpoint's tensors may have, named as in safetensors.
package enum DType: String, Sendable, CaseIterable {
    case float32 = "F32"
    case bfloat16 = "BF16"
    case float16 = "F16"

    /// Bytes per element.
    package var size: Int { self == .float32 ? 4 : 2 }
}

/// How a backend keeps a weight matrix, and thereby the arithmetic of products with it.
package enum WeightFormat: String, Sendable, CaseIterable {
    /// Everything in float32: the mode that is compared with the reference.
    case float32
    /// Weights and incoming activations in bfloat16, sums in float32.
    case bfloat16
}
