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

    // Zen 4, two cores, AVX-512 (avx512bf16), 3B shape, medians of three; Benchmarks/README.md has the tables.
    // Windows are bound by reading queries, keys and values more than by products, so blocks with windows
    // reach less than those with full attention.
    package static func of(_ format: WeightFormat) -> Efficiency {
        switch format {
        case .float32:
            Efficiency(
                windowedBlocks: 0.8, fullAttentionBlocks: 0.8, embeddingAndMerger: 0.8, prefill: 0.85, decode: 0.9,
                batchDecode: 0.9)
        case .bfloat16:
            Efficiency(
                windowedBlocks: 0.75, fullAttentionBlocks: 0.72, embeddingAndMerger: 0.8, prefill: 0.8, decode: 0.85,
                batchDecode: 0.75)
        case .int8:
            Efficiency(
                windowedBlocks: 0.6, fullAttentionBlocks: 0.65, embeddingAndMerger: 0.7, prefill: 0.7, decode: 0.85,
                batchDecode: 0.7)
        case .int4:
            Efficiency(
                windowedBlocks: 0.55, fullAttentionBlocks: 0.65, embeddingAndMerger: 0.65, prefill: 0.65, decode: 0.8,
                batchDecode: 0.6)
        }
    }
}
