import ArgumentParser
import Foundation
import QwenVL

/// How pictures are prepared.
struct PictureOptions: ParsableArguments {
    @Option(help: "Enlarge pictures to at least this many pixels.")
    var minPixels: Int?

    @Option(help: "Reduce pictures to at most this many pixels.")
    var maxPixels: Int?

    @Flag(help: "Number the pictures in the prompt, so that questions can name them (Picture 1, Picture 2).")
    var addVisionID = false

    @Flag(help: "Ignore the EXIF orientation of pictures, as the reference does.")
    var ignoreOrientation = false

    func validate() throws {
        for (name, value) in [("--min-pixels", minPixels), ("--max-pixels", maxPixels)] {
            if let value, value <= 0 { throw ValidationError("\(name): expected a positive number, found \(value)") }
        }
    }

    var processorOptions: ProcessorOptions {
        var options = ProcessorOptions()
        options.minPixels = minPixels
        options.maxPixels = maxPixels
        options.addsVisionIDs = addVisionID
        options.appliesOrientation = !ignoreOrientation
        return options
    }
}

/// Pictures named on the command line.
struct ImageArguments: ParsableArguments {
    @Option(name: [.short, .long], help: "A picture (JPEG, PNG, WebP); may be given several times.")
    var image: [String] = []

    static func message(_ text: String, images: [String]) -> ChatMessage {
        images.isEmpty ? .user(text) : .user(images.map { .image(path: $0) } + [.text(text)])
    }
}

/// A video that is a directory of pictures.
struct VideoArguments: ParsableArguments {
    @Option(help: "A directory of pictures that are a video's frames, in the order of their names.")
    var video: String?

    @Option(help: "How many of the frames there are to a second (default: 2).")
    var fps: Double?

    func validate() throws {
        if fps != nil, video == nil { throw ValidationError("--fps: there is no --video") }
        if let fps, !(fps > 0) { throw ValidationError("--fps: expected a positive number, found \(fps)") }
    }

    func parts() throws -> [ContentPart] {
        guard let video else { return [] }
        let names = try? FileManager.default.contentsOfDirectory(atPath: video).filter { !$0.hasPrefix(".") }
        guard let names, !names.isEmpty else {
            throw InputError(field: "--video", expected: "a directory of pictures", found: "\"\(video)\"")
        }
        return [.video(frames: names.sorted().map { .path("\(video)/\($0)") }, fps: fps)]
    }
}
