import CKernels
package import TensorCore

extension CPUBackend {
    package func embed(_ ids: [Int32], _ table: any EmbeddingTable) -> Tensor {
        precondition(ids.allSatisfy { $0 >= 0 && Int($0) < table.rows }, "embedding index out of range")
        let y = makeTensor(rows: ids.count, columns: table.columns)
        switch table {
        case let table as MappedEmbeddingTable:
            look(up: ids, in: table.source.bytes.baseAddress, table.source.dtype.kernelType, into: y)
            if table.rounding == .int8 { round(y) }
        case let table as PackedEmbeddingTable:
            look(up: ids, in: table.packed.bytes.baseAddress, QV_TYPE_I8_BLOCKS, into: y)
        case let table as RandomEmbeddingTable:
            let ids = ids.map { $0 % Int32(RandomEmbeddingTable.distinctRows) }
            table.values.withUnsafeBytes { look(up: ids, in: $0.baseAddress, QV_TYPE_F32, into: y) }
        default: preconditionFailure("a table of another backend")
        }
        return y
    }

    private func look(up ids: [Int32], in table: UnsafeRawPointer?, _ type: qv_type, into y: Tensor) {
        qv_embed(kernels, pool, Int64(ids.count), ids, table, type, Int64(y.columns), y.pointer, y.stride)
    }

    /// To 8 bits and back.
    private func round(_ y: Tensor) {
        let bytes = scratch(qv_quantized_row_bytes(Int64(y.columns)) * y.rows)
        qv_quantize_rows(kernels, pool, Int64(y.rows), Int64(y.columns), y.pointer, y.stride, bytes)
        look(up: (0..<Int32(y.rows)).map { $0 }, in: bytes, QV_TYPE_I8_BLOCKS, into: y)
    }

    package func linear(_ x: Tensor, _ weight: any Weight) -> Tensor {
        let y = makeTensor(rows: x.rows, columns: weight.rows)
        run(x, weight, epilogue: QV_EPILOGUE_NONE, into: y)
        return y
    }

    package func addLinear(_ x: Tensor, _ weight: any Weight, to residual: Tensor) {
        precondition(residual.rows == x.rows && residual.columns == weight.rows)
        run(x, weight, epilogue: QV_EPILOGUE_ADD, into: residual)
    }

    package func linearGELU(_ x: Tensor, _ weight: any Weight) -> Tensor {
        let y = makeTensor(rows: x.rows, columns: weight.rows)
        run(x, weight, epilogue: QV_EPILOGUE_GELU, into: y)
        return y
    }

    package func swiGLU(_ x: Tensor, gate: any Weight, up: any Weight) -> Tensor {
        precondition(gate.rows == up.rows && gate.columns == up.columns && gate.format == up.format)
        let y = makeTensor(rows: x.rows, columns: up.rows)
        run(x, up, gate: gate, epilogue: QV_EPILOGUE_SWIGLU, into: y)
        return y
    }

    private func run(
        _ x: Tensor, _ weight: any Weight, gate: (any Weight)? = nil, epilogue: qv_epilogue, into y: Tensor
    ) {
        precondition(x.columns == weight.columns)
        guard x.rows > 0 else { return }
        var arguments = qv_linear_args(
            count: Int64(x.rows), x: UnsafePointer(x.pointer), x_stride: x.stride, y: y.pointer, y_stride: y.stride,
            weight: packed(weight), gate: gate.map { packed($0) }, epilogue: epilogue)
        let scratch = scratch(qv_linear_scratch(kernels, pool, &arguments))
        qv_linear(kernels, pool, &arguments, scratch)
    }

    private func packed(_ weight: any Weight) -> UnsafePointer<qv_matrix> {
        guard let weight = weight as? PackedWeight else { preconditionFailure("a weight of another backend") }
        return UnsafePointer(weight.matrix)
    }

    package func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float) -> Tensor {
        precondition(weight.columns == x.columns)
        let y = makeTensor(rows: x.rows, columns: x.columns)
        qv_rms_norm(
            kernels, pool, Int64(x.rows), Int64(x.columns), x.pointer, x.stride, weight.pointer, epsilon, y.pointer,
            y.stride)
        return y
    }

    package func rotate(_ x: Tensor, headSize: Int, by table: RotaryTable) {
        precondition(
            x.columns % headSize == 0 && table.cosine.columns * 2 == headSize && table.cosine.rows == x.rows
                && table.cosine.isContiguous && table.sine.isContiguous)
        qv_rotate(
            kernels, pool, Int64(x.rows), x.pointer, x.stride, Int32(x.columns / headSize), Int32(headSize),
            table.cosine.pointer, table.sine.pointer)
    }

    package func gatherRows(_ x: Tensor, _ index: [Int32]) -> Tensor {
        precondition(index.allSatisfy { $0 >= 0 && Int($0) < x.rows })
        let y = makeTensor(rows: index.count, columns: x.columns)
        qv_gather_rows(
            kernels, pool, Int64(index.count), index, Int64(x.columns), x.pointer, x.stride, y.pointer, y.stride)
        return y
    }

    package func scatterRows(_ x: Tensor, _ index: [Int32], into target: Tensor) {
        precondition(
            index.count == x.rows && x.columns == target.columns
                && index.allSatisfy { $0 >= 0 && Int($0) < target.rows })
        qv_scatter_rows(
            kernels, pool, Int64(index.count), index, Int64(x.columns), x.pointer, x.stride, target.pointer,
            target.stride)
    }
}
