import CPUBackend
import Checkpoint
import Foundation
import Performance
import QwenVLModel
import TensorCore
import Testing

@Suite struct PlanTests {
    private let limits = MachineLimits(threads: 2, read: 50, float32: 200, bfloat16: 400, int8: 800)

    private func request(_ shape: OfficialShape, _ format: WeightFormat = .bfloat16) throws -> PlanRequest {
        PlanRequest(
            label: shape.label, config: try shape.config, formats: .init(text: format, vision: format))
    }

    private func plan(_ request: PlanRequest, available: Int) throws -> Plan {
        try Plan(request, backend: CPUBackend(threads: 1), limits: limits, available: available)
    }

    // MARK: Media

    /// Sizes are those of qwen-vl-utils 0.0.11.
    @Test(arguments: [
        (1024, 1024, 1036, 1036), (448, 448, 448, 448), (4000, 3000, 4004, 2996), (512, 512, 504, 504),
        (100, 3000, 112, 2996),
    ])
    func pictures(_ width: Int, _ height: Int, _ seenWidth: Int, _ seenHeight: Int) throws {
        let picture = try PlannedMedia.picture(width: width, height: height, config: OfficialShape.b3.config)
        #expect((picture.processedWidth, picture.processedHeight) == (seenWidth, seenHeight))
        #expect(picture.grid == PatchGrid(frames: 1, height: seenHeight / 14, width: seenWidth / 14))
    }

    /// Frames and sizes are those of qwen-vl-utils 0.0.11.
    @Test(arguments: [
        (60.0, 1280, 720, 120, 1008, 560), (10, 640, 480, 20, 644, 476), (600, 1920, 1080, 768, 644, 336),
        (0.1, 640, 480, 4, 644, 476),
    ])
    func videos(
        _ seconds: Double, _ width: Int, _ height: Int, _ frames: Int, _ seenWidth: Int, _ seenHeight: Int
    ) throws {
        let video = try PlannedMedia.video(
            seconds: seconds, fps: 2, width: width, height: height, config: OfficialShape.b3.config)
        #expect(video.frames == frames)
        #expect((video.processedWidth, video.processedHeight) == (seenWidth, seenHeight))
        #expect(video.grid.frames == frames / 2)
    }

    @Test func refusesImpossibleSizes() throws {
        #expect(throws: PlanError.self) {
            try PlannedMedia.picture(width: 10, height: 10_000, config: OfficialShape.b3.config)
        }
    }

    // MARK: Memory

    @Test func partsOfMemory() throws {
        var request = try request(.b3)
        request.context = 4096
        request.media = [try .picture(width: 1024, height: 1024, config: request.config)]
        let memory = try plan(request, available: 24 << 30).memory
        #expect(memory.cache == 4096 * 36_864)
        // bfloat16: two bytes a value; vectors are too small to count.
        #expect(memory.textWeights == 2 * (36 * 77_070_336 + 311_164_928))
        #expect(memory.total < 10 << 30)
        #expect(memory.visionActivations > memory.textActivations)
    }

    @Test func saysWhetherItFits() throws {
        let request = try request(.b3)
        let need = try plan(request, available: 0).memory.total
        #expect(try plan(request, available: need).fits)
        #expect(try plan(request, available: need).suggestion == nil)
        #expect(try !plan(request, available: need - 1).fits)
    }

    @Test func suggestsASmallerFormat() throws {
        let plan = try plan(request(.b3, .float32), available: 10 << 30)
        #expect(!plan.fits)
        #expect(plan.suggestion?.contains("--weights bfloat16") == true)
    }

    /// The context that is suggested fits, and the next longer one does not.
    @Test func suggestsAContext() throws {
        let smallest = try #require(WeightFormat.smallest)
        var request = try request(.b3)
        request.formats = smallest
        request.context = 100_000
        let available = try plan(request, available: 0).memory.total - (1 << 30)
        let suggestion = try #require(try plan(request, available: available).suggestion)
        let tokens = try #require(suggestion.split(separator: " ").last.flatMap { Int($0) })
        request.context = tokens
        #expect(try plan(request, available: available).fits)
        request.context = tokens + 64
        #expect(try !plan(request, available: available).fits)
    }

    @Test func saysWhenNothingHelps() throws {
        #expect(try plan(request(.b72), available: 1 << 30).suggestion?.contains("smaller model") == true)
    }

    @Test func refusesAContextThatIsTooLong() throws {
        var request = try request(.b3)
        request.context = 200_000
        #expect(throws: PlanError.self) { try plan(request, available: 24 << 30) }
        (request.context, request.textTokens) = (100, 100)
        #expect(throws: PlanError.self) { try plan(request, available: 24 << 30) }
    }

    // MARK: Times

    /// Twice as fast a machine takes half the time; what is read and what is computed both count.
    @Test func timesFollowTheLimits() throws {
        var request = try request(.b3)
        request.media = [try .picture(width: 1024, height: 1024, config: request.config)]
        request.batch = 8
        let one = try plan(request, available: 24 << 30).times
        let fast = MachineLimits(threads: 2, read: 100, float32: 400, bfloat16: 800, int8: 1600)
        let two = try Plan(request, backend: CPUBackend(threads: 1), limits: fast, available: 24 << 30).times
        #expect(abs(one.vision / two.vision - 2) < 1e-9)
        #expect(abs(one.prefill / two.prefill - 2) < 1e-9)
        #expect(abs(two.tokensPerSecond / one.tokensPerSecond - 2) < 1e-9)
        #expect(one.firstToken == one.preparing + one.vision + one.prefill)
        // Weights are read once for all eight.
        #expect(try #require(one.batchTokensPerSecond) > 3 * one.tokensPerSecond)
    }

    @Test func json() throws {
        var request = try request(.b7)
        request.media = [try .video(seconds: 10, fps: 2, width: 640, height: 480, config: request.config)]
        let plan = try plan(request, available: 24 << 30)
        let object = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(plan)) as? [String: Any])
        #expect(object["model"] as? String == "7B")
        #expect(object["fits"] as? Bool == plan.fits)
        #expect(object["neededBytes"] as? Int == plan.memory.total)
        // JSONSerialization reads the last of 17 digits as it likes.
        let firstToken = try #require((object["seconds"] as? [String: Double])?["firstToken"])
        #expect(abs(firstToken - plan.times.firstToken) <= 1e-15 * plan.times.firstToken)
        #expect((object["memory"] as? [String: Int])?["cache"] == plan.memory.cache)
        #expect((object["media"] as? [[String: Int]])?.first?["frames"] == 20)
        #expect(plan.text.contains("video of 20 frames"))
    }
}
