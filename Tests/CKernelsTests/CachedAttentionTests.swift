import CKernels
import Foundation
import Testing

/// The arithmetic, and how keys and values are kept.
struct CacheFormat: CustomTestStringConvertible {
    let arithmetic: qv_weight_format
    let storage: qv_kv_storage

    static let all = formats.flatMap { format in
        [QV_KV_PLAIN, QV_KV_I8].map { CacheFormat(arithmetic: format, storage: $0) }
    }

    var testDescription: String {
        (arithmetic == QV_WEIGHT_F32 ? "f32" : "bf16") + (storage == QV_KV_I8 ? " in 8 bits" : "")
    }

    /// What becomes of a row of keys or values.
    func kept(_ row: ArraySlice<Float>) -> ArraySlice<Float> {
        guard storage == QV_KV_I8 else { return row }
        let scale = (row.map(abs).max() ?? 0) / 127
        return scale > 0 ? row.map { ($0 / scale).rounded(.toNearestOrEven) * scale }[...] : row
    }
}

/// A paged cache of one layer, blocks handed out in a shuffled order, filled with NaN before use.
private final class Cache {
    let kernels: OpaquePointer
    let pool: Pool
    let memory: Memory
    var layer: qv_kv_layer
    private(set) var free: [Int32]

    init(_ kernels: OpaquePointer, _ pool: Pool, format: CacheFormat, kvHeads: Int, headSize: Int, blocks: Int) {
        (self.kernels, self.pool) = (kernels, pool)
        let bytes = qv_kv_block_bytes(
            kernels, format.arithmetic, format.storage, Int32(kvHeads), Int32(headSize))
        let stride = bytes + 128
        memory = Memory(stride * blocks)
        layer = qv_kv_layer(
            format: format.arithmetic, storage: format.storage, kv_heads: Int32(kvHeads), head_size: Int32(headSize),
            base: memory.raw.assumingMemoryBound(to: UInt8.self), block_stride: stride)
        free = (0..<blocks).map { Int32($0 * 5 % blocks) }
    }

    func take(_ tokens: Int) -> [Int32] {
        let count = (tokens + Int(QV_KV_BLOCK_TOKENS) - 1) / Int(QV_KV_BLOCK_TOKENS)
        defer { free.removeFirst(count) }
        return Array(free.prefix(count))
    }

    struct Step {
        var blocks: [Int32]
        var past: Int
        var count: Int
    }

    /// Appends and attends for some sequences at once; rows of q, k and v follow each other.
    func run(_ steps: [Step], q: Rows, k: Rows, v: Rows) -> Rows {
        var out = Rows(values: .init(repeating: .nan, count: q.values.count), heads: q.heads, headSize: q.headSize)
        let tables = steps.map { step in
            let table = UnsafeMutablePointer<Int32>.allocate(capacity: step.blocks.count)
            table.initialize(from: step.blocks, count: step.blocks.count)
            return table
        }
        defer { tables.forEach { $0.deallocate() } }
        var first = 0
        let sequences = zip(steps, tables).map { step, table in
            defer { first += step.count }
            return qv_sequence(blocks: table, past: Int64(step.past), first_row: Int64(first), count: Int64(step.count))
        }
        qv_kv_append(
            kernels, pool.pointer, &layer, sequences, Int32(sequences.count), k.values, v.values, Int64(k.width))
        sequences.withUnsafeBufferPointer { sequences in
            q.values.withUnsafeBufferPointer { q in
                out.values.withUnsafeMutableBufferPointer { values in
                    withUnsafePointer(to: layer) { layer in
                        var arguments = qv_cached_attention_args(
                            layer: layer, sequences: sequences.baseAddress, sequence_count: Int32(sequences.count),
                            q: q.baseAddress, q_stride: Int64(out.heads * out.headSize), out: values.baseAddress,
                            out_stride: Int64(out.heads * out.headSize), heads: Int32(out.heads),
                            scale: 1 / Float(out.headSize).squareRoot())
                        let scratch = Memory(qv_cached_attention_scratch(kernels, pool.pointer, &arguments))
                        qv_cached_attention(kernels, pool.pointer, &arguments, scratch.raw)
                    }
                }
            }
        }
        return out
    }
}

extension Rows {
    fileprivate subscript(range: Range<Int>) -> Rows {
        Rows(
            values: Array(values[(range.lowerBound * width)..<(range.upperBound * width)]), heads: heads,
            headSize: headSize)
    }

    fileprivate static func + (a: Rows, b: Rows) -> Rows {
        Rows(values: a.values + b.values, heads: a.heads, headSize: a.headSize)
    }

    fileprivate var bits: [UInt32] { values.map(\.bitPattern) }
}

@Suite("Cached attention")
struct CachedAttentionTests {
    /// (query heads, KV heads, head size): groups of 1, 2, 7 and 8.
    static let groups = [(2, 2, 80), (4, 2, 20), (7, 1, 128), (8, 1, 64), (2, 1, 19)]

