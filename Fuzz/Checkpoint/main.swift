// Mutational fuzzing of everything that parses a file of a model directory.
//
//     swift run -c release --sanitize=address checkpoint-fuzz [--seconds 60] [--seed 0] [--from 0] [--print]
//     checkpoint-fuzz --corpus DIRECTORY      writes the seeds there, for a coverage-guided fuzzer
//
// Input i of a seed depends on nothing else: a crash is found again with the seed and the iteration last reported
// (`--from`, and `--print` to see the inputs).

import Foundation
import FuzzSupport

func mutated(seed: UInt64, iteration: UInt64) -> [UInt8] {
    var generator = Generator(seed: seed, iteration: iteration)
    var input = Seeds.all.randomElement(using: &generator) ?? []
    // Mostly a few changes, which reach the checks behind the parser; at times many.
    let changes = Int.random(in: 1...(Int.random(in: 0..<8, using: &generator) == 0 ? 64 : 4), using: &generator)
    for _ in 0..<changes where !input.isEmpty {
        let at = Int.random(in: 0..<input.count, using: &generator)
        let end = min(input.count, at + Int.random(in: 1...16, using: &generator))
        let token = Array((Seeds.tokens.randomElement(using: &generator) ?? "").utf8)
        switch Int.random(in: 0..<9, using: &generator) {
        case 0: input[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: input[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: input.removeSubrange(at..<end)
        case 3: input.insert(contentsOf: token, at: at)
        case 4: input.replaceSubrange(at..<end, with: token)
        case 5: input.insert(contentsOf: input[at..<end], at: Int.random(in: 0...input.count, using: &generator))
        case 6: input.removeSubrange(at...)
        case 7:
            let other = Seeds.all.randomElement(using: &generator) ?? []
            let from = Int.random(in: 0..<other.count, using: &generator)
            input.replaceSubrange(at..<end, with: other[from..<min(other.count, from + 64)])
        default:  // a number becomes another
            guard let digit = input[at...].firstIndex(where: { (0x30...0x39).contains($0) }) else { continue }
            let stop = input[digit...].firstIndex { !(0x30...0x39).contains($0) } ?? input.count
            let numbers = Seeds.tokens.filter { $0.first?.isNumber ?? false }
            input.replaceSubrange(digit..<stop, with: Array((numbers.randomElement(using: &generator) ?? "0").utf8))
        }
    }
    return input
}

func run(_ arguments: [String]) -> Int32 {
    func option(_ name: String) -> String? {
        arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
    }
    if let directory = option("--corpus") {
        for (number, seed) in Seeds.all.enumerated() {
            guard FileManager.default.createFile(atPath: "\(directory)/seed-\(number)", contents: Data(seed)) else {
                print("cannot write to \(directory)")
                return 1
            }
        }
        let dictionary = Seeds.tokens.map { token in
            "\"" + token.utf8.map { "\\x" + String(Int($0) + 256, radix: 16).dropFirst() }.joined() + "\"\n"
        }
        guard
            FileManager.default.createFile(
                atPath: "\(directory).dictionary", contents: Data(dictionary.joined().utf8))
        else { return 1 }
        return 0
    }
    let seconds = option("--seconds").flatMap(Double.init) ?? 60
    let seed = option("--seed").flatMap(UInt64.init) ?? 0
    let prints = arguments.contains("--print")
    var iteration = option("--from").flatMap(UInt64.init) ?? 0
    let start = Date()
    var reported = start
    for input in Seeds.all { fuzzOne(input) }
    while true {
        if iteration % 256 == 0 {
            let now = Date()
            if now.timeIntervalSince(reported) >= 5 || now.timeIntervalSince(start) >= seconds {
                let line = "seed \(seed), iteration \(iteration), \(Int(now.timeIntervalSince(start))) s\n"
                FileHandle.standardError.write(Data(line.utf8))  // unbuffered: a crash must not swallow it
                reported = now
            }
            if now.timeIntervalSince(start) >= seconds { return 0 }
        }
        let input = mutated(seed: seed, iteration: iteration)
        if prints { print(iteration, String(decoding: input, as: UTF8.self).debugDescription) }
        fuzzOne(input)
        iteration += 1
    }
}

exit(run(CommandLine.arguments))
