import ArgumentParser
import Foundation
import QwenVL

/// The frames that the model would see of a video, as pictures.
struct FramesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frames", abstract: "Write the frames that the model would see of a video.",
        discussion: """
            Writes DIR/0000-0.000s.png and so on, named by number and time, and prints one line of JSON for each frame \
            to standard output. No model is needed.

              qwenvl frames clip.mp4 --fps 2 --out frames
            """)

    @Argument(help: "The video: a path or a URL.")
    var video: String

    @OptionGroup(title: "Sampling") var sampling: VideoOptions
    @OptionGroup(title: "Pictures") var pictures: PictureOptions

    @Option(name: [.short, .long], help: "The directory to write to; it is made where it is missing.")
    var out: String

    @Flag(name: [.short, .long], help: "No line of statistics.")
    var quiet = false

    private struct Line: Encodable {
        let file: String
        let frame: Int
        let seconds: Double
        let width: Int
        let height: Int
    }

    func run() async throws {
        let sampled = try await SampledVideo(sampling.part(named: video), options: pictures.processorOptions)
        do {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        } catch {
            throw InputError(field: "--out", expected: "a directory that can be made", found: "\"\(out)\"")
        }
        let line = ProgressLine()
        defer { line.clear() }
        try sampled.forEachFrame { frame in
            let time = String(format: "%.3f", frame.time)
            let file = out + "/" + String(format: "%04d", frame.number) + "-\(time)s.png"
            try frame.pixels.writePNG(to: file)
            line.show("frame \(frame.number + 1) of \(sampled.count)")
            try Terminal.out(
                JSONOutput.line(
                    Line(
                        file: file, frame: frame.index, seconds: frame.time, width: frame.pixels.width,
                        height: frame.pixels.height)) + "\n")
        }
        line.clear()
        guard !quiet else { return }
        let (from, to) = (sampled.originalSize, sampled.processedSize)
        Terminal.note(
            "[\(sampled.count) of \(sampled.storedFrames) frames, \(String(format: "%.3g", sampled.fps)) of "
                + "\(String(format: "%.4g", sampled.storedFPS)) a second · \(from.width)×\(from.height) as "
                + "\(to.width)×\(to.height) · \(sampled.tokens) tokens]")
    }
}
