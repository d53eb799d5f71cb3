package import TensorCore

/// What share of the machine's limits each part of the work reaches: measured with `qwenvl bench`, here written down so
/// that a plan can foretell without measuring. A share is the time at the limits over the time taken.
package struct Efficiency: Sendable, Equatable {
    package var windowedBlocks: Double
    package var fullAttentionBlocks: Double
    package var embeddingAndMerger: Double
    package var prefill: Double
    package var decode: Double
    /// Several conversations decoded together: between reading and computing, both count.
    package var batchDecode: Double

    // Two cores of Zen 4 (avx512bf16), 3B shape. float32 is the kernels' own share; bfloat16 the whole model's
    // (docs/kernels.md). 8 and 4 bits: prompts, pictures and batches from `qwenvl bench` (Benchmarks/README.md), one row
    // from docs/kernels.md. Windows are bound by reading queries, keys and values more than by products.
    package static func of(_ format: WeightFormat) -> Efficiency {
        switch format {
        case .float32:
            Efficiency(
                windowedBlocks: 0.8, fullAttentionBlocks: 0.8, embeddingAndMerger: 0.85, prefill: 0.85, decode: 0.9,
                batchDecode: 0.9)
        case .bfloat16:
            Efficiency(
                windowedBlocks: 0.82, fullAttentionBlocks: 0.75, embeddingAndMerger: 0.8, prefill: 0.85, decode: 0.83,
                batchDecode: 0.7)
        case .int8:
            Efficiency(
                windowedBlocks: 0.6, fullAttentionBlocks: 0.65, embeddingAndMerger: 0.55, prefill: 0.78, decode: 0.9,
                batchDecode: 0.55)
        case .int4:
            Efficiency(
                windowedBlocks: 0.58, fullAttentionBlocks: 0.65, embeddingAndMerger: 0.55, prefill: 0.79, decode: 0.77,
                batchDecode: 0.55)
        }
    }
}
