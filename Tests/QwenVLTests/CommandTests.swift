import Foundation
import Testing

/// The program as scripts meet it: JSON on standard output, words on standard error, exit codes.
@Suite struct CommandTests {
    private struct Result {
        let output: Data
        let error: String
        let status: Int32
    }

    /// Runs the program that was built beside the tests.
    private func run(_ arguments: [String], input: String? = nil) throws -> Result {
        let process = Process()
        process.executableURL = Bundle.module.bundleURL.deletingLastPathComponent().appending(path: "qwenvl")
        process.arguments = arguments
        let folder = try TemporaryDirectory()
        // Files, not pipes: a pipe that nobody empties stops the program.
        let (output, error) = (folder.url.appending(path: "out"), folder.url.appending(path: "err"))
        for file in [output, error] { try Data().write(to: file) }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: error)
        let stdin = folder.url.appending(path: "in")
        try Data((input ?? "").utf8).write(to: stdin)
        process.standardInput = try FileHandle(forReadingFrom: stdin)
        try process.run()
        process.waitUntilExit()
        return Result(
            output: try Data(contentsOf: output), error: try String(contentsOf: error, encoding: .utf8),
            status: process.terminationStatus)
    }

    private struct Record: Decodable {
        struct Usage: Decodable {
            let prompt_tokens: Int
            let completion_tokens: Int
        }
        struct Token: Decodable {
            struct Alternative: Decodable {
                let id: Int
                let token: String
                let logprob: Float
            }
            let id: Int
            let token: String
            let logprob: Float
            let top: [Alternative]
        }
        let text: String
        let token_ids: [Int]
        let prompt_token_ids: [Int]
        let finish_reason: String
        let usage: Usage
        let logprobs: [Token]?
        let timings: [String: Double]
    }

    private func messages(_ name: String) throws -> String {
        let pictures = try FixtureLibrary.root.appending(path: "Pictures").path
        return try String(contentsOf: FixtureLibrary.root.appending(path: "Messages/\(name).json"), encoding: .utf8)
            .replacing("\"Pictures/", with: "\"\(pictures)/")
    }

    @Test func generatePrintsTheReferencesTokensAsJSON() throws {
        let model = try FixtureLibrary.directory("tied-bfloat16")
        let golden: GoldenOutputs = try FixtureLibrary.golden("tied-bfloat16/batch")
        let result = try run(
            [
                "generate", "--model", model.path, "--messages", "-", "--weights", "float32", "--temperature", "0",
                "--repetition-penalty", "1", "--ignore-eos", "--max-new-tokens", "2", "--logprobs", "3", "--json",
            ], input: messages("batch"))
        #expect(result.status == 0)
        #expect(result.error.isEmpty)
        let records = try JSONDecoder().decode([Record].self, from: result.output)
        #expect(records.count == golden.conversations.count)
        for (record, expected) in zip(records, golden.conversations) {
            #expect(record.token_ids == Array(expected.greedy_ids.prefix(2)))
            #expect(record.prompt_token_ids == expected.prompt_token_ids)
            #expect(record.finish_reason == "length")
            #expect(record.usage.prompt_tokens == expected.prompt_token_ids.count)
            #expect(record.usage.completion_tokens == 2)
            #expect(record.logprobs?.map(\.id) == record.token_ids)
            #expect(record.logprobs?.allSatisfy { $0.top.count == 3 && $0.top[0].id == $0.id } == true)
            #expect(record.timings["prefill"] ?? 0 > 0)
        }
    }

    @Test func processWritesTheInputs() throws {
        let model = try FixtureLibrary.directory("tied-bfloat16")
        let folder = try TemporaryDirectory()
        let file = folder.url.appending(path: "inputs.safetensors")
        let result = try run(
            ["process", "--model", model.path, "--messages", "-", "--out", file.path], input: messages("frames"))
        #expect(result.status == 0)
        #expect(result.output.isEmpty)
        let data = try Data(contentsOf: file)
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        let header = try #require(
            try JSONSerialization.jsonObject(with: data.dropFirst(8).prefix(length)) as? [String: [String: Any]])
        let types = header.filter { $0.key != "__metadata__" }.mapValues { $0["dtype"] as? String }
        #expect(
            types == [
                "input_ids": "I64", "attention_mask": "I64", "position_ids": "I64", "rope_deltas": "I64",
                "pixel_values": "F32", "image_grid_thw": "I64", "pixel_values_videos": "F32", "video_grid_thw": "I64",
                "second_per_grid_ts": "F32",
            ])
    }

    @Test func inspectTellsWholeFromBroken() throws {
        let model = try FixtureLibrary.directory("untied-float32")
        let whole = try run(["inspect", "--json", model.path])
        #expect(whole.status == 0)
        let report = try #require(try JSONSerialization.jsonObject(with: whole.output) as? [String: Any])
        #expect(report["isComplete"] as? Bool == true)
        try FileManager.default.removeItem(at: model.url.appending(path: "model.safetensors"))
        let broken = try run(["inspect", model.path])
        #expect(broken.status == 65)
        #expect(String(decoding: broken.output, as: UTF8.self).contains("model.safetensors"))
    }

    /// The questions come with the package, where `swift test` runs. Random weights answer none of them.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "Models/demo-eval/suite.json")))
    func evalScoresEveryTask() throws {
        struct Report: Decodable {
            struct Task: Decodable {
                let task: String
                let items: Int
                let score: Double
            }
            struct Answer: Decodable {
                let id: String
                let token_ids: [Int]
            }
            let tasks: [Task]
            let answers: [Answer]
        }
        let model = try FixtureLibrary.directory("tied-bfloat16")
        let result = try run(
            ["eval", "--model", model.path, "--suite", "Models/demo-eval", "--limit", "2", "--json"]
                + ["grounding", "event", "several"].flatMap { ["--task", $0] })
        #expect(result.status == 0, "\(result.error)")
        let report = try JSONDecoder().decode(Report.self, from: result.output)
        #expect(report.tasks.map(\.task) == ["grounding", "event", "several"])
        #expect(report.tasks.allSatisfy { $0.items == 2 && $0.score == 0 })
        #expect(report.answers.count == 6 && report.answers.allSatisfy { !$0.token_ids.isEmpty })
    }

    @Test func benchMeasuresAModel() throws {
        let model = try FixtureLibrary.directory("tied-bfloat16")
        let result = try run([
            "bench", "--model", model.path, "--weights", "int8", "--image", "140x84", "--prompt-tokens", "20",
            "--new-tokens", "4", "--batch", "3", "--repetitions", "2", "--threads", "1", "--json",
        ])
        #expect(result.status == 0, "\(result.error)")
        let report = try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
        #expect(report["textWeights"] as? String == "int8")
        let picture = try #require((report["pictures"] as? [[String: Any]])?.first)
        #expect(picture["patches"] as? Int == 60)
        for part in ["vision", "windowed", "fullAttention", "embeddingAndMerger", "prefill", "firstToken"] {
            let phase = try #require(picture[part] as? [String: Any])
            let seconds = try #require(phase["seconds"] as? [String: Double])
            #expect(seconds["minimum"] ?? -1 > 0 && seconds["minimum"] ?? 1 <= seconds["median"] ?? 0)
            #expect(phase["share"] as? Double ?? 0 > 0)
        }
        #expect((report["prefill"] as? [String: Any])?["tokens"] as? Int == 20)
        #expect((report["decode"] as? [String: Any])?["tokens"] as? Int == 3)
        #expect((report["batch"] as? [String: Any])?["tokens"] as? Int == 9)
        #expect(report["peakBytes"] as? Int ?? 0 > 1 << 20)
        #expect((report["limits"] as? [String: Double])?["read"] ?? 0 > 0)
    }

    /// config.json is all that a plan needs of a model; a name does too.
    @Test func planNeedsNoWeights() throws {
        let model = try FixtureLibrary.directory("tied-bfloat16")
        for file in try FileManager.default.contentsOfDirectory(atPath: model.path) where file != "config.json" {
            try FileManager.default.removeItem(at: model.url.appending(path: file))
        }
        for name in [model.path, "Qwen/Qwen2.5-VL-72B-Instruct"] {
            // Without --weights, free memory would choose the format.
            let result = try run([
                "plan", name, "--image", "140x84", "--threads", "1", "--weights", "bfloat16", "--json",
            ])
            #expect(result.status == 0, "\(result.error)")
            let plan = try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
            let (needed, available) = (plan["neededBytes"] as? Int ?? 0, plan["availableBytes"] as? Int ?? 0)
            #expect(plan["fits"] as? Bool == (needed <= available))
            #expect(needed > (name == model.path ? 1 << 20 : 100 << 30))
        }
    }

    @Test func framesWritesWhatTheModelSees() throws {
        let folder = try TemporaryDirectory()
        let out = folder.url.appending(path: "frames").path
        let result = try run([
            "frames", FixtureLibrary.media("Videos/clip-30fps.mp4"), "--fps", "4", "--frame-max-pixels", "7056",
            "--frame-min-pixels", "3136", "--out", out, "--quiet",
        ])
        #expect(result.status == 0, "\(result.error)")
        let names = try FileManager.default.contentsOfDirectory(atPath: out).sorted()
        #expect(names.count == 8)
        #expect(names.first == "0000-0.000s.png")
        #expect(names.last == "0007-1.967s.png")
        #expect(String(decoding: result.output, as: UTF8.self).split(separator: "\n").count == 8)
        let audio = try run(["frames", FixtureLibrary.media("Videos/audio-only.m4a"), "--out", out])
        #expect(audio.status == 65)
    }

    /// What has an answer is left out, half a line is cut off, and what cannot be used is a line of its own.
    @Test func batchGoesOnWhereItWas() throws {
        let folder = try TemporaryDirectory()
        let pictures = folder.url.appending(path: "pictures")
        try FileManager.default.createDirectory(at: pictures, withIntermediateDirectories: true)
        for name in ["a.bmp", "b.bmp"] {
            try FileManager.default.copyItem(
                atPath: FixtureLibrary.media("Formats/rgb.bmp"), toPath: pictures.appending(path: name).path)
        }
        try Data("no picture".utf8).write(to: pictures.appending(path: "c.png"))
        try Data("notes".utf8).write(to: pictures.appending(path: "notes.txt"))
        let out = folder.url.appending(path: "out.jsonl")
        let model = try FixtureLibrary.directory("tied-bfloat16")
        let arguments = [
            "batch", pictures.path, "--model", model.path, "--prompt", "What?", "--out", out.path, "--max-new-tokens",
            "2",
        ]
        func lines() throws -> [[String: Any]] {
            try String(contentsOf: out, encoding: .utf8).split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }
        #expect(try run(arguments).status == 65)
        #expect(try lines().count == 3)
        #expect(try lines().filter { $0["error"] != nil }.count == 1)
        // One answer is lost, and half of another line is left.
        let kept = try String(contentsOf: out, encoding: .utf8).split(separator: "\n").filter { $0.contains("a.bmp") }
        try Data((kept[0] + "\n{\"file\": \"").utf8).write(to: out)
        try FileManager.default.removeItem(at: pictures.appending(path: "c.png"))
        #expect(try run(arguments).status == 0)
        #expect(
            try lines().compactMap { $0["file"] as? String }.map { ($0 as NSString).lastPathComponent } == [
                "a.bmp", "b.bmp",
            ])
        #expect(try lines().allSatisfy { $0["pictures"] != nil })
    }

    /// 64: the call is wrong; 65: what it names cannot be used. Nothing that is no result reaches standard output.
    @Test(arguments: [
        (["run"], Int32(64), "prompt"),
        (["run", "--threads", "0", "x"], 64, "--threads"),
        (["frobnicate"], 64, "frobnicate"),
        (["plan"], 64, "name a model"),
        (["plan", "3b", "--image", "12"], 64, "--image"),
        (["plan", "3b", "--image", "10x9000"], 65, "--image"),
        (["plan", "/nonexistent"], 65, "/nonexistent"),
        (["plan", "3b", "--context", "1000000"], 65, "--context"),
        (["bench", "--shape", "3b", "--model", "MODEL"], 64, "--shape"),
        (["bench", "--shape", "5b"], 64, "--shape"),
        (["bench", "--shape", "72b", "--weights", "float32"], 65, "--weights"),
        (["run", "--model", "/nonexistent", "x"], 65, "/nonexistent"),
        (["generate", "--model", "MODEL", "--messages", "/nonexistent.json"], 65, "/nonexistent.json"),
        (["generate", "--model", "MODEL", "--messages", "-"], 65, "messages"),
        (["run", "--model", "MODEL", "--image", "/nonexistent.png", "x"], 65, "/nonexistent.png"),
        (["run", "--model", "MODEL", "--top-p", "7", "x"], 65, "top_p"),
        (["run", "--model", "MODEL", "--video", "/nonexistent", "x"], 65, "/nonexistent"),
        (["run", "--model", "MODEL", "--fps", "2", "x"], 64, "--fps"),
        (["eval", "--model", "MODEL", "--suite", "/nonexistent"], 65, "/nonexistent/suite.json"),
        (["eval", "--limit", "0"], 64, "--limit"),
    ])
    func exitCodes(_ arguments: [String], status: Int32, named: String) throws {
        let model = try FixtureLibrary.directory("tied-bfloat16")
        let result = try run(arguments.map { $0 == "MODEL" ? model.path : $0 }, input: "[{\"role\": 7}]")
        #expect(result.status == status, "\(result.error)")
        #expect(result.output.isEmpty)
        #expect(result.error.contains(named), "\(result.error)")
    }
}
