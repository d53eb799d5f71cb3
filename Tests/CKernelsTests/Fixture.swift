public import CKernels
public import Testing

/// Names of the tables that this processor runs.
let tables: [String] = {
    var names: [String] = []
    var next = qv_kernels_available()
    while let name = next?.pointee {
        names.append(String(cString: name))
        next = next?.advanced(by: 1)
    }
    return names
}()

let formats = [QV_WEIGHT_F32, QV_WEIGHT_BF16]

extension qv_weight_format: @retroactive CustomTestStringConvertible {
    /// In the names of tests.
    public var testDescription: String { ["f32", "bf16", "i8", "i4"][Int(rawValue)] }
}

/// float32's unit roundoff.
let roundoff = 0x1p-24

func kernels(_ name: String) throws -> OpaquePointer {
    try #require(qv_kernels_named(name))
}

/// A pool that lives as long as the test that made it.
final class Pool {
    let pointer: OpaquePointer

    init(_ threads: Int32) throws {
        pointer = try #require(qv_pool_create(threads))
        qv_pool_set_active(pointer, true)
    }

    deinit { qv_pool_destroy(pointer) }
}

/// Memory on a 64-byte boundary, filled with NaN patterns, so that what is read before it was written shows.
final class Memory {
    let raw: UnsafeMutableRawPointer
    let count: Int

    init(_ count: Int) {
        self.count = count
        raw = .allocate(byteCount: max(count, 64), alignment: 64)
        raw.initializeMemory(as: UInt8.self, repeating: 0xff, count: max(count, 64))
    }

    deinit { raw.deallocate() }
}

/// Values in -1 ..< 1 from SplitMix64 (Steele et al. 2014): the same in every run.
struct Values {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> Float {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        z ^= z >> 31
        return Float(Int32(truncatingIfNeeded: z >> 40) - (1 << 23)) * 0x1p-23
    }

    mutating func array(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in next() * scale }
    }
}

/// The bits of the nearest bfloat16, ties to even.
func bfloat16(_ x: Float) -> UInt16 {
    let bits = x.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
}

/// What a product sees of a value.
func seen(_ x: Float, _ format: qv_weight_format) -> Double {
    Double(format == QV_WEIGHT_BF16 ? Float(bitPattern: UInt32(bfloat16(x)) << 16) : x)
}

/// A packed weight with everything it points to.
final class Matrix {
    let rows: Int
    let columns: Int
    let weights: [Float]
    let bias: [Float]
    private let packed: Memory
    private let biasMemory: UnsafeMutablePointer<Float>
    private(set) var value: qv_matrix

    init(
        _ kernels: OpaquePointer, pool: Pool, format: qv_weight_format, rows: Int, columns: Int, hasBias: Bool = true,
        seed: UInt64
    ) {
        var values = Values(seed: seed)
        (self.rows, self.columns) = (rows, columns)
        weights = values.array(rows * columns)
        bias = hasBias ? values.array(rows) : []
        packed = Memory(qv_matrix_bytes(kernels, format, Int64(rows), Int64(columns)))
        qv_matrix_pack(
            kernels, pool.pointer, format, Int64(rows), Int64(columns), weights, QV_TYPE_F32, 0, Int64(rows), packed.raw
        )
        biasMemory = .allocate(capacity: max(rows, 1))
        biasMemory.initialize(repeating: 0, count: max(rows, 1))
        for (i, b) in bias.enumerated() { biasMemory[i] = b }
        value = qv_matrix(
            format: format, rows: Int64(rows), columns: Int64(columns), data: packed.raw,
            bias: hasBias ? UnsafePointer(biasMemory) : nil)
    }

    deinit { biasMemory.deallocate() }

    /// Row `row` times x in double, and the sum of magnitudes that bounds float32's error.
    func dot(_ row: Int, _ x: ArraySlice<Float>) -> (sum: Double, magnitude: Double) {
        var sum = 0.0
        var magnitude = 0.0
        for (i, value) in x.enumerated() {
            let product = seen(value, self.value.format) * seen(weights[row * columns + i], self.value.format)
            sum += product
            magnitude += abs(product)
        }
        return bias.isEmpty ? (sum, magnitude) : (sum + Double(bias[row]), magnitude + abs(Double(bias[row])))
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: packed.raw, count: packed.count) }
}
