import CKernels
package import TensorCore

/// A matrix packed for the kernel table that made it.
final class PackedWeight: Weight, @unchecked Sendable {
    // Sendable: immutable after init.
    let rows: Int
    let columns: Int
    let format: WeightFormat
    let byteCount: Int
    let matrix: UnsafeMutablePointer<qv_matrix>
    private let data: UnsafeMutableRawPointer
    private let bias: UnsafeMutablePointer<Float>?

    init(rows: Int, columns: Int, format: WeightFormat, dataBytes: Int, hasBias: Bool) throws(BackendError) {
        // On large pages: one-row products read memory at its full rate only there.
        guard let data = qv_memory_allocate(max(dataBytes, 64)) else {
            throw .outOfMemory(purpose: "weights", bytes: dataBytes)
        }
        self.data = data
        self.rows = rows
        self.columns = columns
        self.format = format
        bias = hasBias ? .allocate(capacity: rows) : nil
        byteCount = dataBytes + (hasBias ? rows * 4 : 0)
        matrix = .allocate(capacity: 1)
        matrix.initialize(
            to: qv_matrix(
                format: format.kernelFormat, rows: Int64(rows), columns: Int64(columns), data: UnsafeRawPointer(data),
                bias: UnsafePointer(bias)))
    }

    var packedData: UnsafeMutableRawPointer { data }
    var biasData: UnsafeMutablePointer<Float>? { bias }

    deinit {
        matrix.deallocate()
        qv_memory_release(data)
        bias?.deallocate()
    }
}

/// The checkpoint's own table, in place.
final class MappedEmbeddingTable: EmbeddingTable {
    let source: HostTensor
    var rows: Int { source.shape.dimensions[0] }
    var columns: Int { source.shape.dimensions[1] }
    init(_ source: HostTensor) { self.source = source }
}

extension CPUBackend {
    package func makeWeight(_ source: WeightSource, format: WeightFormat) throws -> any Weight {
        let bytes = qv_matrix_bytes(kernels, format.kernelFormat, Int64(source.rows), Int64(source.columns))
        let weight = try PackedWeight(
            rows: source.rows, columns: source.columns, format: format, dataBytes: bytes,
            hasBias: !source.biases.isEmpty)
        var firstRow = 0
        for (index, part) in source.matrices.enumerated() {
            let count = part.shape.dimensions[0]
            qv_matrix_pack(
                kernels, pool, format.kernelFormat, Int64(source.rows), Int64(source.columns), part.bytes.baseAddress,
                part.dtype.kernelType, Int64(firstRow), Int64(count), weight.packedData)
            if let bias = weight.biasData {
                let values = source.biases[index]
                precondition(values.shape.count == count)
                convert(values, to: bias + firstRow)
            }
            firstRow += count
        }
        return weight
    }

    package func makeVector(_ source: HostTensor) -> Tensor {
        let tensor = makeTensor(rows: 1, columns: source.shape.count)
        convert(source, to: tensor.pointer)
        return tensor
    }

    package func makeEmbeddingTable(_ source: HostTensor) -> any EmbeddingTable { MappedEmbeddingTable(source) }

    /// A tensor's values as float32.
    private func convert(_ source: HostTensor, to target: UnsafeMutablePointer<Float>) {
        var first: Int32 = 0
        let count = Int64(source.shape.count)
        qv_embed(
            kernels, pool, 1, &first, source.bytes.baseAddress, source.dtype.kernelType, count, target, count)
    }
}

extension WeightFormat {
    var kernelFormat: qv_weight_format {
        switch self {
        case .float32: QV_WEIGHT_F32
        case .bfloat16: QV_WEIGHT_BF16
        }
    }
}

extension DType {
    var kernelType: qv_type {
        switch self {
        case .float32: QV_TYPE_F32
        case .bfloat16: QV_TYPE_BF16
        case .float16: QV_TYPE_F16
        }
    }
}
