/// How a KV cache keeps keys and values.
package enum KVCacheStorage: String, Sendable, CaseIterable {
    /// As attention computes with them.
    case full
    /// 8 bits a value, and a float32 scale for each token's keys and values of a head.
    case int8
}

/// What a paged KV cache is made for.
package struct KVCacheShape: Sendable, Hashable {
    package let layers: Int
    package let kvHeads: Int
    package let headSize: Int
    package let format: AttentionFormat
    package let storage: KVCacheStorage

    package init(
        layers: Int, kvHeads: Int, headSize: Int, format: AttentionFormat, storage: KVCacheStorage = .full
    ) {
        self.layers = layers
        self.kvHeads = kvHeads
        self.headSize = headSize
        self.format = format
        self.storage = storage
    }
}

/// Keys and values of all layers, in blocks of `blockTokens` tokens that a backend lays out for itself.
/// Which sequence owns which block is not its business.
package protocol KVCache: AnyObject, Sendable {
    var shape: KVCacheShape { get }
    var blockTokens: Int { get }
    var blockCount: Int { get }
    /// Bytes of one block over all layers.
    var blockBytes: Int { get }
}

/// One sequence's share of a step: `count` rows that follow each other in the step's activations are its
/// tokens past ..< past + count.
package struct SequenceSpan: Sendable {
    /// Token t of the sequence lies in block blocks[t / blockTokens].
    package let blocks: [Int32]
    package let past: Int
    package let count: Int

    package init(blocks: [Int32], past: Int, count: Int) {
        self.blocks = blocks
        self.past = past
        self.count = count
    }
}
