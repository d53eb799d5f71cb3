// How long pictures and videos take on their way to pixel values.
//
//     swift run -c release media-benchmark FILE… [--repeat 10] [--fps 2] [--max-frames 768]
//
// One line of JSON for each file: the median of the repetitions, in milliseconds. Tools/vision/benchmark.py runs it
// beside Pillow and the Hugging Face processor.

import Foundation
import Measuring
import VisionInput

func milliseconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    let parts = start.duration(to: .now).components
    return Double(parts.seconds) * 1000 + Double(parts.attoseconds) * 1e-15
}

func measurePicture(_ path: String, repeats: Int) throws {
    let images = ImageProcessor()
    var tokens = 0
    var decoded: [Double] = []
    var whole: [Double] = []
    for _ in 0..<repeats {
        decoded.append(try milliseconds { _ = try images.decoder.decode(.path(path)) })
        whole.append(try milliseconds { tokens = try images.process(ImageRequest(.path(path))).grid.tokenCount() })
    }
    print(
        String(
            format: "{\"file\": \"%@\", \"decode_ms\": %.1f, \"whole_ms\": %.1f, \"tokens\": %d, \"peak_mib\": %d}",
            path, Statistic(decoded).median, Statistic(whole).median, tokens, MachineMemory.peak >> 20))
}

func measureVideo(_ path: String, sampler: FrameSampler) throws {
    let images = ImageProcessor()
    var plan: VideoPlan?
    let planning = try milliseconds {
        plan = try images.plan(VideoSource(try LocalFile(path: path)), sampler: sampler, limits: VideoLimits())
    }
    guard let plan else { return }
    let planned = MachineMemory.peak >> 20
    let reading = try milliseconds {
        let reader = VideoSliceReader(plan, config: images.config)
        while try reader.readSlice() != nil {}
    }
    print(
        String(
            format: "{\"file\": \"%@\", \"stored_frames\": %d, \"frames\": %d, \"size\": \"%@\", \"index_ms\": %.0f, "
                + "\"read_ms\": %.0f, \"planned_mib\": %d, \"peak_mib\": %d}",
            path, plan.index.frameCount, plan.frames.count, plan.processedSize.description, planning, reading, planned,
            MachineMemory.peak >> 20))
}

func run(_ arguments: [String]) throws {
    var files: [String] = []
    var repeats = 10
    var sampler = FrameSampler()
    var rest = arguments.dropFirst()
    while let argument = rest.popFirst() {
        switch argument {
        case "--repeat": repeats = max(1, rest.popFirst().flatMap { Int($0) } ?? repeats)
        case "--fps": sampler.fps = rest.popFirst().flatMap { Double($0) }
        case "--max-frames": sampler.maxFrames = rest.popFirst().flatMap { Int($0) }
        default: files.append(argument)
        }
    }
    for file in files {
        if case .video = MediaKind(sniffing: VideoSource(try LocalFile(path: file)).head) {
            try measureVideo(file, sampler: sampler)
        } else {
            try measurePicture(file, repeats: repeats)
        }
    }
}

do {
    try run(CommandLine.arguments)
} catch {
    print("\(error)")
    exit(65)
}
