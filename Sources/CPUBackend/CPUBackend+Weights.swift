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
    let rounding: EmbeddingRounding
    var rows: Int { source.shape.dimensions[0] }
    var columns: Int { source.shape.dimensions[1] }
    init(_ source: HostTensor, rounding: EmbeddingRounding) { (self.source, self.rounding) = (source, rounding) }
}

/// Rows made up, again and again the same few.
final class RandomEmbeddingTable: EmbeddingTable {
    static let distinctRows = 1024
    let rows: Int
    let columns: Int
    let values: [Float]
    init(rows: Int, columns: Int) {
        (self.rows, self.columns) = (rows, columns)
        var state: UInt32 = 1
        values = (0..<min(rows, Self.distinctRows) * columns).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(Int32(bitPattern: state)) * 0x1p-31 * 0.035
        }
    }
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

    package func makeEmbeddingTable(_ source: HostTensor, rounding: EmbeddingRounding) -> any EmbeddingTable {
        MappedEmbeddingTable(source, rounding: rounding)
    }

    package func makeRandomWeight(
        rows: Int, columns: Int, hasBias: Bool, format: WeightFormat, seed: UInt64
    ) throws -> any Weight {
        let bytes = qv_matrix_bytes(kernels, format.kernelFormat, Int64(rows), Int64(columns))
        let weight = try PackedWeight(rows: rows, columns: columns, format: format, dataBytes: bytes, hasBias: hasBias)
        qv_matrix_fill(
            kernels, pool, format.kernelFormat, Int64(rows), Int64(columns), seed, weight.packedData)
        weight.biasData?.initialize(repeating: 0, count: rows)
        return weight
    }

    package func makeRandomEmbeddingTable(rows: Int, columns: Int) -> any EmbeddingTable {
        RandomEmbeddingTable(rows: rows, columns: columns)
    }

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
        case .int8: QV_WEIGHT_I8
        case .int4: QV_WEIGHT_I4
        }
    }
}

extension AttentionFormat {
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
