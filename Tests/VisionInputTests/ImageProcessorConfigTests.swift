import Foundation
import Testing
import VisionInput

@Suite struct ImageProcessorConfigTests {
    private func config(_ json: String) throws -> ImageProcessorConfig {
        try ImageProcessorConfig(json: Data(json.utf8))
    }

    @Test func officialFile() throws {
        let official = try config(
            """
            {"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
             "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
             "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"}
            """)
        #expect(official == ImageProcessorConfig())
        #expect(official.factor == 28 && official.valuesPerPatch == 1176)
    }

    @Test func newerFilesHoldLimitsInSize() throws {
        let newer = try config(#"{"size": {"shortest_edge": 784, "longest_edge": 100352}, "do_resize": true}"#)
        #expect(newer.minPixels == 784 && newer.maxPixels == 100352)
        let both = try config(#"{"size": {"shortest_edge": 784, "longest_edge": 100352}, "max_pixels": 200704}"#)
        #expect(both.minPixels == 784 && both.maxPixels == 200704)
    }

    @Test func missingFileMeansOfficialValues() throws {
        #expect(try ImageProcessorConfig(path: "/nowhere/preprocessor_config.json") == ImageProcessorConfig())
    }

    @Test func oneNumberStandsForAllChannels() throws {
        #expect(try config(#"{"image_mean": 0.5, "image_std": 0.25}"#).imageMean == [0.5, 0.5, 0.5])
    }

    @Test(arguments: [
        (#"{"min_pixels": "many"}"#, "min_pixels"), (#"{"max_pixels": -1}"#, "max_pixels"),
        (#"{"min_pixels": 20000000}"#, "min_pixels"), (#"{"patch_size": 0}"#, "patch_size"),
        (#"{"merge_size": 1.5}"#, "merge_size"), (#"{"image_mean": [0.5, 0.5]}"#, "image_mean"),
        (#"{"image_std": [1, 0, 1]}"#, "image_std"), (#"{"do_normalize": false}"#, "do_normalize"),
        (#"{"resample": 2}"#, "resample"), (#"{"size": 5}"#, "size"),
        (#"{"size": {"longest_edge": 0}}"#, "size.longest_edge"),
        ("[1, 2]", "file"), ("{", "file"), (#"{"temporal_patch_size": true}"#, "temporal_patch_size"),
    ])
    func badValuesAreNamed(json: String, field: String) {
        do {
            _ = try config(json)
            Issue.record("accepted \(json)")
        } catch let error as VisionInputError {
            guard case .invalidValue(let found, _, _) = error.reason else {
                Issue.record("\(error)")
                return
            }
            #expect(found == field)
        } catch {
            Issue.record("\(error)")
        }
    }
}
