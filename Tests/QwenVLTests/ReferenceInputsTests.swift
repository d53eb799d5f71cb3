import Foundation
import QwenVL
import Testing
import VisionInput

/// The processor against the reference: everything it makes is equal, pixel values bit for bit.
@Suite struct ReferenceInputsTests {
    @Test(arguments: FixtureLibrary.conversations)
    func equalInputs(_ name: String) async throws {
        let directory = try FixtureLibrary.directory("tied-bfloat16")
        // The reference does not turn pictures; the fixtures' have no orientation either way.
        let processor = try Processor(directory: directory.path)
        let conversations = try FixtureLibrary.messages(name)
        let golden: GoldenInputs = try FixtureLibrary.golden("Inputs/\(name)")
        #expect(try conversations.map { try processor.render($0) } == golden.texts)
        let batch = try await processor.process(conversations)
        #expect(batch.inputIDs == golden.input_ids.flatMap { $0 })
        #expect(batch.attentionMask == golden.attention_mask.flatMap { $0 })
        #expect(batch.positionIDs == golden.position_ids.flatMap { $0.flatMap { $0 } })
        #expect(batch.ropeDeltas == golden.rope_deltas)
        #expect(batch.imageGrids == (golden.image_grid_thw ?? []).flatMap { $0 })
        #expect(batch.videoGrids == (golden.video_grid_thw ?? []).flatMap { $0 })
        #expect(batch.secondsPerGrid == golden.second_per_grid_ts ?? [])
        expectEqual(try batch.pixelValues, golden.pixel_values)
        expectEqual(try batch.videoPixelValues, golden.pixel_values_videos)
    }

    private func expectEqual(_ pixels: [Float], _ golden: TensorSample?) {
        guard let golden else {
            #expect(pixels.isEmpty)
            return
        }
        #expect(pixels.count == golden.shape.reduce(1, *))
        for (place, value) in zip(golden.at, golden.values) { #expect(pixels[place] == value) }
        #expect(pixels.withUnsafeBytes { ContentHash($0) }.description == golden.sha256)
    }
}

/// Options of the processor that the reference has too.
@Suite struct ProcessorOptionsTests {
    @Test func visionIDs() throws {
        let directory = try FixtureLibrary.directory("tied-bfloat16")
        var options = ProcessorOptions()
        options.addsVisionIDs = true
        let processor = try Processor(directory: directory.path, options: options)
        let message = ChatMessage.user(.image(path: "a.png"), .text(" and "), .image(path: "b.png"))
        let slot = "<|vision_start|><|image_pad|><|vision_end|>"
        #expect(try processor.render([message]).contains("Picture 1: \(slot) and Picture 2: \(slot)"))
    }

    /// `max_pixels` of a processor bounds every picture.
    @Test func limitsOfTheProcessor() async throws {
        let directory = try FixtureLibrary.directory("tied-bfloat16")
        let messages = try FixtureLibrary.messages("one-picture")
        var options = ProcessorOptions()
        options.maxPixels = 100 * 100
        let batch = try await Processor(directory: directory.path, options: options).process(messages)
        let free = try await Processor(directory: directory.path).process(messages)
        #expect(batch.imageGrids[1] * batch.imageGrids[2] * 14 * 14 <= 100 * 100)
        #expect(free.imageGrids[1] * free.imageGrids[2] * 14 * 14 > 100 * 100)
        options.minPixels = 200 * 200
        #expect(throws: QwenVLError.self) { _ = try Processor(directory: directory.path, options: options) }
    }
}
