import Checkpoint
import Foundation
import TensorCore
import Testing

@Suite struct SafetensorsTests {
    @Test func readsWhatTheWriterWrote() throws {
        let directory = try TemporaryDirectory()
        let tensors = [
            TestTensor("half", [3, 5], .float16, seed: 1), TestTensor("brain", [7], .bfloat16, seed: 2),
            TestTensor("single", [2, 1, 3], .float32, seed: 3), TestTensor("empty", [0, 4], .float32),
            TestTensor("scalar", [], .float32, seed: 4), TestTensor("ids \"é\" \u{1}", [2], .int64, seed: 5),
            TestTensor("flags", [3], .bool, seed: 6),
        ]
        try directory.write(tensors, to: "a.safetensors")
        let file = try SafetensorsFile(path: directory.file("a.safetensors"))
        #expect(file.header.metadata == ["format": "pt"])
        #expect(Set(file.names) == Set(tensors.map(\.declaration.name)))
        for tensor in tensors {
            let declaration = tensor.declaration
            let entry = try #require(file.header.entries[declaration.name])
            #expect(entry.type == declaration.type)
            #expect(entry.shape == declaration.shape)
            #expect(entry.range.lowerBound * 8 % declaration.type.bits == 0, "aligned to its elements")
            #expect(try Array(file.bytes(of: declaration.name)) == tensor.bytes)
        }
        let single = try file.tensor("single")
        #expect(single.dtype == .float32)
        #expect(Array(single.bytes) == tensors[2].bytes)
        #expect(message { _ = try file.tensor("flags") }.contains("expected element type F32, BF16 or F16, found BOOL"))
        #expect(message { _ = try file.tensor("singel") }.contains("nearest: single"))
    }

    @Test func tensorsOutliveTheFile() throws {
        let directory = try TemporaryDirectory()
        try directory.write([TestTensor("a", [64], .float32, seed: 9)], to: "a.safetensors")
        let tensor = try SafetensorsFile(path: directory.file("a.safetensors")).tensor("a")
        try FileManager.default.removeItem(atPath: directory.file("a.safetensors"))
        #expect(tensor.bytes[0] == 9 && tensor.bytes[255] == 8)
    }

    @Test func adviceChangesNoData() throws {
        let directory = try TemporaryDirectory()
        let tensor = TestTensor("a", [20_000], .float32, seed: 9)
        try directory.write([tensor, TestTensor("b", [3])], to: "a.safetensors")
        let file = try SafetensorsFile(path: directory.file("a.safetensors"))
        for advice in [MappedFile.Advice.sequential, .willNeed, .dontNeed, .normal] {
            file.advise(advice, tensor: "a")
            file.advise(advice, tensor: "unknown")
            #expect(try Array(file.bytes(of: "a")) == tensor.bytes)
        }
    }

