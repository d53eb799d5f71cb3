import CKernels
import Foundation
import Testing

private let quantizedFormats = [QV_WEIGHT_I8, QV_WEIGHT_I4]

/// Products with weights of 8 and 4 bits.
@Suite("Quantised products")
struct QuantizedLinearTests {
    private func run(
        _ kernels: OpaquePointer, _ pool: Pool, _ weight: Matrix, gate: Matrix? = nil,
        _ epilogue: qv_epilogue = QV_EPILOGUE_NONE, x: [Float], count: Int
    ) -> [Float] {
        var y = [Float](repeating: 0.5, count: count * weight.rows)
        withUnsafePointer(to: weight.value) { weightPointer in
            withUnsafePointer(to: gate?.value ?? weight.value) { gatePointer in
                x.withUnsafeBufferPointer { x in
                    y.withUnsafeMutableBufferPointer { y in
                        var arguments = qv_linear_args(
                            count: Int64(count), x: x.baseAddress, x_stride: Int64(weight.columns), y: y.baseAddress,
                            y_stride: Int64(weight.rows), weight: weightPointer, gate: gatePointer, epilogue: epilogue)
                        let scratch = Memory(qv_linear_scratch(kernels, pool.pointer, &arguments))
                        qv_linear(kernels, pool.pointer, &arguments, scratch.raw)
                    }
                }
            }
        }
        return y
    }

    private static func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

    /// Sums of integers are exact, and what follows is the same chain everywhere: so no table differs from another.
    @Test("every table has the generic one's bits", arguments: tables, quantizedFormats)
    func tablesAgree(name: String, format: qv_weight_format) throws {
        let (kernels, generic) = (try kernels(name), try kernels("generic"))
        let pool = try Pool(2)
        for shape in LinearTests.shapes + [.init(count: 9, rows: 70, columns: 3420)] {
            let made = [kernels, generic].map { table in
                [UInt64(1), 2].map {
                    Matrix(table, pool: pool, format: format, rows: shape.rows, columns: shape.columns, seed: $0)
                }
            }
            #expect(made[0][0].bytes.elementsEqual(made[1][0].bytes), "packed \(shape)")
            var values = Values(seed: 3)
            let x = values.array(shape.count * shape.columns, scale: 3)
            for epilogue in [QV_EPILOGUE_NONE, QV_EPILOGUE_ADD] {
                let results = zip([kernels, generic], made).map {
                    run($0, pool, $1[0], epilogue, x: x, count: shape.count)
                }
                #expect(Self.bits(results[0]) == Self.bits(results[1]), "\(shape) \(epilogue)")
            }
            // SiLU and GELU are each table's own, within a few roundings.
            for epilogue in [QV_EPILOGUE_SWIGLU, QV_EPILOGUE_GELU] {
                let results = zip([kernels, generic], made).map {
                    run($0, pool, $1[0], gate: $1[1], epilogue, x: x, count: shape.count)
                }
                for (a, b) in zip(results[0], results[1]) where abs(a - b) > 1e-5 * max(1, abs(b)) {
                    Issue.record("\(shape) \(epilogue): \(a) and \(b)")
                    return
                }
            }
        }
    }

    /// A weight errs by half a step at most, an activation likewise: what the product may be off by follows.
    @Test("error against double precision", arguments: tables, quantizedFormats)
    func error(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        for shape in LinearTests.shapes {
            let weight = Matrix(kernels, pool: pool, format: format, rows: shape.rows, columns: shape.columns, seed: 5)
            var values = Values(seed: 6)
            let x = values.array(shape.count * shape.columns)
            let y = run(kernels, pool, weight, x: x, count: shape.count)
            for i in 0..<shape.count {
                for j in 0..<shape.rows {
                    let row = x[(i * shape.columns)..<((i + 1) * shape.columns)]
                    let bound = Self.bound(weight, j, Array(row), format)
                    let (exact, error) = (Self.exact(weight, j, row), bound)
                    if !(abs(Double(y[i * shape.rows + j]) - exact) <= error) {
                        Issue.record("\(shape) at (\(i), \(j)): \(y[i * shape.rows + j]), expected \(exact) ± \(error)")
                        return
                    }
                }
            }
        }
    }

    private static func exact(_ weight: Matrix, _ row: Int, _ x: ArraySlice<Float>) -> Double {
        zip(x, weight.weights[(row * weight.columns)...]).reduce(Double(weight.bias.isEmpty ? 0 : weight.bias[row])) {
            $0 + Double($1.0) * Double($1.1)
        }
    }

