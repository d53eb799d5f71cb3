import CKernels

extension Bench {
    /// 5476 rows (1024 x 1024 pixels) of 16 heads of 80: as windows of 64, and as one segment.
    func visionAttention() {
        let (rows, heads, headSize) = (5476, 16, 80)
        let width = heads * headSize
        for (name, length) in [("windows of 64", 64), ("one segment of 5476", rows)] {
            var starts = stride(from: Int32(0), to: Int32(rows), by: length).map { $0 }
            starts.append(Int32(rows))
            for format in [QV_WEIGHT_BF16, QV_WEIGHT_F32] {
                let title = "\(format == QV_WEIGHT_F32 ? "f32" : "bf16") vision attention, \(name)"
                guard wants(title) else { continue }
                let qkv = Memory(floats: rows * 3 * width)
                let out = Memory(rows * width * 4)
                let squares = zip(starts, starts.dropFirst()).reduce(0.0) {
                    $0 + Double($1.1 - $1.0) * Double($1.1 - $1.0)
                }
                starts.withUnsafeBufferPointer { starts in
                    var arguments = qv_segment_attention_args(
                        q: qkv.floats, k: qkv.floats + width, v: qkv.floats + 2 * width, stride: Int64(3 * width),
                        out: out.floats, out_stride: Int64(width), heads: Int32(heads), head_size: Int32(headSize),
                        scale: 1 / Float(headSize).squareRoot(), segment_starts: starts.baseAddress,
                        segments: Int32(starts.count - 1), arithmetic: format)
                    let scratch = Memory(qv_segment_attention_scratch(kernels, pool, &arguments))
                    measure(
                        title, amount: 4 * squares * Double(width),
                        limit: format == QV_WEIGHT_F32 ? .float32 : .bfloat16
                    ) {
                        qv_segment_attention(kernels, pool, &arguments, scratch.raw)
                    }
                }
            }
        }
    }

    /// 16 query heads over 2 KV heads of 128: a prompt of 2048 tokens, and one token after 2047, 8191 and 32767.
    func cachedAttention() {
        for format in [QV_WEIGHT_BF16, QV_WEIGHT_F32] {
            cached("prefill 2048", format: format, past: 0, count: 2048)
            for past in [2047, 8191, 32767] { cached("decode after \(past)", format: format, past: past, count: 1) }
            cached("prefill 2048, 8-bit cache", format: format, past: 0, count: 2048, storage: QV_KV_I8)
            for past in [2047, 8191, 32767] {
                cached("decode after \(past), 8-bit cache", format: format, past: past, count: 1, storage: QV_KV_I8)
            }
        }
    }

    private func cached(
        _ name: String, format: qv_weight_format, past: Int, count: Int, storage: qv_kv_storage = QV_KV_PLAIN
    ) {
        let title = "\(format == QV_WEIGHT_F32 ? "f32" : "bf16") cached attention, \(name)"
        guard wants(title) else { return }
        let (heads, kvHeads, headSize) = (16, 2, 128)
        let total = past + count
        let blockCount = (total + Int(QV_KV_BLOCK_TOKENS) - 1) / Int(QV_KV_BLOCK_TOKENS)
        let blockBytes = qv_kv_block_bytes(kernels, format, storage, Int32(kvHeads), Int32(headSize))
        let cache = Memory(blockBytes * blockCount)
        var layer = qv_kv_layer(
            format: format, storage: storage, kv_heads: Int32(kvHeads), head_size: Int32(headSize),
            base: cache.raw.assumingMemoryBound(to: UInt8.self), block_stride: blockBytes)
        let keys = Memory(floats: total * kvHeads * headSize)
        let queries = Memory(floats: count * heads * headSize)
        let out = Memory(count * heads * headSize * 4)
        let blocks = (0..<Int32(blockCount)).map { $0 }
        blocks.withUnsafeBufferPointer { blocks in
            var fill = qv_sequence(blocks: blocks.baseAddress, past: 0, first_row: 0, count: Int64(total))
            let rowStride = Int64(kvHeads * headSize)
            qv_kv_append(kernels, pool, &layer, &fill, 1, keys.floats, keys.floats, rowStride)
            var step = qv_sequence(blocks: blocks.baseAddress, past: Int64(past), first_row: 0, count: Int64(count))
            withUnsafePointer(to: &layer) { layer in
                withUnsafePointer(to: &step) { step in
                    var arguments = qv_cached_attention_args(
                        layer: layer, sequences: step, sequence_count: 1, q: queries.floats,
                        q_stride: Int64(heads * headSize), out: out.floats, out_stride: Int64(heads * headSize),
                        heads: Int32(heads), scale: 1 / Float(headSize).squareRoot())
                    let scratch = Memory(qv_cached_attention_scratch(kernels, pool, &arguments))
                    // Half the square is visible; a single token reads the whole cache.
                    let pairs = Double(count) * (Double(past) + (Double(count) + 1) / 2)
                    let operations = 4 * pairs * Double(heads * headSize)
                    let reads = count == 1
                    measure(
                        title, amount: reads ? Double(blockBytes * blockCount) : operations,
                        limit: reads ? .read : format == QV_WEIGHT_F32 ? .float32 : .bfloat16
                    ) {
                        qv_cached_attention(kernels, pool, &arguments, scratch.raw)
                    }
                }
            }
        }
    }
}
