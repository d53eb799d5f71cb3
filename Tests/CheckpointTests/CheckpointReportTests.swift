import Checkpoint
import Foundation
import TensorCore
import Testing

@Suite struct CheckpointReportTests {
    /// A model so small that all its tensors fit in a test.
    static let tiny = """
        {"model_type": "qwen2_5_vl", "hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 2,
         "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512, "vocab_size": 16,
         "image_token_id": 1, "video_token_id": 2, "vision_start_token_id": 3, "vision_end_token_id": 4,
         "tie_word_embeddings": true, "rope_scaling": {"type": "mrope", "mrope_section": [1, 1]},
         "vision_config": {"depth": 1, "hidden_size": 8, "num_heads": 2, "intermediate_size": 5, "patch_size": 2,
           "window_size": 8, "fullatt_block_indexes": [0]}}
        """.replacingOccurrences(of: "[1, 1]", with: "[1, 1, 1]")
        .replacingOccurrences(of: #""num_attention_heads": 2"#, with: #""num_attention_heads": 2, "head_dim": 6"#)

    private let config: ModelConfig
    private let tensors: [TestTensor]

    init() throws {
        config = try ModelConfig(parsing: Array(Self.tiny.utf8), file: "config.json")
        tensors = config.expectedTensors.map { TestTensor($0.name, $0.shape, .bfloat16) }
    }

    private func inspect(
        _ tensors: [TestTensor]?, config: String? = tiny, tokenizer: String? = "tokenizer.json"
    ) throws -> CheckpointReport {
        let directory = try TemporaryDirectory()
        if let tensors { try directory.write(tensors, to: "model.safetensors") }
        if let config { try directory.write(config, to: "config.json") }
        if let tokenizer { try directory.write("{}", to: tokenizer) }
        return CheckpointReport(inspecting: try CheckpointDirectory(directory.path))
    }

    @Test func completeDirectory() throws {
        let report = try inspect(tensors)
        #expect(report.isComplete)
        #expect(report.problems.isEmpty)
        #expect(report.missingFiles.allSatisfy { !$0.isRequired })
        let model = try #require(report.model)
        #expect(model.config == config && model.sizeClass == nil && model.contextLength == 512)
        let parameters = tensors.reduce(0) { $0 + $1.declaration.shape.count }
        #expect(model.parameters == parameters)
        let weights = try #require(report.weights)
        #expect(weights.expectedTensors == tensors.count && weights.tensors == tensors.count)
        #expect(weights.bytes == parameters * 2)
        #expect(weights.types.map(\.type) == [.bfloat16] && weights.types[0].bytes == parameters * 2)
        let memory = try #require(report.memory)
        #expect(memory.float32Weights == parameters * 4 && memory.bfloat16Weights == parameters * 2)
        // 2 layers of one KV head of 6, keys and values
        #expect(memory.bfloat16CachePer1024Tokens == 2 * 2 * 6 * 1024 * 2)
        #expect(memory.float32CachePer1024Tokens == 2 * 2 * 6 * 1024 * 4)
        #expect(report.text.contains("complete") && !report.text.contains("NOT complete"))
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(report)) as? [String: Any]
        #expect(json?["isComplete"] as? Bool == true)
    }

    @Test func aModelIsBuiltFromWhatIsExpected() throws {
        let directory = try TemporaryDirectory()
        try directory.write(tensors, to: "model.safetensors")
        let reader = WeightReader(try ShardIndex(directory: directory.path))
        for (name, shape) in config.expectedTensors { _ = try reader.tensor(name, shape: shape) }
        try reader.finish()
    }

    @Test(arguments: OfficialSize.all) func officialSizesAreRecognised(size: OfficialSize) throws {
        let report = try inspect(nil, config: size.flat())
        #expect(report.model?.sizeClass == size.name)
        #expect(report.model?.parameters == size.parameters)
        #expect(!report.isComplete && report.weights == nil)
        #expect(report.missingFiles.first { $0.isRequired }?.purpose == "the weights")
        #expect(report.text.contains("Qwen2.5-VL \(size.name), NOT complete"))
    }

    @Test func storedTiedHeadIsFine() throws {
        let head = TestTensor("lm_head.weight", [16, 8])
        #expect(try inspect(tensors + [head]).isComplete)
        let wrong = try inspect(tensors + [TestTensor("lm_head.weight", [8, 16])])
        #expect(!wrong.isComplete)
        #expect(wrong.weights?.misshapen == [.init(name: "lm_head.weight", expected: "[16, 8]", found: "[8, 16]")])
    }

