import CKernels
import Foundation
import Testing

@Suite("Products")
struct LinearTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var count: Int
        var rows: Int
        var columns: Int
        var testDescription: String { "\(count)x\(rows)x\(columns)" }
    }

    /// Around every edge: rows of tiles, lanes of panels, odd k, k past one pass (1024), rows past one task (168).
    static let shapes = [
        Shape(count: 1, rows: 1, columns: 1), Shape(count: 2, rows: 3, columns: 5),
        Shape(count: 1, rows: 33, columns: 64),
        Shape(count: 6, rows: 32, columns: 65), Shape(count: 7, rows: 31, columns: 172),
        Shape(count: 13, rows: 48, columns: 80),
        Shape(count: 14, rows: 17, columns: 127), Shape(count: 15, rows: 100, columns: 129),
        Shape(count: 29, rows: 20, columns: 2051), Shape(count: 171, rows: 67, columns: 1027),
    ]

    /// y of one product, rows `stride` apart.
    private func run(
        _ kernels: OpaquePointer, _ pool: Pool, _ weight: Matrix, gate: Matrix? = nil,
        _ epilogue: qv_epilogue = QV_EPILOGUE_NONE, x: [Float], stride: Int? = nil, count: Int, y old: [Float]? = nil
    ) -> [Float] {
        let xStride = stride ?? weight.columns
        let yStride = weight.rows + 3
        var y = [Float](repeating: .nan, count: count * yStride)
        if let old {
            for i in 0..<count { for j in 0..<weight.rows { y[i * yStride + j] = old[i * weight.rows + j] } }
        }
        withUnsafePointer(to: weight.value) { weightPointer in
            withUnsafePointer(to: gate?.value ?? weight.value) { gatePointer in
                x.withUnsafeBufferPointer { x in
                    y.withUnsafeMutableBufferPointer { y in
                        var arguments = qv_linear_args(
                            count: Int64(count), x: x.baseAddress, x_stride: Int64(xStride), y: y.baseAddress,
                            y_stride: Int64(yStride), weight: weightPointer, gate: gatePointer, epilogue: epilogue)
                        let scratch = Memory(qv_linear_scratch(kernels, pool.pointer, &arguments))
                        qv_linear(kernels, pool.pointer, &arguments, scratch.raw)
                    }
                }
            }
        }
        // What lies between the rows must stay as it was.
        for i in 0..<count {
            for j in weight.rows..<yStride where !y[i * yStride + j].isNaN { Issue.record("wrote past a row") }
        }
        return (0..<count).flatMap { y[($0 * yStride)..<($0 * yStride + weight.rows)] }
    }

    @Test("every epilogue against double precision", arguments: tables, formats)
    func epilogues(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        for shape in Self.shapes {
            let weight = Matrix(kernels, pool: pool, format: format, rows: shape.rows, columns: shape.columns, seed: 1)
            let gate = Matrix(
                kernels, pool: pool, format: format, rows: shape.rows, columns: shape.columns,
                hasBias: shape.rows % 2 == 0,
                seed: 2)
            var values = Values(seed: 3)
            let stride = shape.columns + 5
            let x = values.array(shape.count * stride)
            let old = values.array(shape.count * shape.rows)
            let results = [QV_EPILOGUE_NONE, QV_EPILOGUE_ADD, QV_EPILOGUE_GELU, QV_EPILOGUE_SWIGLU].map {
                run(kernels, pool, weight, gate: gate, $0, x: x, stride: stride, count: shape.count, y: old)
            }
            // A chain of n additions errs by about sqrt(n) roundings of its partial sums.
            let terms = Double(shape.columns).squareRoot() + 4
            for i in 0..<shape.count {
                let row = x[(i * stride)..<(i * stride + shape.columns)]
                for j in 0..<shape.rows {
                    let (c, magnitude) = weight.dot(j, row)
                    let (g, gateMagnitude) = gate.dot(j, row)
                    let error = roundoff * terms * magnitude
                    let gateError = roundoff * terms * gateMagnitude
                    let at = i * shape.rows + j
                    let silu = g / (1 + exp(-g))
                    let expected = [
                        c, c + Double(old[at]), 0.5 * c * (1 + erf(c / 2.0.squareRoot())), silu * c,
                    ]
                    // Slopes: gelu and silu at most 1.13; the vector functions err by a few roundings of their arguments.
                    let tolerance = [
                        error, error + 2 * roundoff, 1.13 * error + 6 * roundoff * abs(c),
                        abs(silu) * error + 1.13 * abs(c) * gateError + 16 * roundoff * abs(silu * c),
                    ]
                    for e in 0..<4 where !(abs(Double(results[e][at]) - expected[e]) <= tolerance[e]) {
                        Issue.record(
                            "\(shape) epilogue \(e) at (\(i), \(j)): \(results[e][at]), expected \(expected[e])")
                        return
                    }
                }
            }
        }
    }

    @Test("threads and neighbouring rows leave every bit alone", arguments: tables, formats)
    func invariance(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pools = try [Pool(1), Pool(2), Pool(3)]
        for shape in Self.shapes {
            let weight = Matrix(
                kernels, pool: pools[0], format: format, rows: shape.rows, columns: shape.columns, seed: 4)
            let gate = Matrix(
                kernels, pool: pools[0], format: format, rows: shape.rows, columns: shape.columns, seed: 5)
            var values = Values(seed: 6)
            let x = values.array(shape.count * shape.columns)
            let all = pools.map {
                run(kernels, $0, weight, gate: gate, QV_EPILOGUE_SWIGLU, x: x, count: shape.count).map(\.bitPattern)
            }
            #expect(all[0] == all[1] && all[0] == all[2], "\(shape)")
            for i in stride(from: 0, to: shape.count, by: 5) {
                let row = Array(x[(i * shape.columns)..<((i + 1) * shape.columns)])
                let alone = run(kernels, pools[1], weight, gate: gate, QV_EPILOGUE_SWIGLU, x: row, count: 1)
                #expect(
                    alone.map(\.bitPattern) == Array(all[0][(i * shape.rows)..<((i + 1) * shape.rows)]),
                    "\(shape) row \(i)")
            }
        }
    }

    @Test("several sources, in any order and at any address, pack as one", arguments: tables, formats)
    func sources(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        let (rows, columns) = (83, 101)
        var values = Values(seed: 7)
        // Exact in all three types.
        let weights = values.array(rows * columns).map { ($0 * 64).rounded() / 64 + 0 }  // no -0
        let size = qv_matrix_bytes(kernels, format, Int64(rows), Int64(columns))
        func bytes(_ type: qv_type) -> [UInt8] {
            [0]
                + weights.flatMap { value -> [UInt8] in
                    switch type {
                    case QV_TYPE_F32: withUnsafeBytes(of: value.bitPattern) { Array($0) }
                    case QV_TYPE_BF16: withUnsafeBytes(of: bfloat16(value)) { Array($0) }
                    default: withUnsafeBytes(of: Self.float16(value)) { Array($0) }
                    }
                }
        }
        let whole = Memory(size)
        qv_matrix_pack(
            kernels, pool.pointer, format, Int64(rows), Int64(columns), weights, QV_TYPE_F32, 0, Int64(rows), whole.raw)
        for type in [QV_TYPE_F32, QV_TYPE_BF16, QV_TYPE_F16] {
            let odd = bytes(type)
            let rowBytes = columns * (type == QV_TYPE_F32 ? 4 : 2)
            let parts = Memory(size)
            for (first, count) in [(40, 43), (0, 1), (1, 39)] {
                odd.withUnsafeBytes {
                    qv_matrix_pack(
                        kernels, pool.pointer, format, Int64(rows), Int64(columns),
                        $0.baseAddress! + 1 + first * rowBytes,
                        type, Int64(first), Int64(count), parts.raw)
                }
            }
            #expect(
                memcmp(whole.raw, parts.raw, Self.packedBytes(size, format, rows, columns)) == 0, "\(type.rawValue)")
        }
    }

    /// Bytes that every table fills at least: the rows themselves.
    private static func packedBytes(_ size: Int, _ format: qv_weight_format, _ rows: Int, _ columns: Int) -> Int {
        min(size, rows * (format == QV_WEIGHT_BF16 ? (columns + 1) / 2 * 4 : columns * 4))
    }

    /// For values that float16 holds exactly and normally, or 0.
    private static func float16(_ x: Float) -> UInt16 {
        if x == 0 { return 0 }
        let bits = x.bitPattern
        return UInt16(bits >> 16 & 0x8000) | UInt16((Int(bits >> 23 & 0xff) - 112) << 10) | UInt16(bits >> 13 & 0x3ff)
    }
}
