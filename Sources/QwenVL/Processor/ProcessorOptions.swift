/// How pictures and messages are prepared.
public struct ProcessorOptions: Sendable, Hashable {
    /// Enlarge pictures to at least this many pixels; nil for preprocessor_config.json's `min_pixels`.
    public var minPixels: Int?
    /// Reduce pictures to at most this many pixels; nil for preprocessor_config.json's `max_pixels`.
    /// Limits that a picture brings itself are applied first.
    public var maxPixels: Int?
    /// Turns pictures upright by their EXIF orientation. The reference does not.
    public var appliesOrientation = true
    /// Puts "Picture 1: " before each picture, so that questions can name it (the template's `add_vision_id`).
    public var addsVisionIDs = false
    /// Brings pictures with wide-gamut colour profiles (Display P3, Adobe RGB…) to sRGB. The reference does not.
    public var appliesColorProfiles = true
    /// Which files and hosts may be named, and what they may cost.
    public var media = MediaPolicy.local

    /// Numbers of patches (64 MB) beyond which a video is decoded while the model works, and never in memory as a whole.
    package var valuesAtOnce = 16 << 20

    /// The defaults.
    public init() {}

    func validate() throws(InputError) {
        try media.validate()
        for (field, value) in [("min_pixels", minPixels), ("max_pixels", maxPixels)] {
            if let value, value <= 0 {
                throw InputError(field: field, expected: "a positive integer", found: "\(value)")
            }
        }
        if let minPixels, let maxPixels, minPixels > maxPixels {
            throw InputError(field: "min_pixels", expected: "at most max_pixels, \(maxPixels)", found: "\(minPixels)")
        }
    }
}