    private static func bound(_ weight: Matrix, _ row: Int, _ x: [Float], _ format: qv_weight_format) -> Double {
        var bound = 1e-6
        for start in stride(from: 0, to: x.count, by: Int(QV_QUANTIZED_BLOCK)) {
            let range = start..<min(start + Int(QV_QUANTIZED_BLOCK), x.count)
            let w = range.map { Double(abs(weight.weights[row * weight.columns + $0])) }
            let v = range.map { Double(abs(x[$0])) }
            let (largestW, largestX) = (w.max() ?? 0, v.max() ?? 0)
            // 8 bits: half of 1/127, and the scale's own rounding up. 4 bits: half of a step of 2/15, or of 1/8 where
            // the range is one-sided, some more where steps are whole numbers or the outermost values are cut off.
            let errorW = largestW * (format == QV_WEIGHT_I8 ? 0.504 / 127 : 0.17)
            let errorX = largestX * 0.5001 / 127
            for (a, b) in zip(w, v) { bound += errorW * (b + errorX) + errorX * a }
        }
        return bound
    }

    @Test("threads and neighbouring rows leave every bit alone", arguments: tables, quantizedFormats)
    func invariance(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pools = try [Pool(1), Pool(2), Pool(3)]
        for shape in LinearTests.shapes {
            let (weight, gate) = (
                Matrix(kernels, pool: pools[0], format: format, rows: shape.rows, columns: shape.columns, seed: 4),
                Matrix(kernels, pool: pools[0], format: format, rows: shape.rows, columns: shape.columns, seed: 5)
            )
            var values = Values(seed: 6)
            let x = values.array(shape.count * shape.columns)
            let all = pools.map {
                Self.bits(run(kernels, $0, weight, gate: gate, QV_EPILOGUE_SWIGLU, x: x, count: shape.count))
            }
            #expect(all[0] == all[1] && all[0] == all[2], "\(shape)")
            for i in stride(from: 0, to: shape.count, by: 5) {
                let row = Array(x[(i * shape.columns)..<((i + 1) * shape.columns)])
                let alone = Self.bits(run(kernels, pools[1], weight, gate: gate, QV_EPILOGUE_SWIGLU, x: row, count: 1))
                #expect(alone == Array(all[0][(i * shape.rows)..<((i + 1) * shape.rows)]), "\(shape) row \(i)")
            }
        }
    }

    @Test("several sources, in any order, pack as one", arguments: tables, quantizedFormats)
    func sources(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        let (rows, columns) = (83, 201)
        var values = Values(seed: 7)
        let weights = values.array(rows * columns)
        let size = qv_matrix_bytes(kernels, format, Int64(rows), Int64(columns))
        let (whole, parts) = (Memory(size), Memory(size))
        func pack(_ first: Int, _ count: Int, into memory: Memory) {
            weights.withUnsafeBufferPointer {
                qv_matrix_pack(
                    kernels, pool.pointer, format, Int64(rows), Int64(columns), $0.baseAddress! + first * columns,
                    QV_TYPE_F32, Int64(first), Int64(count), memory.raw)
            }
        }
        pack(0, rows, into: whole)
        for (first, count) in [(40, 43), (0, 1), (1, 39)] { pack(first, count, into: parts) }
        #expect(memcmp(whole.raw, parts.raw, size) == 0)
    }

    /// What is no number must not hide behind rounding.
    @Test("NaN and infinity show", arguments: tables, quantizedFormats)
    func notANumber(name: String, format: qv_weight_format) throws {
        let kernels = try kernels(name)
        let pool = try Pool(1)
        let weight = Matrix(kernels, pool: pool, format: format, rows: 3, columns: 300, hasBias: false, seed: 1)
        for bad in [Float.nan, .infinity, -.infinity] {
            var x = [Float](repeating: 1, count: 600)
            x[450] = bad
            let y = run(kernels, pool, weight, x: x, count: 2)
            #expect(y[0..<3].allSatisfy { $0.isFinite })
            #expect(y[3..<6].allSatisfy { !$0.isFinite })
        }
        // Nothing, and next to nothing, is nothing.
        let y = run(kernels, pool, weight, x: [Float](repeating: 1e-38, count: 300), count: 1)
        #expect(y.allSatisfy { abs($0) < 1e-30 })
    }

    @Test("rows in blocks of 8 bits", arguments: tables)
    func rows(name: String) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        let (count, columns) = (5, 300)
        var values = Values(seed: 9)
        let x = values.array(count * columns)
        let bytes = Memory(qv_quantized_row_bytes(Int64(columns)) * count)
        qv_quantize_rows(kernels, pool.pointer, Int64(count), Int64(columns), x, Int64(columns), bytes.raw)
        var y = [Float](repeating: .nan, count: count * columns)
        let ids: [Int32] = [4, 0, 1, 2, 3]
        qv_embed(
            kernels, pool.pointer, Int64(count), ids, bytes.raw, QV_TYPE_I8_BLOCKS, Int64(columns), &y, Int64(columns))
        for (i, id) in ids.enumerated() {
            for j in 0..<columns {
                #expect(abs(y[i * columns + j] - x[Int(id) * columns + j]) <= 0.504 / 127)
            }
        }
    }
}
