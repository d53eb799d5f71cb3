import CPUBackend
import TensorCore
import Testing

/// The backend over the kernels: what it adds to them is bookkeeping, and that must be right.
@Suite struct CPUBackendTests {
    /// Owns the bytes of a made-up checkpoint tensor.
    private final class Bytes: Sendable {
        nonisolated(unsafe) let buffer: UnsafeMutableRawBufferPointer
        init(_ values: [Float]) {
            buffer = .allocate(byteCount: values.count * 4, alignment: 4)
            values.withUnsafeBytes { buffer.copyMemory(from: $0) }
        }
        deinit { buffer.deallocate() }
    }

    private func host(_ values: [Float], _ shape: Shape) -> HostTensor {
        let bytes = Bytes(values)
        return HostTensor(
            name: "t", dtype: .float32, shape: shape, owner: bytes, bytes: UnsafeRawBufferPointer(bytes.buffer))
    }

    /// Small whole numbers: every sum is exact in both formats, so results must be equal.
    private func values(_ count: Int, seed: Int) -> [Float] {
        (0..<count).map { Float(($0 &* 7919 &+ seed &* 104_729) % 7 - 3) }
    }

    private func tensor(_ backend: CPUBackend, _ values: [Float], rows: Int) -> Tensor {
        values.withUnsafeBufferPointer { backend.makeTensor($0, rows: rows, columns: values.count / rows) }
    }

    @Test(arguments: CPUBackend.availableInstructionSets, WeightFormat.allCases)
    func stackedWeightsAreTheirParts(_ instructionSet: String, format: WeightFormat) throws {
        let backend = try CPUBackend(threads: 2, instructionSet: instructionSet)
        let columns = 37
        let parts = [40, 3, 65].enumerated().map { index, rows in
            (host(values(rows * columns, seed: index), [rows, columns]), host(values(rows, seed: 9 + index), [rows]))
        }
        let x = tensor(backend, values(5 * columns, seed: 50), rows: 5)
        let stacked = try backend.makeWeight(WeightSource(parts.map(\.0), biases: parts.map(\.1)), format: format)
        let whole = backend.linear(x, stacked)
        #expect(whole.columns == 108)
        var first = 0
        for (matrix, bias) in parts {
            let alone = backend.linear(
                x, try backend.makeWeight(WeightSource([matrix], biases: [bias]), format: format))
            #expect(backend.read(whole.columns(first..<first + alone.columns)) == backend.read(alone))
            first += alone.columns
        }
    }

    @Test func windowsReadAndWriteTheirPart() throws {
        let backend = try CPUBackend(threads: 1)
        let x = tensor(backend, values(6 * 10, seed: 1), rows: 6)
        let part = x.rows(2..<5).columns(3..<7)
        let expected = (2..<5).flatMap { row in (3..<7).map { values(60, seed: 1)[row * 10 + $0] } }
        #expect(backend.read(part) == expected)
        let weight = try backend.makeWeight(WeightSource([host(values(8, seed: 2), [2, 4])]), format: .float32)
        let copy = tensor(backend, expected, rows: 3)
        #expect(backend.read(backend.linear(part, weight)) == backend.read(backend.linear(copy, weight)))
        backend.scatterRows(copy, [5, 0, 3], into: x.columns(0..<4))
        #expect(backend.read(backend.gatherRows(x.columns(0..<4), [5, 0, 3])) == expected)
    }

    /// Where blocks lie in the pool is nobody's business.
    @Test(arguments: AttentionFormat.allCases, KVCacheStorage.allCases)
    func scatteredBlocksHoldTheSame(_ format: AttentionFormat, storage: KVCacheStorage) throws {
        let backend = try CPUBackend(threads: 2)
        let heads = HeadLayout(heads: 4, size: 16)
        let shape = KVCacheShape(layers: 2, kvHeads: 2, headSize: 16, format: format, storage: storage)
        let count = 150
        let qkv = tensor(backend, values(count * 128, seed: 3).map { $0 / 4 }, rows: count)
        func attend(_ blocks: [Int32]) throws -> [Float] {
            let cache = try backend.makeKVCache(shape, blockCount: 9)
            let sequences = [SequenceSpan(blocks: blocks, past: 0, count: count)]
            backend.append(
                keys: qkv.columns(64..<96), values: qkv.columns(96..<128), to: cache, layer: 1, sequences: sequences)
            return backend.read(
                backend.cachedAttention(
                    queries: qkv.columns(0..<64), heads: heads, cache: cache, layer: 1, sequences: sequences))
        }
        #expect(try attend([0, 1, 2]) == attend([7, 3, 8]))
    }

    @Test func lanesWorkSideBySide() throws {
        let backend = try CPUBackend(threads: 2)
        let weight = try backend.makeWeight(WeightSource([host(values(50 * 40, seed: 1), [50, 40])]), format: .float32)
        let x = tensor(backend, values(6 * 40, seed: 2), rows: 6)
        let y = backend.makeTensor(rows: 6, columns: 50)
        for _ in 0..<200 {
            backend.inLanes(2) { lane, own in
                let rows = lane * 3..<lane * 3 + 3
                own.scatterRows(own.linear(x.rows(rows), weight), rows.map { Int32($0) }, into: y)
            }
        }
        #expect(backend.read(y) == backend.read(backend.linear(x, weight)))
        #expect(backend.lanes(rows: 8, weightBytes: 1 << 60) == 1)
        #expect(backend.lanes(rows: 3, weightBytes: 0) == 1)
        #expect(try CPUBackend(threads: 1).lanes(rows: 8, weightBytes: 0) == 1)
    }

    @Test func memoryIsUsedAgain() throws {
        let backend = try CPUBackend(threads: 1)
        let first = backend.makeTensor(rows: 100, columns: 100).storage.base
        let second = backend.makeTensor(rows: 100, columns: 99).storage.base
        #expect(first == second)
        let held = backend.makeTensor(rows: 100, columns: 100)
        #expect(backend.makeTensor(rows: 100, columns: 100).storage.base != held.storage.base)
    }

    @Test func unknownInstructionSet() {
        #expect(throws: BackendError.self) { _ = try CPUBackend(instructionSet: "abacus") }
        #expect(throws: BackendError.threadsUnavailable(count: 0)) { _ = try CPUBackend(threads: 0) }
        #expect(CPUBackend.availableInstructionSets.first == "generic")
    }
}
