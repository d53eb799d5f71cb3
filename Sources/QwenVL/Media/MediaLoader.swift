import Foundation
import MediaFetch
import VisionInput

/// Opens what messages name, as far as the policy lets it.
struct MediaLoader: Sendable {
    let policy: MediaPolicy
    private let fetcher: MediaFetcher

    init(policy: MediaPolicy, fetcher: MediaFetcher = MediaFetcher()) {
        self.policy = policy
        self.fetcher = fetcher
    }

    var decodeLimits: DecodeLimits {
        var limits = DecodeLimits(maxPixels: policy.maxPixels, maxBytes: policy.maxBytes)
        limits.allowsDocuments = policy.allowsDocuments
        return limits
    }

    var videoLimits: VideoLimits {
        var limits = VideoLimits()
        limits.maxBytes = policy.maxVideoBytes
        limits.maxPixels = policy.maxPixels
        limits.maxDuration = policy.maxDuration
        limits.maxFrames = policy.maxFrames
        limits.timeout = policy.decodingTimeout
        return limits
    }

    // MARK: Sources

    /// A source without URLs: what the network gives has become bytes.
    func fetched(_ source: MediaSource, field: String) async throws -> MediaSource {
        guard case .url(let url) = source else { return source }
        guard case .data(let data) = try await fetch(url, field: field, maxBytes: policy.maxBytes, memory: .max) else {
            throw QwenVLError.machine("a picture went to a file")
        }
        return .data(data)
    }

    /// A picture to decode; a file is opened when it is decoded.
    func picture(_ source: MediaSource, field: String) throws -> ImageSource {
        switch source {
        case .path(let path):
            guard let roots = try roots(field) else { return .path(path) }
            return .confined(path, within: roots)
        case .data(let data):
            try checkData(field)
            return .data(data, name: "the picture's data")
        case .pixels(let buffer):
            try checkData(field)
            guard buffer.width * buffer.height <= policy.maxPixels else {
                throw QwenVLError.mediaRefused(
                    field: field,
                    reason: "expected at most \(policy.maxPixels) pixels, found \(buffer.width)x\(buffer.height)")
            }
            return .pixels(RGBImage(buffer), name: "the pixels")
        case .url(let url): throw QwenVLError.machine("\(field): \(url) was not fetched")
        }
    }

    /// A video, held open.
    func video(_ source: MediaSource, field: String) async throws -> VideoSource {
        switch source {
        case .path(let path):
            let roots = try roots(field)
            do {
                return VideoSource(try LocalFile(path: path, within: roots))
            } catch {
                throw QwenVLError(error, field: field)
            }
        case .data(let data):
            try checkData(field)
            return VideoSource(data, name: "the video's data")
        case .url(let url):
            switch try await fetch(url, field: field, maxBytes: policy.maxVideoBytes, memory: Self.memoryForVideo) {
            case .data(let data): return VideoSource(data, name: url.absoluteString)
            case .file(let file):
                return VideoSource(
                    descriptor: file.descriptor, size: file.size, owner: file, name: url.absoluteString)
            }
        case .pixels:
            throw InputError(field: field, expected: "a video, or a list of frames", found: "pixels")
        }
    }

    /// A clip of half a minute; longer ones lie in a temporary file.
    private static let memoryForVideo = 16 << 20

    /// The directories of which one must hold a named file; nil for any.
    private func roots(_ field: String) throws -> [String]? {
        switch policy.files {
        case .none:
            throw QwenVLError.mediaRefused(
                field: field, reason: "files may not be named here; give the bytes as a data URI, or a URL")
        case .anywhere: nil
        case .under(let directories): directories
        }
    }

    private func checkData(_ field: String) throws {
        guard policy.allowsData else {
            throw QwenVLError.mediaRefused(field: field, reason: "bytes may not be given here")
        }
    }

    // MARK: The network

    private func fetch(_ url: URL, field: String, maxBytes: Int, memory: Int) async throws -> FetchedBody {
        if policy.hosts == .none {
            throw QwenVLError.mediaRefused(field: field, reason: "URLs may not be named here")
        }
        let rules = FetchRules(
            allowsHost: policy.allowsHost, allowsPrivateAddresses: policy.allowsPrivateAddresses, maxBytes: maxBytes,
            maxRedirects: policy.maxRedirects, timeout: policy.timeout, memoryLimit: memory)
        do {
            return try await fetcher.fetch(url, rules: rules)
        } catch let error as FetchError {
            switch error {
            case .refused(let reason): throw QwenVLError.mediaRefused(field: field, reason: reason)
            case .unavailable(let reason): throw QwenVLError.mediaUnavailable(field: field, reason: reason)
            }
        }
    }
}

extension MediaPolicy {
    /// Whether a host of this name, in lower case, may be asked.
    func allowsHost(_ name: String) -> Bool {
        switch hosts {
        case .none: false
        case .any: true
        case .only(let names):
            names.contains { allowed in
                let allowed = allowed.lowercased()
                return allowed.hasPrefix("*.") ? name.hasSuffix(allowed.dropFirst()) : name == allowed
            }
        }
    }
}

extension QwenVLError {
    /// A picture or video that cannot be used, or that the limits refuse.
    init(_ error: VisionInputError, field: String) {
        switch error.reason {
        case .outsideRoots, .forbiddenKind, .tooManyBytes, .tooManyPixels, .tooLong, .tooManyFrames, .tooSlow:
            self = .mediaRefused(field: field, reason: "\(error)")
        default: self = .picture(field: field, reason: "\(error)")
        }
    }
}

extension RGBImage {
    /// Transparency is put onto white, as in files.
    init(_ buffer: PixelBuffer) {
        let (width, height, step) = (buffer.width, buffer.height, buffer.format.bytesPerPixel)
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { out, written in
            buffer.data.withUnsafeBytes { bytes in
                var to = 0
                for y in 0..<height {
                    var from = y * buffer.bytesPerRow
                    for _ in 0..<width {
                        let (red, green, blue): (UInt8, UInt8, UInt8)
                        switch buffer.format {
                        case .grey: (red, green, blue) = (bytes[from], bytes[from], bytes[from])
                        case .rgb: (red, green, blue) = (bytes[from], bytes[from + 1], bytes[from + 2])
                        case .rgba: (red, green, blue) = Self.onWhite(bytes, from, 0, 2)
                        case .bgra: (red, green, blue) = Self.onWhite(bytes, from, 2, 0)
                        }
                        (out[to], out[to + 1], out[to + 2]) = (red, green, blue)
                        to += 3
                        from += step
                    }
                }
            }
            written = width * height * 3
        }
        self.init(width: width, height: height, pixels: pixels)
    }

    private static func onWhite(
        _ bytes: UnsafeRawBufferPointer, _ at: Int, _ red: Int, _ blue: Int
    ) -> (UInt8, UInt8, UInt8) {
        let alpha = Int(bytes[at + 3])
        func blend(_ value: UInt8) -> UInt8 { UInt8((255 * (255 - alpha) + Int(value) * alpha + 127) / 255) }
        return (blend(bytes[at + red]), blend(bytes[at + 1]), blend(bytes[at + blue]))
    }
}
