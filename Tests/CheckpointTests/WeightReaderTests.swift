import Checkpoint
import Foundation
import TensorCore
import Testing

@Suite struct ShardIndexTests {
    private let one = TestTensor("model.norm.weight", [4], seed: 1)
    private let two = TestTensor("lm_head.weight", [2, 4], seed: 2)

    private func write(_ map: [String: String], in directory: TemporaryDirectory) throws {
        let pairs = map.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }
        try directory.write(
            "{\"metadata\": {\"total_size\": 24}, \"weight_map\": {\(pairs.joined(separator: ", "))}}",
            to: "model.safetensors.index.json")
    }

    @Test func opensASingleFile() throws {
        let directory = try TemporaryDirectory()
        try directory.write([one, two], to: "model.safetensors")
        try directory.write("not even JSON: unused beside a whole file", to: "model.safetensors.index.json")
        let index = try ShardIndex(directory: directory.path)
        #expect(index.shapes == ["model.norm.weight": [4], "lm_head.weight": [2, 4]])
        #expect(index.files.count == 1)
    }

    @Test func opensShards() throws {
        let directory = try TemporaryDirectory()
        try directory.write([one], to: "a.safetensors")
        try directory.write([two], to: "b.safetensors")
        try write(["model.norm.weight": "a.safetensors", "lm_head.weight": "b.safetensors"], in: directory)
        let index = try ShardIndex(directory: directory.path + "/")
        #expect(index.shapes == ["model.norm.weight": [4], "lm_head.weight": [2, 4]])
        #expect(
            index.files.map { URL(fileURLWithPath: $0.path).lastPathComponent } == ["a.safetensors", "b.safetensors"])
    }

    @Test func mapsTheNewerNames() throws {
        let directory = try TemporaryDirectory()
        let names = [
            "model.language_model.embed_tokens.weight": "model.embed_tokens.weight",
            "model.language_model.layers.0.mlp.up_proj.weight": "model.layers.0.mlp.up_proj.weight",
            "model.visual.merger.ln_q.weight": "visual.merger.ln_q.weight", "lm_head.weight": "lm_head.weight",
        ]
        try directory.write(names.keys.map { TestTensor($0, [2]) }, to: "model.safetensors")
        #expect(try Set(ShardIndex(directory: directory.path).tensors.keys) == Set(names.values))
    }

    @Test func refusesWhatIsMissingOrAmiss() throws {
        let directory = try TemporaryDirectory()
        let open = { _ = try ShardIndex(directory: directory.path) }
        #expect(message(open).contains("model.safetensors is missing: neither it nor model.safetensors.index.json"))
        try directory.write([one], to: "a.safetensors")
        try write(["model.norm.weight": "a.safetensors", "lm_head.weight": "b.safetensors"], in: directory)
        #expect(message(open).contains("b.safetensors is missing: model.safetensors.index.json names it"))
        try directory.write([TestTensor("other", [1])], to: "b.safetensors")
        #expect(
            message(open).contains(
                "weight_map.lm_head.weight: expected a shard that holds the tensor, found b.safetensors"))
        try directory.write([two, one], to: "b.safetensors")
        #expect(message(open).contains("tensor model.norm.weight occurs more than once"))
        try directory.write([two, TestTensor("model.language_model.norm.weight", [4])], to: "b.safetensors")
        #expect(message(open).contains("tensor model.norm.weight occurs more than once"))
        try directory.write("garbage", to: "b.safetensors")
        #expect(message(open).contains("b.safetensors: invalid safetensors header"))
    }

    @Test(arguments: [
        "../a.safetensors", "/a.safetensors", "x/a.safetensors", "", ".safetensors", "a.bin", #"..\\a.safetensors"#,
    ])
    func refusesPaths(shard: String) throws {
        let directory = try TemporaryDirectory()
        try write(["model.norm.weight": shard], in: directory)
        let found = message { _ = try ShardIndex(directory: directory.path) }
        #expect(
            found.contains(
                "weight_map.model.norm.weight: expected the name of a .safetensors file in the same directory"))
    }

    @Test(arguments: ["{}", "[]", #"{"weight_map": 1}"#, #"{"weight_map": {}}"#, #"{"weight_map": {"a": 1}}"#])
    func refusesIndexes(text: String) {
        #expect(message { _ = try WeightMap(parsing: Array(text.utf8), file: "i") }.contains("i: weight_map"))
    }
}

@Suite struct WeightReaderTests {
    private func reader(_ tensors: [TestTensor]) throws -> WeightReader {
        let directory = try TemporaryDirectory()
        try directory.write(tensors, to: "model.safetensors")
        return WeightReader(try ShardIndex(directory: directory.path))
    }

    @Test func readsByPath() throws {
        let tensors = [
            TestTensor("model.layers.3.mlp.down_proj.weight", [4, 6], .float32, seed: 1),
            TestTensor("model.layers.3.self_attn.q_proj.bias", [4], .bfloat16, seed: 2),
            TestTensor("visual.patch_embed.proj.weight", [2, 3, 2, 1, 1], .float16, seed: 3),
            TestTensor("lm_head.weight", [5, 4], seed: 4),
            TestTensor("model.layers.3.self_attn.rotary_emb.inv_freq", [8], .float32),
        ]
        let root = try reader(tensors)
        root.advise(.sequential)
        let layer = root["model"]["layers"][3]
        layer.advise(.willNeed)
        let down = try layer["mlp"].matrix("down_proj", rows: 4, columns: 6)
        #expect(down.name == "model.layers.3.mlp.down_proj.weight" && down.dtype == .float32 && down.shape == [4, 6])
        #expect(Array(down.bytes) == tensors[0].bytes)
        #expect(try Array(layer["self_attn"].vector("q_proj.bias", count: 4).bytes) == tensors[1].bytes)
        let patches = try root["visual"]["patch_embed"].convolution("proj", rows: 2, kernel: [3, 2, 1, 1])
        #expect(patches.shape == [2, 6] && Array(patches.bytes) == tensors[2].bytes)
        #expect(root.contains("lm_head.weight") && !root.contains("lm_head.bias"))
        #expect(try root.optionalVector("lm_head.bias", count: 5) == nil)
        #expect(message { try root.finish() } == "1 tensor of the checkpoint not used by the model: lm_head.weight")
        #expect(try root.optionalMatrix("lm_head", rows: 5, columns: 4) != nil)
        try root.finish()
        layer.advise(.dontNeed)
        #expect(Array(down.bytes) == tensors[0].bytes)
    }

    @Test func readsTheNewerNames() throws {
        let root = try reader([TestTensor("model.language_model.norm.weight", [3], seed: 7)])
        let norm = try root["model"].vector("norm.weight", count: 3)
        #expect(norm.bytes.first == 7)
        try root.finish()
    }

    @Test func refusesWhatIsNotAsExpected() throws {
        let root = try reader([
            TestTensor("model.layers.0.mlp.up_proj.weight", [4, 6]),
            TestTensor("model.layers.0.mlp.gate_proj.weight", [4, 6]),
            TestTensor("packed", [4], .int32),
        ])
        let mlp = root["model"]["layers"][0]["mlp"]
        #expect(
            message { _ = try mlp.matrix("up_prof", rows: 4, columns: 6) }
                == "tensor model.layers.0.mlp.up_prof.weight [4, 6] is missing; nearest: "
                + "model.layers.0.mlp.up_proj.weight, model.layers.0.mlp.gate_proj.weight")
        #expect(
            message { _ = try mlp.matrix("up_proj", rows: 6, columns: 4) }
                .hasSuffix(
                    "model.safetensors: tensor model.layers.0.mlp.up_proj.weight: expected shape [6, 4], found [4, 6]"))
        #expect(message { _ = try root.vector("packed", count: 4) }.contains("found I32"))
        _ = try mlp.matrix("up_proj", rows: 4, columns: 6)
        #expect(
            message { _ = try root["model"]["layers"]["0"]["mlp"].matrix("up_proj", rows: 4, columns: 6) }
                == "tensor model.layers.0.mlp.up_proj.weight was read twice")
        #expect(root.unread == ["model.layers.0.mlp.gate_proj.weight", "packed"])
        #expect(message { try root.finish() }.contains("2 tensors of the checkpoint not used"))
    }
}
