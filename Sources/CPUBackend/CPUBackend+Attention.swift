import CKernels
package import TensorCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A range of addresses for every block; the system hands out memory as blocks are first written.
final class MappedKVCache: KVCache, @unchecked Sendable {
    // Sendable by convention: one thread at a time uses a backend and what it made.
    let shape: KVCacheShape
    let blockTokens = Int(QV_KV_BLOCK_TOKENS)
    let blockCount: Int
    let blockBytes: Int
    private let layerBytes: Int
    private let base: UnsafeMutableRawPointer

    init(shape: KVCacheShape, blockCount: Int, layerBytes: Int) throws(BackendError) {
        self.shape = shape
        self.blockCount = blockCount
        // Every layer's part of every block starts on a 64-byte line, as the kernels ask.
        self.layerBytes = (layerBytes + 63) / 64 * 64
        blockBytes = self.layerBytes * shape.layers
        let total = max(1, blockBytes * blockCount)
        guard
            let memory = mmap(nil, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | mapAnonymous | mapNoReserve, -1, 0),
            memory != UnsafeMutableRawPointer(bitPattern: -1)
        else { throw .outOfMemory(purpose: "the KV cache", bytes: total) }
        base = memory
        #if canImport(Glibc)
            // Decoding reads the whole cache once a token: walks of the page table would cost a third of the rate.
            madvise(memory, total, MADV_HUGEPAGE)
        #endif
    }

    func layer(_ index: Int) -> qv_kv_layer {
        qv_kv_layer(
            format: shape.format.kernelFormat, storage: shape.storage.kernelStorage, kv_heads: Int32(shape.kvHeads),
            head_size: Int32(shape.headSize),
            base: (base + index * layerBytes).assumingMemoryBound(to: UInt8.self), block_stride: blockBytes)
    }

    func copyBlock(from source: Int32, to target: Int32) {
        precondition(source != target && [source, target].allSatisfy { $0 >= 0 && Int($0) < blockCount })
        (base + Int(target) * blockBytes).copyMemory(from: base + Int(source) * blockBytes, byteCount: blockBytes)
    }

    deinit { munmap(base, max(1, blockBytes * blockCount)) }
}

#if canImport(Darwin)
    private let mapAnonymous = MAP_ANON
    private let mapNoReserve = MAP_NORESERVE
#else
    private let mapAnonymous = Int32(MAP_ANONYMOUS)
    private let mapNoReserve = Int32(MAP_NORESERVE)
#endif

extension CPUBackend {
    package func segmentAttention(
        qkv: Tensor, heads: HeadLayout, segments: [Int32], format: AttentionFormat
    ) -> Tensor {
        precondition(qkv.columns == 3 * heads.width && segments.first == 0 && segments.last == Int32(qkv.rows))
        precondition(zip(segments, segments.dropFirst()).allSatisfy { $0 <= $1 })
        let out = makeTensor(rows: qkv.rows, columns: heads.width)
        segments.withUnsafeBufferPointer { starts in
            var arguments = qv_segment_attention_args(
                q: UnsafePointer(qkv.pointer), k: UnsafePointer(qkv.pointer + heads.width),
                v: UnsafePointer(qkv.pointer + 2 * heads.width), stride: qkv.stride, out: out.pointer,
                out_stride: out.stride, heads: Int32(heads.heads), head_size: Int32(heads.size), scale: heads.scale,
                segment_starts: starts.baseAddress, segments: Int32(starts.count - 1), arithmetic: format.kernelFormat)
            let scratch = scratch(qv_segment_attention_scratch(kernels, pool, &arguments))
            qv_segment_attention(kernels, pool, &arguments, scratch)
        }
        return out
    }

    package var kvBlockTokens: Int { Int(QV_KV_BLOCK_TOKENS) }

    package func makeKVCache(_ shape: KVCacheShape, blockCount: Int) throws -> any KVCache {
        let layerBytes = cacheBlockBytes(shape) / shape.layers
        return try MappedKVCache(shape: shape, blockCount: blockCount, layerBytes: layerBytes)
    }

    package func copyBlock(of cache: any KVCache, from source: Int32, to target: Int32) {
        mapped(cache).copyBlock(from: source, to: target)
    }

    private func mapped(_ cache: any KVCache) -> MappedKVCache {
        guard let cache = cache as? MappedKVCache else { preconditionFailure("a cache of another backend") }
        return cache
    }

    package func append(
        keys: Tensor, values: Tensor, to cache: any KVCache, layer: Int, sequences: [SequenceSpan]
    ) {
        precondition(keys.rowStride == values.rowStride && keys.rows == values.rows)
        withSpans(sequences, rows: keys.rows, cache: cache) { cache, spans in
            var view = cache.layer(layer)
            qv_kv_append(
                kernels, pool, &view, spans.baseAddress, Int32(spans.count), keys.pointer, values.pointer, keys.stride)
        }
    }

    package func cachedAttention(
        queries: Tensor, heads: HeadLayout, cache: any KVCache, layer: Int, sequences: [SequenceSpan]
    ) -> Tensor {
        precondition(queries.columns == heads.width && cache.shape.headSize == heads.size)
        let out = makeTensor(rows: queries.rows, columns: heads.width)
        withSpans(sequences, rows: queries.rows, cache: cache) { cache, spans in
            var view = cache.layer(layer)
            withUnsafePointer(to: &view) { view in
                var arguments = qv_cached_attention_args(
                    layer: view, sequences: spans.baseAddress, sequence_count: Int32(spans.count),
                    q: UnsafePointer(queries.pointer), q_stride: queries.stride, out: out.pointer,
                    out_stride: out.stride, heads: Int32(heads.heads), scale: heads.scale)
                let scratch = scratch(qv_cached_attention_scratch(kernels, pool, &arguments))
                qv_cached_attention(kernels, pool, &arguments, scratch)
            }
        }
        return out
    }

    /// The spans in the kernels' form, checked against the rows and the cache's blocks.
    private func withSpans(
        _ sequences: [SequenceSpan], rows: Int, cache: any KVCache,
        _ body: (MappedKVCache, UnsafeBufferPointer<qv_sequence>) -> Void
    ) {
        let cache = mapped(cache)
        var tables: [Int32] = []
        for sequence in sequences {
            precondition(sequence.blocks.count * cache.blockTokens >= sequence.past + sequence.count)
            tables += sequence.blocks
        }
        precondition(tables.allSatisfy { $0 >= 0 && Int($0) < cache.blockCount })
        tables.withUnsafeBufferPointer { tables in
            guard let base = tables.baseAddress else { return }
            var (firstRow, firstBlock) = (0, 0)
            var spans: [qv_sequence] = []
            for sequence in sequences {
                spans.append(
                    qv_sequence(
                        blocks: base + firstBlock, past: Int64(sequence.past), first_row: Int64(firstRow),
                        count: Int64(sequence.count)))
                firstRow += sequence.count
                firstBlock += sequence.blocks.count
            }
            precondition(firstRow == rows)
            spans.withUnsafeBufferPointer { body(cache, $0) }
        }
    }
}
