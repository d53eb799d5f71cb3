/// Why a picture or its configuration was refused.
package struct VisionInputError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file, or the name the caller gave to the bytes.
    package let source: String
    package let reason: Reason

    package enum Reason: Sendable, Equatable {
        case fileNotFound
        /// Where the caller's rules do not let it be read.
        case outsideRoots
        /// A kind that the caller's rules leave out.
        case forbiddenKind(found: MediaKind)
        case notARegularFile(found: String)
        case unreadable(reason: String)
        case emptyFile
        case unsupportedKind(found: MediaKind)
        /// The decoder gave up: truncated or corrupt data.
        case undecodable(kind: MediaKind, reason: String)
        /// No video, or none that can be decoded.
        case unusableVideo(reason: String)
        case tooLong(seconds: Double, limit: Double)
        case tooManyFrames(found: Int, limit: Int)
        /// Decoding gave nothing within the time that it may take.
        case tooSlow
        case tooManyBytes(found: Int, limit: Int)
        case tooManyPixels(width: Int, height: Int, limit: Int)
        case aspectRatio(width: Int, height: Int, limit: Int)
        /// A side is zero, or the pixel limit leaves less than one merged cell of a side.
        case tooSmall(width: Int, height: Int, factor: Int)
        case invalidValue(field: String, expected: String, found: String)
        case decoderUnavailable(reason: String)
    }

    package init(source: String, _ reason: Reason) {
        self.source = source
        self.reason = reason
    }

    package var description: String { "\(source): \(reason)" }
}

extension VisionInputError.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .fileNotFound: "no such file"
        case .outsideRoots: "lies outside the directories that may be read"
        case .forbiddenKind(let found): "\(found.name) files are not allowed here"
        case .notARegularFile(let found): "expected a regular file, found \(found)"
        case .unreadable(let reason): "cannot be read: \(reason)"
        case .emptyFile: "expected a picture, found 0 bytes"
        case .unsupportedKind(let found):
            "expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF, SVG or PDF), found \(found.name)"
        case .undecodable(let kind, let reason): "truncated or corrupt \(kind.name): \(reason)"
        case .unusableVideo(let reason): "cannot be used as a video: \(reason)"
        case .tooLong(let seconds, let limit): "expected at most \(limit) seconds, found \(seconds)"
        case .tooManyFrames(let found, let limit): "expected at most \(limit) frames, found \(found)"
        case .tooSlow: "decoding takes too long"
        case .tooManyBytes(let found, let limit): "expected at most \(limit) bytes, found \(found)"
        case .tooManyPixels(let width, let height, let limit):
            "expected at most \(limit) pixels, found \(width)x\(height)"
        case .aspectRatio(let width, let height, let limit):
            "expected an aspect ratio of at most \(limit), found \(width)x\(height)"
        case .tooSmall(let width, let height, let factor):
            "expected sides of at least \(factor) pixels, found \(width)x\(height)"
        case .invalidValue(let field, let expected, let found): "\(field): expected \(expected), found \(found)"
        case .decoderUnavailable(let reason): "the picture decoder did not start: \(reason)"
        }
    }
}
