import ArgumentParser
import Foundation
import QwenTokenizer

/// Measures loading and encoding; encodes and decodes records for comparison with other tokenizers.
///
/// A record is a little-endian uint32 count and that many bytes (of text) or int32 values (of ids).
struct TokenizerBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer-benchmark",
        abstract: "Measures the tokenizer on text files; encodes and decodes records for comparisons.")

    @Option(help: "Directory with tokenizer.json, or vocab.json and merges.txt.")
    var tokenizer: String

    @Option(help: "Times that each file is encoded; the median counts.")
    var runs = 5

    @Option(help: "Write the ids of all files here, as little-endian int32.")
    var ids: String?

    @Option(help: "Encode the texts of this file of records.")
    var encode: String?

    @Option(help: "Decode the ids of this file of records.")
    var decode: String?

    @Option(help: "Where the records that --encode or --decode makes go.")
    var output: String?

    @Flag(help: "Encode control tokens as plain text.")
    var plain = false

    @Flag(help: "Leave control tokens out of decoded text.")
    var skipSpecial = false

    @Flag(help: "Decode token by token.")
    var stream = false

    @Argument(help: "UTF-8 text files.")
    var files: [String] = []

    func run() throws {
        let clock = ContinuousClock()
        let directory = URL(fileURLWithPath: tokenizer)
        var times: [Duration] = []
        var tokenizer = try Tokenizer(directory: directory)
        for _ in 0..<(files.isEmpty ? 0 : runs) {
            times.append(try clock.measure { tokenizer = try Tokenizer(directory: directory) })
        }
        if !times.isEmpty {
            print(
                "load: median \(median(times)) ms, best \(milliseconds(times.min() ?? .zero)) ms, vocabulary \(tokenizer.vocabularySize)"
            )
        }
        if let encode { try encodeRecords(encode, tokenizer) }
        if let decode { try decodeRecords(decode, tokenizer) }

        var allIDs = Data()
        for file in files {
            let text = try Data(contentsOf: URL(fileURLWithPath: file))
            let encoded = try measure(text, name: file, tokenizer)
            for id in encoded { append(UInt32(bitPattern: id), to: &allIDs) }
        }
        if let ids { try allIDs.write(to: URL(fileURLWithPath: ids)) }
    }

    private func measure(_ text: Data, name: String, _ tokenizer: Tokenizer) throws -> [Int32] {
        var encoded: [Int32] = []
        var times: [Duration] = []
        let string = String(decoding: text, as: UTF8.self)
        for _ in 0..<max(runs, 1) {
            times.append(ContinuousClock().measure { encoded = tokenizer.encode(string, allowSpecial: !plain) })
        }
        let (time, best) = (median(times), milliseconds(times.min() ?? .zero))
        print(
            "\(name): \(text.count) bytes, \(encoded.count) tokens, median \(time) ms, \(rate(text, time)) MB/s,",
            "best \(rate(text, best)) MB/s")
        return encoded
    }

    private func median(_ times: [Duration]) -> Double {
        milliseconds(times.sorted()[times.count / 2])
    }

    private func milliseconds(_ time: Duration) -> Double { (time / .milliseconds(1) * 1000).rounded() / 1000 }

    private func rate(_ text: Data, _ milliseconds: Double) -> Double {
        (Double(text.count) / 1e3 / milliseconds * 10).rounded() / 10
    }

    // MARK: Records

    private func encodeRecords(_ path: String, _ tokenizer: Tokenizer) throws {
        var result = Data()
        for record in try records(path, unit: 1) {
            let ids = try record.withUnsafeBytes {
                try tokenizer.encode(utf8: $0.bindMemory(to: UInt8.self), allowSpecial: !plain)
            }
            append(UInt32(ids.count), to: &result)
            for id in ids { append(UInt32(bitPattern: id), to: &result) }
        }
        try result.write(to: URL(fileURLWithPath: output ?? path + ".ids"))
    }

    private func decodeRecords(_ path: String, _ tokenizer: Tokenizer) throws {
        var result = Data()
        for record in try records(path, unit: 4) {
            let ids = record.withUnsafeBytes { raw in
                stride(from: 0, to: raw.count, by: 4).map {
                    Int32(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: Int32.self))
                }
            }
            let text = try stream ? streamed(ids, tokenizer) : tokenizer.decode(ids, skipSpecial: skipSpecial)
            append(UInt32(text.utf8.count), to: &result)
            result.append(contentsOf: text.utf8)
        }
        try result.write(to: URL(fileURLWithPath: output ?? path + ".txt"))
    }

    private func streamed(_ ids: [Int32], _ tokenizer: Tokenizer) throws -> String {
        var decoder = StreamingDecoder(tokenizer, skipSpecial: skipSpecial)
        var text = ""
        for id in ids { text += try decoder.push(id) }
        return text + decoder.finish()
    }

    private func records(_ path: String, unit: Int) throws -> [Data] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        var records: [Data] = []
        var i = 0
        while i + 4 <= data.count {
            let count = data[i..<i + 4].reversed().reduce(0) { $0 << 8 | Int($1) } * unit
            guard i + 4 + count <= data.count else { throw ValidationError("\(path) is cut short") }
            records.append(data.subdata(in: i + 4..<i + 4 + count))
            i += 4 + count
        }
        return records
    }

    private func append(_ value: UInt32, to data: inout Data) {
        withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
    }
}

TokenizerBenchmark.main()
