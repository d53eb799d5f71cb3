import CKernels
import Testing

@Suite("Pool and tables")
struct PoolTests {
    @Test("every row is done exactly once, through pools that come, go, sleep and wake")
    func stress() throws {
        let kernels = try kernels("generic")
        for round in 0..<60 {
            let pool = try #require(qv_pool_create(Int32(1 + round % 5)))
            defer { qv_pool_destroy(pool) }
            #expect(qv_pool_threads(pool) == Int32(1 + round % 5))
            for job in 0..<40 {
                qv_pool_set_active(pool, (job + round) % 3 != 0)
                // Rotating by 0 degrees but once by a quarter turn would show a row done twice or never.
                let count = 1 + job * 37 % 300
                var x = [Float](repeating: 0, count: count * 128)
                for i in 0..<count { x[i * 128] = Float(i + 1) }
                let cosine = [Float](repeating: 0, count: count * 64)
                let sine = [Float](repeating: 1, count: count * 64)
                qv_rotate(kernels, pool, Int64(count), &x, 128, 1, 128, cosine, sine)
                #expect((0..<count).allSatisfy { x[$0 * 128] == 0 && x[$0 * 128 + 64] == Float($0 + 1) })
            }
        }
    }

    @Test("tables are found by name, and the best is the last")
    func names() throws {
        #expect(tables.first == "generic")
        #expect(qv_kernels_named("pentium") == nil)
        for name in tables { #expect(String(cString: qv_kernels_name(try kernels(name))) == name) }
    }
}

@Suite("Memory")
struct MemoryTests {
    @Test("blocks of any size are aligned and whole", arguments: [0, 1, 65, 1 << 20, (16 << 20) + 1])
    func allocate(bytes: Int) throws {
        let memory = try #require(qv_memory_allocate(bytes))
        defer { qv_memory_release(memory) }
        #expect(UInt(bitPattern: memory) % 64 == 0)
        memory.initializeMemory(as: UInt8.self, repeating: 7, count: bytes)
    }

    @Test("more than there is gives nothing")
    func tooMuch() {
        #expect(qv_memory_allocate(Int.max) == nil)
        #expect(qv_memory_allocate(-1) == nil)
    }
}
