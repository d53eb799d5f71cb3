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

    @Flag(help: "Read colours of wide gamuts (Display P3, Adobe RGB) as sRGB, as the reference does.")
    var ignoreColorProfile = false

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
        options.appliesColorProfiles = !ignoreColorProfile
        return options
    }
}
