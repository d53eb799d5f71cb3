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
    /// Memory of its own, or the owner of memory that the packed bytes lie in.
    private enum Holder {
        case own(UnsafeMutableRawPointer)
        case other(any AnyObject & Sendable)
    }
    private let holder: Holder
    private let dataBytes: Int
    private let bias: UnsafeMutablePointer<Float>?

    convenience init(rows: Int, columns: Int, format: WeightFormat, dataBytes: Int, hasBias: Bool) throws(BackendError)
    {
        // On large pages: one-row products read memory at its full rate only there.
        guard let data = qv_memory_allocate(max(dataBytes, 64)) else {
            throw .outOfMemory(purpose: "weights", bytes: dataBytes)
        }
        self.init(
            rows: rows, columns: columns, format: format, holder: .own(data),
            data: UnsafeRawBufferPointer(start: data, count: dataBytes), hasBias: hasBias)
    }

    /// Bytes in place; a copy where they do not lie on the boundary that kernels read from.
    convenience init(
        _ packed: PackedBytes, rows: Int, columns: Int, format: WeightFormat, hasBias: Bool
    ) throws(BackendError) {
        guard UInt(bitPattern: packed.bytes.baseAddress) % 64 == 0 else {
            try self.init(
                rows: rows, columns: columns, format: format, dataBytes: packed.bytes.count, hasBias: hasBias)
            packedData.copyMemory(
                from: packed.bytes.baseAddress ?? UnsafeRawPointer(packedData), byteCount: packed.bytes.count)
            return
        }
        self.init(
            rows: rows, columns: columns, format: format, holder: .other(packed.owner), data: packed.bytes,
            hasBias: hasBias)
    }

    private init(
        rows: Int, columns: Int, format: WeightFormat, holder: Holder, data: UnsafeRawBufferPointer, hasBias: Bool
    ) {
        self.holder = holder
        dataBytes = data.count
        self.rows = rows
        self.columns = columns
        self.format = format
        bias = hasBias ? .allocate(capacity: rows) : nil
        byteCount = data.count + (hasBias ? rows * 4 : 0)
        matrix = .allocate(capacity: 1)
        matrix.initialize(
            to: qv_matrix(
                format: format.kernelFormat, rows: Int64(rows), columns: Int64(columns), data: data.baseAddress,
                bias: UnsafePointer(bias)))
    }

    /// For packing into memory of its own.
    var packedData: UnsafeMutableRawPointer { UnsafeMutableRawPointer(mutating: matrix.pointee.data) }
    var packedBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: matrix.pointee.data, count: dataBytes) }
    var biasData: UnsafeMutablePointer<Float>? { bias }

    deinit {
        matrix.deallocate()
        if case .own(let memory) = holder { qv_memory_release(memory) }
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

/// A table in blocks of 8 bits.
final class PackedEmbeddingTable: EmbeddingTable {
    let packed: PackedBytes
    let rows: Int
    let columns: Int
    init(_ packed: PackedBytes, rows: Int, columns: Int) {
        (self.packed, self.rows, self.columns) = (packed, rows, columns)
    }
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
            if !source.biases.isEmpty { precondition(source.biases[index].shape.count == count) }
            firstRow += count
        }
        fill(weight, biases: source.biases)
        return weight
    }

    private func fill(_ weight: PackedWeight, biases: [HostTensor]) {
        guard let target = weight.biasData else { return }
        precondition(biases.reduce(0) { $0 + $1.shape.count } == weight.rows)
        var firstRow = 0
        for bias in biases {
            convert(bias, to: target + firstRow)
            firstRow += bias.shape.count
        }
    }

    package func makeWeight(
        _ packed: PackedBytes, rows: Int, columns: Int, biases: [HostTensor], format: WeightFormat
    ) throws -> any Weight {
        precondition(packed.bytes.count == qv_matrix_bytes(kernels, format.kernelFormat, Int64(rows), Int64(columns)))
        let weight = try PackedWeight(packed, rows: rows, columns: columns, format: format, hasBias: !biases.isEmpty)
        fill(weight, biases: biases)
        return weight
    }

    package func withPacked(
        _ weight: any Weight, _ body: (UnsafeRawBufferPointer, UnsafeBufferPointer<Float>?) throws -> Void
    ) rethrows {
        guard let weight = weight as? PackedWeight else { preconditionFailure("a weight of another backend") }
        try body(weight.packedBytes, weight.biasData.map { UnsafeBufferPointer(start: $0, count: weight.rows) })
    }

    package func makeEmbeddingTable(_ packed: PackedBytes, rows: Int, columns: Int) -> any EmbeddingTable {
        precondition(packed.bytes.count == rows * qv_quantized_row_bytes(Int64(columns)))
        return PackedEmbeddingTable(packed, rows: rows, columns: columns)
    }

    package func packTable(_ source: HostTensor, rows: Range<Int>) -> [UInt8] {
        let values = embed(rows.map { Int32($0) }, MappedEmbeddingTable(source, rounding: .none))
        let count = qv_quantized_row_bytes(Int64(values.columns)) * values.rows
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            qv_quantize_rows(
                kernels, pool, Int64(values.rows), Int64(values.columns), values.pointer, values.stride,
                buffer.baseAddress)
            initialized = count
        }
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

extension KVCacheStorage {
    var kernelStorage: qv_kv_storage {
        switch self {
        case .full: QV_KV_PLAIN
        case .int8: QV_KV_I8
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