    @Test(arguments: [
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}     "#, 8),
        (
            #"{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            8
        ),
        (#"{}"#, 0),
        (#"{"__metadata__":{}}"#, 0),
        (#"{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}"#, 1),
        (#"{"a":{"dtype":"U8","shape":[9007199254740993,0],"data_offsets":[0,0]}}"#, 0),
    ])
    func accepts(header: String, data: Int) throws {
        _ = try SafetensorsFile(contents: safetensors(header: header, data: data))
    }

    @Test(arguments: [
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7,
            "end ≤ 7, the file's data bytes, found [0, 8] (is the download incomplete?)"
        ),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9, "fill the file's 9 data bytes, found 8"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}"#, 9, "begins at offset 0"),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "expected 12 bytes for [3] of F32, found 8"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, "begin ≤ end"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#, 8, "data_offsets [begin, end]"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}"#, 8, "data_offsets [begin, end]"),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, 8,
            "non-negative integers in data_offsets, found -8"
        ),
        (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8, "non-negative integers in shape, found -2"),
        (#"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, 8, "non-negative integers in shape, found 2.0"),
        (#"{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}"#, 8, "shape as an array of integers, found 2"),
        (#"{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}"#, 8, "found \"F31\""),
        (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, 8, "dtype as one of"),
        (#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, 8, "shape as an array of integers, found nothing"),
        (#"{"a":{"dtype":"F32","shape":[2]}}"#, 8, "data_offsets as an array of integers, found nothing"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, 8, "found \"x\""),
        (#"{"a":[]}"#, 0, "tensor \"a\": expected an object"),
        (#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, 2, "size in bytes is whole"),
        (#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0, "fits in 63 bits"),
        (#"{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}"#, 0, "fits in 63 bits"),
        (#"{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,0]}}"#, 0, "non-negative integers"),
        (
            #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#,
            6, "tensor \"b\": expected data that begins at offset 4, where the one before ends, found offset 2"
        ),
        (
            #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}}"#,
            9, "found offset 5"
        ),
        (
            #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
            8, "duplicate key \"a\""
        ),
        (#"{"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 4, "duplicate key \"dtype\""),
        (#"{"__metadata__":{"a":1}}"#, 0, "__metadata__.\"a\" as a string, found 1"),
        (#"{"__metadata__":[]}"#, 0, "__metadata__ as an object"),
        (#" {}"#, 0, "begins with {, found byte 32"),
        (#"[]"#, 0, "begins with {"),
        (#"{"a""#, 0, "not valid JSON at byte 4"),
        (#"{} {}"#, 0, "something follows the value"),
    ])
    func refuses(header: String, data: Int, expected: String) {
        let found = message { _ = try SafetensorsFile(contents: safetensors(header: header, data: data)) }
        #expect(found.contains(expected))
        #expect(found.contains("test.safetensors"))
    }

    @Test(arguments: [0, 1, 3, 1000, UInt64(SafetensorsHeader.maximumLength) + 1, 1 << 63, UInt64.max])
    func refusesHeaderLength(_ length: UInt64) {
        let found = message { _ = try SafetensorsFile(contents: safetensors(header: "{}", data: 0, length: length)) }
        #expect(found.contains("expected a header length from 2 to 2, found \(length)"))
    }

    @Test(arguments: 0...7) func refusesTinyFiles(size: Int) {
        let found = message {
            _ = try SafetensorsFile(contents: MappedFile(contents: [UInt8](repeating: 0, count: size), name: "t"))
        }
        #expect(found == "t: invalid safetensors header: expected at least 8 bytes, found a file of \(size) bytes")
    }

    @Test func recognisesLFSPointers() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
        let found = message {
            _ = try SafetensorsFile(contents: MappedFile(contents: Array(pointer.utf8), name: "t"))
        }
        #expect(found == "t: is a Git LFS pointer, not the file itself; run `git lfs pull`")
    }

    @Test func refusesOtherThanRegularFiles() throws {
        let directory = try TemporaryDirectory()
        try directory.write("", to: "empty.safetensors")
        #expect(message { _ = try SafetensorsFile(path: directory.file("empty.safetensors")) }.contains("0 bytes"))
        #expect(message { _ = try SafetensorsFile(path: directory.path) }.contains("is not a regular file"))
        #expect(message { _ = try SafetensorsFile(path: directory.file("none")) }.contains("cannot be opened: No such"))
        let pipe = directory.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(message { _ = try SafetensorsFile(path: pipe) }.contains("is not a regular file"))
    }
}

@Suite struct SafetensorsWriterTests {
    private let pair: [SafetensorsWriter.Declaration] = [
        .init(name: "ids", type: .int64, shape: [3]), .init(name: "values", type: .float32, shape: [2, 2]),
    ]

    @Test func takesPiecesInAnyOrder() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out.safetensors")
        let writer = try SafetensorsWriter(path: path, tensors: pair.reversed())
        try writer.append([1.5, -2], to: "values")
        try writer.append([Int64.min, 7], to: "ids")
        try writer.append([Int64(-1)], to: "ids")
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(message { try writer.finish() }.contains("tensor \"values\": expected 8 more bytes, found none"))
        try writer.append([Float(0), 3], to: "values")
        try writer.finish()
        let file = try SafetensorsFile(path: path)
        #expect(try file.bytes(of: "ids").bindMemory(to: Int64.self).elementsEqual([.min, 7, -1]))
        #expect(try file.bytes(of: "values").bindMemory(to: Float.self).elementsEqual([1.5, -2, 0, 3]))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["out.safetensors"])
    }

    @Test func leavesNothingBehindWhenAbandoned() throws {
        let directory = try TemporaryDirectory()
        try directory.write("the old content", to: "out.safetensors")
        do {
            let writer = try SafetensorsWriter(path: directory.file("out.safetensors"), tensors: pair)
            try writer.append([Float](repeating: 1, count: 4), to: "values")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["out.safetensors"])
        #expect(try String(contentsOfFile: directory.file("out.safetensors"), encoding: .utf8) == "the old content")
    }

    @Test func refusesMisuse() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out.safetensors")
        let writer = try SafetensorsWriter(path: path, tensors: pair)
        #expect(
            message { try writer.append([Float](repeating: 1, count: 5), to: "values") }.contains(
                "at most 16 more bytes, found 20"))
        #expect(message { try writer.append([Float(1)], to: "ids") }.contains("expected element type I64, found F32"))
        #expect(message { try writer.append([Float(1)], to: "valves") }.contains("nearest: values"))
        #expect(message { _ = try SafetensorsWriter(path: path, tensors: pair + pair) }.contains("each name once"))
        let overflowing = [SafetensorsWriter.Declaration(name: "a", type: .uint8, shape: [1 << 40, 1 << 40])]
        #expect(message { _ = try SafetensorsWriter(path: path, tensors: overflowing) }.contains("can be computed"))
        #expect(message { _ = try SafetensorsWriter(path: path + "/x", tensors: pair) }.contains("cannot be created"))
    }
}