    @Test func untiedHeadIsExpected() throws {
        let untied = Self.tiny.replacingOccurrences(
            of: #""tie_word_embeddings": true"#, with: #""tie_word_embeddings": false"#)
        let report = try inspect(tensors, config: untied)
        #expect(!report.isComplete)
        #expect(report.weights?.missing == [.init(name: "lm_head.weight", shape: [16, 8])])
    }

    @Test func tensorsAmissAreNamed() throws {
        var changed = tensors.filter {
            $0.declaration.name != "model.norm.weight" && $0.declaration.name != "model.layers.1.mlp.up_proj.weight"
                && !$0.declaration.name.contains("ln_q")
        }
        changed.append(TestTensor("model.layers.1.mlp.up_proj.weight", [8, 6]))
        changed.append(TestTensor("visual.merger.ln_q.weight", [8], .int8))
        changed.append(TestTensor("model.layers.2.mlp.up_proj.weight", [6, 8], .float32))
        changed.append(TestTensor("model.layers.0.self_attn.rotary_emb.inv_freq", [3], .float32))
        let report = try inspect(changed)
        let weights = try #require(report.weights)
        #expect(weights.missing == [.init(name: "model.norm.weight", shape: [8])])
        #expect(
            weights.misshapen == [.init(name: "model.layers.1.mlp.up_proj.weight", expected: "[6, 8]", found: "[8, 6]")]
        )
        #expect(
            weights.mistyped == [.init(name: "visual.merger.ln_q.weight", expected: "F32, BF16 or F16", found: "I8")])
        #expect(weights.unexpected == [.init(name: "model.layers.2.mlp.up_proj.weight", shape: [6, 8])])
        #expect(!report.isComplete)
        for name in [
            "model.norm.weight", "model.layers.1.mlp.up_proj.weight", "visual.merger.ln_q.weight",
            "model.layers.2.mlp.up_proj.weight",
        ] {
            #expect(report.text.contains(name))
        }
    }

    @Test func missingAndDamagedShards() throws {
        let directory = try TemporaryDirectory()
        try directory.write(Self.tiny, to: "config.json")
        try directory.write("{}", to: "vocab.json")
        try directory.write("", to: "merges.txt")
        var map: [String] = []
        for (number, part) in [tensors.prefix(5), tensors.dropFirst(5).prefix(5), tensors.dropFirst(10)].enumerated() {
            let name = "model-\(number).safetensors"
            try directory.write(Array(part), to: name)
            map += part.map { "\"\($0.declaration.name)\": \"\(name)\"" }
        }
        try directory.write("{\"weight_map\": {\(map.joined(separator: ","))}}", to: "model.safetensors.index.json")
        let complete = CheckpointReport(inspecting: try CheckpointDirectory(directory.path))
        #expect(complete.isComplete)
        try FileManager.default.removeItem(atPath: directory.file("model-0.safetensors"))
        let handle = try #require(FileHandle(forWritingAtPath: directory.file("model-2.safetensors")))
        try handle.truncate(atOffset: handle.seekToEnd() - 1)
        let report = CheckpointReport(inspecting: try CheckpointDirectory(directory.path))
        #expect(!report.isComplete)
        #expect(report.missingFiles.filter(\.isRequired).map(\.name) == ["model-0.safetensors"])
        #expect(report.problems.count == 1)
        #expect(report.problems.first?.contains("model-2.safetensors") ?? false)
        #expect(report.problems.first?.contains("is the download incomplete?") ?? false)
        #expect(report.weights?.tensors == 5)
        #expect(report.weights?.missing.count == tensors.count - 5)
        #expect(report.text.contains("and \(tensors.count - 15) more"))
    }

    @Test func emptyDirectory() throws {
        let report = try inspect(nil, config: nil, tokenizer: nil)
        #expect(!report.isComplete && report.files.isEmpty && report.model == nil)
        #expect(
            report.missingFiles.filter(\.isRequired).map(\.purpose) == [
                "the shape of the model", "the vocabulary", "the weights",
            ])
        #expect(report.text.contains("no usable configuration, NOT complete"))
    }

    @Test func refusedConfigurationIsAProblem() throws {
        let report = try inspect(tensors, config: "{\"model_type\": \"llama\"}")
        #expect(
            report.model == nil && report.weights?.tensors == tensors.count && report.weights?.expectedTensors == nil)
        #expect(report.problems.first?.contains("found \"llama\"") ?? false)
    }

    @Test func notADirectory() throws {
        let directory = try TemporaryDirectory()
        #expect(message { _ = try CheckpointDirectory(directory.file("x")) }.contains("there is no such directory"))
        try directory.write("", to: "x")
        #expect(message { _ = try CheckpointDirectory(directory.file("x")) }.contains("is not a directory"))
    }
}
