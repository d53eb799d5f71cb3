import CKernels

extension Bench {
    /// A weight of random values in one format, packed.
    private struct Weight {
        let packed: Memory
        let matrix: UnsafeMutablePointer<qv_matrix>

        init(_ bench: Bench, _ format: qv_weight_format, rows: Int, columns: Int) {
            packed = Memory(qv_matrix_bytes(bench.kernels, format, Int64(rows), Int64(columns)))
            qv_matrix_fill(bench.kernels, bench.pool, format, Int64(rows), Int64(columns), 1, packed.raw)
            matrix = .allocate(capacity: 1)
            matrix.initialize(
                to: qv_matrix(format: format, rows: Int64(rows), columns: Int64(columns), data: packed.raw, bias: nil))
        }
    }

    private func product(
        _ name: String, format: qv_weight_format, count: Int, rows: Int, columns: Int,
        epilogue: qv_epilogue = QV_EPILOGUE_NONE, reads: Bool = false
    ) {
        let title = "\(format.name) \(name) \(count) x \(rows) x \(columns)"
        guard wants(title) else { return }
        let weight = Weight(self, format, rows: rows, columns: columns)
        let gate = epilogue == QV_EPILOGUE_SWIGLU ? Weight(self, format, rows: rows, columns: columns) : weight
        let x = Memory(floats: count * columns)
        let y = Memory(floats: count * rows)
        var arguments = qv_linear_args(
            count: Int64(count), x: x.floats, x_stride: Int64(columns), y: y.floats, y_stride: Int64(rows),
            weight: weight.matrix, gate: gate.matrix, epilogue: epilogue)
        let scratch = Memory(qv_linear_scratch(kernels, pool, &arguments))
        let matrices: Double = epilogue == QV_EPILOGUE_SWIGLU ? 2 : 1
        let operations = 2 * matrices * Double(count) * Double(rows) * Double(columns)
        let bytes = matrices * Double(weight.packed.count)
        measure(
            title, amount: reads ? bytes : operations,
            limit: reads ? .read : format.limit
        ) {
            qv_linear(kernels, pool, &arguments, scratch.raw)
        }
        weight.matrix.deallocate()
        if epilogue == QV_EPILOGUE_SWIGLU { gate.matrix.deallocate() }
    }

    private static let formats = [QV_WEIGHT_BF16, QV_WEIGHT_I8, QV_WEIGHT_I4, QV_WEIGHT_F32]

    /// The products of a 3B model at 512 rows: decoder first, vision tower next.
    func products() {
        for format in Self.formats {
            for (rows, columns) in [
                (2048, 2048), (256, 2048), (11008, 2048), (2048, 11008), (1280, 1280), (3840, 1280), (3420, 1280),
                (1280, 3420),
                (5120, 5120),
            ] {
                product("product", format: format, count: 512, rows: rows, columns: columns)
            }
            product("gate and up", format: format, count: 512, rows: 11008, columns: 2048, epilogue: QV_EPILOGUE_SWIGLU)
        }
    }

    /// Decoding: the weights' bytes are what counts.
    func fewRows() {
        for format in Self.formats {
            for count in [1, 2, 4, 8] {
                product("rows", format: format, count: count, rows: 11008, columns: 2048, reads: true)
            }
            product("rows", format: format, count: 1, rows: 2048, columns: 11008, reads: true)
        }
        for format in Self.formats where format != QV_WEIGHT_F32 {
            product("logits", format: format, count: 1, rows: 151_936, columns: 2048, reads: true)
        }
    }
}