    private func make(_ heads: Int, _ kvHeads: Int, _ headSize: Int, tokens: Int, seed: UInt64) -> (
        q: Rows, k: Rows, v: Rows
    ) {
        var values = Values(seed: seed)
        func rows(_ heads: Int) -> Rows {
            Rows(values: values.array(tokens * heads * headSize, scale: 2), heads: heads, headSize: headSize)
        }
        return (rows(heads), rows(kvHeads), rows(kvHeads))
    }

    @Test("prompt, chunks, then tokens one by one, against double precision", arguments: tables, CacheFormat.all)
    func causal(name: String, format: CacheFormat) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        for (heads, kvHeads, headSize) in Self.groups {
            let tokens = 330
            let (q, k, v) = make(heads, kvHeads, headSize, tokens: tokens, seed: 1)
            let cache = Cache(kernels, pool, format: format, kvHeads: kvHeads, headSize: headSize, blocks: 7)
            let blocks = cache.take(tokens)
            for range in [0..<63, 63..<65, 65..<66, 66..<300, 300..<329, 329..<330] {
                let out = cache.run(
                    [.init(blocks: blocks, past: range.lowerBound, count: range.count)], q: q[range], k: k[range],
                    v: v[range])
                for row in stride(from: 0, to: range.count, by: 11) {
                    for head in 0..<heads {
                        let visible = 0...(range.lowerBound + row)
                        let kvHead = head / (heads / kvHeads)
                        let expected = attention(
                            query: q[range.lowerBound + row, head], keys: visible.map { format.kept(k[$0, kvHead]) },
                            values: visible.map { format.kept(v[$0, kvHead]) },
                            scale: 1 / Double(headSize).squareRoot(),
                            format: format.arithmetic)
                        let error = zip(out[row, head], expected.out).map { abs(Double($0) - $1) }.max() ?? 0
                        #expect(
                            error <= expected.tolerance,
                            "\(range) row \(row) head \(head) of \(heads), size \(headSize)")
                    }
                }
            }
        }
    }

    @Test("chunks and single tokens give the bits of one shot", arguments: tables, CacheFormat.all)
    func chunked(name: String, format: CacheFormat) throws {
        let kernels = try kernels(name)
        for (heads, kvHeads, headSize) in Self.groups.prefix(name == "generic" ? 2 : 5) {
            let tokens = 600
            let (q, k, v) = make(heads, kvHeads, headSize, tokens: tokens, seed: 2)
            var results: [[UInt32]] = []
            for (threads, cuts) in [
                (1, [600]), (2, [600]), (3, [1, 64, 200, 257, 512, 599, 600]), (8, [300, 598, 599, 600]),
            ] {
                let cache = Cache(
                    kernels, try Pool(Int32(threads)), format: format, kvHeads: kvHeads, headSize: headSize, blocks: 12)
                let blocks = cache.take(tokens)
                var bits: [UInt32] = []
                var past = 0
                for cut in cuts {
                    let range = past..<cut
                    bits +=
                        cache.run(
                            [.init(blocks: blocks, past: past, count: range.count)], q: q[range], k: k[range],
                            v: v[range]
                        ).bits
                    past = cut
                }
                results.append(bits)
            }
            for other in results.dropFirst() {
                #expect(other == results[0], "\(heads) heads, \(kvHeads) KV heads of \(headSize)")
            }
        }
    }

    @Test("a batch gives the bits of its sequences alone", arguments: tables, CacheFormat.all)
    func batched(name: String, format: CacheFormat) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        let (heads, kvHeads, headSize) = (4, 2, 64)
        let a = make(heads, kvHeads, headSize, tokens: 301, seed: 3)
        let b = make(heads, kvHeads, headSize, tokens: 70, seed: 4)
        let cache = Cache(kernels, pool, format: format, kvHeads: kvHeads, headSize: headSize, blocks: 23)
        let tables = (0..<4).map { $0 < 2 ? cache.take(301) : cache.take(70) }
        for (table, rows) in [(0, a), (1, a)] {
            _ = cache.run(
                [.init(blocks: tables[table], past: 0, count: 300)], q: rows.q[0..<300], k: rows.k[0..<300],
                v: rows.v[0..<300])
        }
        let together = cache.run(
            [
                .init(blocks: tables[0], past: 300, count: 1), .init(blocks: [], past: 0, count: 0),
                .init(blocks: tables[2], past: 0, count: 70),
            ], q: a.q[300..<301] + b.q, k: a.k[300..<301] + b.k, v: a.v[300..<301] + b.v)
        let first = cache.run(
            [.init(blocks: tables[1], past: 300, count: 1)], q: a.q[300..<301], k: a.k[300..<301], v: a.v[300..<301])
        let second = cache.run([.init(blocks: tables[3], past: 0, count: 70)], q: b.q, k: b.k, v: b.v)
        #expect(together.bits == first.bits + second.bits)
    }
}
