import CKernels
import Foundation
import Testing

@Suite("Vision attention")
struct SegmentAttentionTests {
    private func run(
        _ kernels: OpaquePointer, _ pool: Pool, qkv: [Float], heads: Int, headSize: Int, starts: [Int32],
        format: qv_weight_format
    ) -> [Float] {
        let width = heads * headSize
        var out = [Float](repeating: .nan, count: Int(starts.last ?? 0) * width)
        qkv.withUnsafeBufferPointer { qkv in
            starts.withUnsafeBufferPointer { starts in
                out.withUnsafeMutableBufferPointer { out in
                    var arguments = qv_segment_attention_args(
                        q: qkv.baseAddress, k: qkv.baseAddress.map { $0 + width },
                        v: qkv.baseAddress.map { $0 + 2 * width },
                        stride: Int64(3 * width), out: out.baseAddress, out_stride: Int64(width), heads: Int32(heads),
                        head_size: Int32(headSize), scale: 1 / Float(headSize).squareRoot(),
                        segment_starts: starts.baseAddress, segments: Int32(starts.count - 1), arithmetic: format)
                    let scratch = Memory(qv_segment_attention_scratch(kernels, pool.pointer, &arguments))
                    qv_segment_attention(kernels, pool.pointer, &arguments, scratch.raw)
                }
            }
        }
        return out
    }

    /// Lengths 64 (a window), 1, 0 (empty), 37, 256 (one span), 257, 600 (packed ahead), 3.
    static let starts: [Int32] = [0, 64, 65, 65, 102, 358, 615, 1215, 1218]

    @Test("segments against double precision", arguments: tables, formats)
    func segments(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        for (heads, headSize) in [(2, 80), (1, 20), (1, 128), (1, 19)] {
            var values = Values(seed: 1)
            let rows = Int(try #require(Self.starts.last))
            let qkv = Rows(
                values: values.array(rows * 3 * heads * headSize, scale: 2), heads: 3 * heads, headSize: headSize)
            let out = Rows(
                values: run(
                    kernels, pool, qkv: qkv.values, heads: heads, headSize: headSize, starts: Self.starts,
                    format: format),
                heads: heads, headSize: headSize)
            for (start, end) in zip(Self.starts, Self.starts.dropFirst()) {
                for head in 0..<heads {
                    let keys = (start..<end).map { qkv[Int($0), heads + head] }
                    let vectors = (start..<end).map { qkv[Int($0), 2 * heads + head] }
                    for row in stride(from: Int(start), to: Int(end), by: 9) {
                        let expected = attention(
                            query: qkv[row, head], keys: keys, values: vectors,
                            scale: 1 / Double(headSize).squareRoot(),
                            format: format)
                        let error = zip(out[row, head], expected.out).map { abs(Double($0) - $1) }.max() ?? 0
                        #expect(error <= expected.tolerance, "row \(row) head \(head) of size \(headSize)")
                    }
                }
            }
        }
    }

    @Test("threads and other segments leave every bit alone", arguments: tables, formats)
    func invariance(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        var values = Values(seed: 2)
        let (heads, headSize) = (3, 80)
        let rows = Int(try #require(Self.starts.last))
        let qkv = values.array(rows * 3 * heads * headSize)
        let all = try [1, 2, 3].map {
            run(kernels, try Pool($0), qkv: qkv, heads: heads, headSize: headSize, starts: Self.starts, format: format)
                .map(\.bitPattern)
        }
        #expect(all[0] == all[1] && all[0] == all[2])
        let width = heads * headSize
        let alone = run(
            kernels, try Pool(2), qkv: Array(qkv[(615 * 3 * width)..<(1215 * 3 * width)]), heads: heads,
            headSize: headSize,
            starts: [0, 600], format: format)
        #expect(alone.map(\.bitPattern) == Array(all[0][(615 * width)..<(1215 * width)]))
    }
}
