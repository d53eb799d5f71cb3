package import Foundation

/// What a checkpoint's `preprocessor_config.json` says about pictures.
package struct ImageProcessorConfig: Sendable, Equatable {
    package var minPixels = 56 * 56
    package var maxPixels = 16384 * 28 * 28
    package var patchSize = 14
    package var temporalPatchSize = 2
    package var mergeSize = 2
    package var rescaleFactor = 1.0 / 255
    package var imageMean = [0.48145466, 0.4578275, 0.40821073]
    package var imageStd = [0.26862954, 0.26130258, 0.27577711]

    /// The values of the official checkpoints.
    package init() {}

    /// Sides of the picture are multiples of this.
    package var factor: Int { patchSize * mergeSize }

    /// Values per patch: [3, temporalPatchSize, patchSize, patchSize].
    package var valuesPerPatch: Int { 3 * temporalPatchSize * patchSize * patchSize }

    /// Reads the JSON text of a `preprocessor_config.json`; absent keys keep the official values.
    ///
    /// - Throws: `VisionInputError` naming the field that is malformed or asks for what is not supported.
    package init(json: Data, source: String = "preprocessor_config.json") throws(VisionInputError) {
        do {
            try read(try JSONDecoder().decode(File.self, from: json))
        } catch let reason as VisionInputError.Reason {
            throw VisionInputError(source: source, reason)
        } catch let error as DecodingError {
            throw VisionInputError(source: source, .invalidValue(error))
        } catch {
            throw VisionInputError(source: source, .unreadable(reason: String(describing: error)))
        }
    }

    /// Reads the file where there is one; a checkpoint without it gets the official values.
    package init(path: String) throws(VisionInputError) {
        guard FileManager.default.fileExists(atPath: path) else {
            self.init()
            return
        }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw VisionInputError(source: path, .unreadable(reason: String(describing: error)))
        }
        try self.init(json: data, source: path)
    }

    private mutating func read(_ file: File) throws(VisionInputError.Reason) {
        // Newer files hold the limits in `size`; where both stand, the flat keys are the ones 4.49 obeys.
        let sizeMinimum = try file.size?.shortestEdge.count("size.shortest_edge")
        let sizeMaximum = try file.size?.longestEdge.count("size.longest_edge")
        minPixels = try file.minPixels.count("min_pixels") ?? sizeMinimum ?? minPixels
        maxPixels = try file.maxPixels.count("max_pixels") ?? sizeMaximum ?? maxPixels
        patchSize = try file.patchSize.count("patch_size", upTo: Self.largestPatch) ?? patchSize
        temporalPatchSize =
            try file.temporalPatchSize.count("temporal_patch_size", upTo: Self.largestPatch) ?? temporalPatchSize
        mergeSize = try file.mergeSize.count("merge_size", upTo: Self.largestPatch) ?? mergeSize
        rescaleFactor = file.rescaleFactor ?? rescaleFactor
        imageMean = try file.imageMean.channels("image_mean") ?? imageMean
        imageStd = try file.imageStd.channels("image_std") ?? imageStd

        guard minPixels <= maxPixels else {
            throw .invalidValue(field: "min_pixels", expected: "at most max_pixels \(maxPixels)", found: "\(minPixels)")
        }
        guard imageStd.allSatisfy({ $0 != 0 }) else {
            throw .invalidValue(field: "image_std", expected: "numbers other than 0", found: "\(imageStd)")
        }
        let flags = [
            ("do_resize", file.doResize), ("do_rescale", file.doRescale), ("do_normalize", file.doNormalize),
            ("do_convert_rgb", file.doConvertRGB),
        ]
        for (field, flag) in flags where flag == false {
            throw .invalidValue(field: field, expected: "true", found: "false")
        }
        // Pillow's number for bicubic.
        if let resample = file.resample, resample != 3 {
            throw .invalidValue(field: "resample", expected: "3 (bicubic)", found: "\(resample)")
        }
    }

    /// Far above any checkpoint's, and small enough that sizes made of it cannot overflow.
    private static let largestPatch = 1024
}

/// The file as written. Integers are read as doubles, so that a fraction is an error that names its field.
private struct File: Decodable {
    struct Size: Decodable {
        var shortestEdge: Double?
        var longestEdge: Double?

        enum CodingKeys: String, CodingKey {
            case shortestEdge = "shortest_edge"
            case longestEdge = "longest_edge"
        }
    }

    /// Three numbers, or one for all channels.
    struct Channels: Decodable {
        let values: [Double]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let one = try? container.decode(Double.self) {
                values = [one, one, one]
            } else {
                values = try container.decode([Double].self)
            }
        }
    }

    var size: Size?
    var minPixels: Double?
    var maxPixels: Double?
    var patchSize: Double?
    var temporalPatchSize: Double?
    var mergeSize: Double?
    var rescaleFactor: Double?
    var imageMean: Channels?
    var imageStd: Channels?
    var doResize: Bool?
    var doRescale: Bool?
    var doNormalize: Bool?
    var doConvertRGB: Bool?
    var resample: Double?

    enum CodingKeys: String, CodingKey {
        case size, resample
        case minPixels = "min_pixels"
        case maxPixels = "max_pixels"
        case patchSize = "patch_size"
        case temporalPatchSize = "temporal_patch_size"
        case mergeSize = "merge_size"
        case rescaleFactor = "rescale_factor"
        case imageMean = "image_mean"
        case imageStd = "image_std"
        case doResize = "do_resize"
        case doRescale = "do_rescale"
        case doNormalize = "do_normalize"
        case doConvertRGB = "do_convert_rgb"
    }
}

extension Double? {
    /// Pixel counts beyond this are no limits at all.
    private static var largestPixelCount: Int { 1 << 40 }

    fileprivate func count(
        _ field: String, upTo largest: Int = Self.largestPixelCount
    ) throws(VisionInputError.Reason) -> Int? {
        guard let self else { return nil }
        guard self >= 1, self <= Double(largest), self == self.rounded(.down) else {
            throw .invalidValue(field: field, expected: "an integer from 1 to \(largest)", found: "\(self)")
        }
        return Int(self)
    }
}

extension File.Channels? {
    fileprivate func channels(_ field: String) throws(VisionInputError.Reason) -> [Double]? {
        guard let values = self?.values else { return nil }
        guard values.count == 3 else {
            throw .invalidValue(field: field, expected: "three numbers", found: "\(values.count)")
        }
        return values
    }
}

extension VisionInputError.Reason {
    fileprivate static func invalidValue(_ error: DecodingError) -> Self {
        let (context, expected): (DecodingError.Context, String) =
            switch error {
            case .typeMismatch(let type, let context), .valueNotFound(let type, let context): (context, "\(type)")
            case .keyNotFound(let key, let context): (context, "key \(key.stringValue)")
            case .dataCorrupted(let context): (context, "valid JSON")
            @unknown default: (DecodingError.Context(codingPath: [], debugDescription: "\(error)"), "valid JSON")
            }
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return .invalidValue(field: path.isEmpty ? "file" : path, expected: expected, found: context.debugDescription)
    }
}
