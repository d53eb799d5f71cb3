import CPUBackend
import Checkpoint
import Measuring
import Performance
import QwenVLModel
import TensorCore
import Testing

/// Counts against figures worked out by hand from the published shapes.
@Suite struct WorkloadTests {
    private func workload(_ shape: OfficialShape, _ format: WeightFormat = .bfloat16) throws -> Workload {
        Workload(
            try shape.config, formats: .init(text: format, vision: format), backend: try CPUBackend(threads: 1))
    }

    /// 1024×1024 becomes 74×74 patches: nine windows of 8 and one of 2 along each side.
    @Test func visionOf3B() throws {
        let work = try workload(.b3).vision(PatchGrid(frames: 1, height: 74, width: 74))
        // A block's matrices have 4·1280² + 3·1280·3420 = 19,686,400 values.
        let products: Double = 2 * 19_686_400 * 5476
        let side: Double = 9 * 64 + 4
        let windows: Double = 4 * 1280 * side * side
        let whole: Double = 4 * 1280 * 5476 * 5476
        #expect(work.windowed.operations == [.bfloat16: 28 * (products + windows)])
        #expect(work.fullAttention.operations == [.bfloat16: 4 * (products + whole)])
        let embedding: Double = 2 * 5476 * 1176 * 1280
        let merger: Double = 2 * 1369 * 5120 * 7168  // to 5120, and from there to 2048
        #expect(work.embeddingAndMerger.operations == [.bfloat16: embedding + merger])
        // "7.7 TFLOP"
        #expect((work.total.total * 1e-12 * 10).rounded() == 77)
    }

    /// Frames do not see each other: two cost twice as much as one.
    @Test func framesAreApart() throws {
        let workload = try workload(.b3)
        let one = workload.vision(PatchGrid(frames: 1, height: 20, width: 36)).total
        let two = workload.vision(PatchGrid(frames: 2, height: 20, width: 36)).total
        #expect(two == one + one)
    }

    @Test func textOf3B() throws {
        let workload = try workload(.b3)
        // 36 layers of 2560·2048 + 2048² + 3·11008·2048 values, and a head of 151936·2048.
        let layers: Double = 36 * 77_070_336
        let head: Double = 311_164_928
        let prefill = workload.prefill(512)
        let pairs: Double = 512 * 513 / 2
        // Of the last layer only queries, keys and values (2560·2048) are for all tokens; the rest is for the last one.
        let lastRest: Double = 77_070_336 - 5_242_880
        let attention: Double = 4 * 2048 * (pairs * 35 + 512)
        #expect(
            prefill.operations == [.bfloat16: 1024 * (layers - lastRest) + 2 * lastRest + 2 * head + attention])
        #expect(prefill.bytes == 2 * (layers + head))
        // Twice the chunk: the layers' weights are read twice, the head's once.
        #expect(workload.prefill(1024).bytes == 2 * (2 * layers + head))
        // The second half sees the first.
        let halves = workload.prefill(256) + workload.prefill(256, past: 256)
        #expect(halves.total == prefill.total + 2 * head + 2 * lastRest + 4 * 2048 * 256)
        // A token of the cache: keys and values of 2 heads of 128 in 36 layers.
        #expect(workload.cacheBytesPerToken == 2 * 36 * 2 * 2 * 128)
        let step = workload.decodeStep(context: 511)
        #expect(step.bytes == 2 * (layers + head) + 512 * 36_864)
        let eight = workload.decodeStep(batch: 8, context: 511)
        #expect(eight.bytes == 2 * (layers + head) + 8 * 512 * 36_864)
        #expect(eight.total == 8 * step.total)
        // 65 tokens take two blocks of 64.
        #expect(workload.cacheBytes(context: 65, batch: 2) == 4 * 64 * 36_864)
    }

    @Test(arguments: [(OfficialShape.b3, 3.75), (.b7, 8.29), (.b32, 33.5), (.b72, 73.4)])
    func parameters(_ shape: OfficialShape, billions: Double) throws {
        let parameters = try shape.config.expectedTensors.reduce(0) { $0 + $1.shape.count }
        #expect(abs(Double(parameters) * 1e-9 / billions - 1) < 0.005)
    }

    /// Computing and reading go on at the same time: the longer one counts.
    @Test func timeAtTheLimits() {
        let limits = MachineLimits(threads: 1, read: 10, float32: 100, bfloat16: 200, int8: 400)
        var work = Work(200e9, .bfloat16) + Work(200e9, .int8)
        #expect(work.seconds(at: limits) == 1.5)
        work.bytes = 20e9
        #expect(work.seconds(at: limits) == 2)
        #expect((work * 2).seconds(at: limits) == 4)
    }

    @Test(arguments: [
        ("Qwen/Qwen2.5-VL-7B-Instruct-AWQ", OfficialShape.b7), ("3b", .b3), ("qwen2.5-vl-72b", .b72),
        ("Models/Qwen2.5-VL-32B", .b32),
    ])
    func sizeFromAName(_ name: String, shape: OfficialShape) {
        #expect(OfficialShape(modelName: name) == shape)
    }

    @Test(arguments: ["", "Qwen2.5-VL", "13b", "a3b"]) func namesWithoutASize(_ name: String) {
        #expect(OfficialShape(modelName: name) == nil)
    }

    @Test func medians() {
        #expect(Statistic([3, 1, 2]).median == 2)
        #expect(Statistic([4, 1, 2, 3]).median == 2.5)
        #expect(Statistic([4, 1]).maximum == 4)
        #expect(Statistic([]).median == 0)
    }
}
