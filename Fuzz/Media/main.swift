// Mutational fuzzing of everything that parses pictures and videos.
//
//     swift run -c release --sanitize=address media-fuzz --seeds DIRECTORY [--seconds 60] [--seed 0] [--from 0]
//
// The directory holds real files of every format; each input is one of them with a few bytes changed. Input i of a seed
// depends on nothing else: a crash is found again with the seed and the iteration in `--trace FILE`.

import Foundation
import FuzzSupport
import VisionInput

/// Values at which parsers' arithmetic turns.
let edges: [[UInt8]] = [
    [0], [0xFF], [0x7F], [0x80], [0, 0], [0xFF, 0xFF], [0x7F, 0xFF], [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF],
    [0x7F, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0],
]

func mutated(_ seed: Data, using generator: inout Generator) -> Data {
    var input = seed
    // Headers stand at the start; most changes go there.
    let changes = Int.random(in: 1...(Bool.random(using: &generator) ? 4 : 32), using: &generator)
    for _ in 0..<changes where !input.isEmpty {
        let reach = Bool.random(using: &generator) ? input.count : min(input.count, 512)
        let at = Int.random(in: 0..<reach, using: &generator)
        let end = min(input.count, at + Int.random(in: 1...16, using: &generator))
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: input[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: input[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: input.removeSubrange(at..<end)
        case 3: input.insert(contentsOf: input[at..<end], at: Int.random(in: 0...input.count, using: &generator))
        case 4 where Int.random(in: 0..<4, using: &generator) == 0: input.removeSubrange(at...)
        default:
            let edge = edges.randomElement(using: &generator) ?? [0]
            for (i, byte) in edge.enumerated() where at + i < input.count { input[at + i] = byte }
        }
    }
    return Data(input)
}

/// Small, so that an input that asks for much is refused instead of slow.
let imageLimits: DecodeLimits = DecodeLimits(maxPixels: 4_000_000, maxBytes: 64 << 20)
let videoLimits: VideoLimits = {
    var limits = VideoLimits()
    limits.maxPixels = 4_000_000
    limits.timeout = 5
    limits.threads = 1
    return limits
}()

/// - Returns: whether the input was of use.
func tryOne(_ input: Data, isVideo: Bool) -> Bool {
    let images = ImageProcessor(limits: imageLimits)
    do {
        if isVideo {
            var sampler = FrameSampler()
            sampler.maxFrames = 8
            sampler.totalPixels = 8 * 28 * 28 * 16
            let plan = try images.plan(VideoSource(input), sampler: sampler, limits: videoLimits)
            let reader = VideoSliceReader(plan, config: images.config)
            while try reader.readSlice() != nil {}
        } else {
            _ = try images.decoder.pageCount(.data(input))
            _ = try images.process(ImageRequest(.data(input), maxPixels: 28 * 28 * 16))
        }
        return true
    } catch {
        return false
    }
}

func run(_ arguments: [String]) -> Int32 {
    func option(_ name: String) -> String? {
        arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
    }
    guard let directory = option("--seeds"),
        let names = try? FileManager.default.contentsOfDirectory(atPath: directory).sorted(), !names.isEmpty
    else {
        print("expected --seeds DIRECTORY with real pictures and videos")
        return 64
    }
    let seeds = names.compactMap { name in
        FileManager.default.contents(atPath: directory + "/" + name).map { (name, $0) }
    }
    let seconds = option("--seconds").flatMap(Double.init) ?? 60
    let seed = option("--seed").flatMap { UInt64($0) } ?? 0
    var iteration = option("--from").flatMap { UInt64($0) } ?? 0
    let start = Date()
    var (accepted, slowest, slowestAt) = (0, 0.0, UInt64(0))
    let first = iteration
    while Date().timeIntervalSince(start) < seconds {
        var generator = Generator(seed: seed, iteration: iteration)
        let (name, file) = seeds[Int.random(in: 0..<seeds.count, using: &generator)]
        let input = mutated(file, using: &generator)
        if let trace = option("--trace") {
            try? "seed \(seed) iteration \(iteration) of \(name)\n".write(
                toFile: trace, atomically: false, encoding: .utf8)
        }
        let began = Date()
        var isVideo = false
        if case .video = MediaKind(sniffing: file) { isVideo = true }
        if MediaKind(sniffing: file) == .gif, iteration % 2 == 0 { isVideo = true }
        if tryOne(input, isVideo: isVideo) { accepted += 1 }
        let took = Date().timeIntervalSince(began)
        if took > slowest { (slowest, slowestAt) = (took, iteration) }
        iteration += 1
    }
    print(
        "\(iteration - first) inputs in \(Int(seconds)) s, \(accepted) of them usable; the slowest, iteration "
            + "\(slowestAt), took \(String(format: "%.1f", slowest)) s")
    return 0
}

exit(run(CommandLine.arguments))
