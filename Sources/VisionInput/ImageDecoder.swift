internal import CVips
internal import Foundation

/// Decodes JPEG, PNG and WebP pictures to 8-bit RGB, giving the pixels Pillow gives.
package struct ImageDecoder: Sendable {
    package var limits: DecodeLimits

    package init(limits: DecodeLimits = DecodeLimits()) {
        self.limits = limits
    }

    /// - Throws: `VisionInputError` for unreadable, unsupported, oversized or damaged files.
    package func decode(
        _ source: ImageSource, orientation: OrientationHandling = .applied
    ) throws(VisionInputError) -> RGBImage {
        try decode(source.bytes(limits: limits), name: source.name, orientation: orientation)
    }

    private func decode(
        _ data: Data, name: String, orientation: OrientationHandling
    ) throws(VisionInputError) -> RGBImage {
        let kind = MediaKind(sniffing: data)
        guard let format = kind.vipsFormat else { throw VisionInputError(source: name, .unsupportedKind(found: kind)) }
        if let reason = Self.startFailure {
            throw VisionInputError(source: name, .decoderUnavailable(reason: reason))
        }
        let limits = limits
        let result = data.withUnsafeBytes { bytes -> Result<RGBImage, VisionInputError.Reason> in
            Self.decode(bytes, format: format, kind: kind, limits: limits, orientation: orientation)
        }
        do {
            return try result.get()
        } catch {
            throw VisionInputError(source: name, error)
        }
    }

    private static func decode(
        _ bytes: UnsafeRawBufferPointer, format: cvips_format, kind: MediaKind, limits: DecodeLimits,
        orientation: OrientationHandling
    ) -> Result<RGBImage, VisionInputError.Reason> {
        var message = ErrorText()
        var header = cvips_header()
        let opened = message.withBuffer { cvips_open(format, bytes.baseAddress, bytes.count, &header, $0, $1) }
        guard let picture = opened else {
            return .failure(.undecodable(kind: kind, reason: message.text))
        }
        defer { cvips_close(picture) }

        let size = PixelSize(width: Int(header.width), height: Int(header.height))
        guard size.width > 0, size.height > 0 else {
            return .failure(.tooSmall(width: size.width, height: size.height, factor: 1))
        }
        // Sides come as 32-bit numbers, so the product cannot overflow.
        guard size.width * size.height <= limits.maxPixels else {
            return .failure(.tooManyPixels(width: size.width, height: size.height, limit: limits.maxPixels))
        }
        let layout = SampleLayout(header)
        var status: Int32 = 0
        let samples = [UInt8](unsafeUninitializedCapacity: size.width * size.height * layout.bands) { out, written in
            status = message.withBuffer { cvips_decode(picture, out.baseAddress, $0, $1) }
            written = status == 0 ? out.count : 0
        }
        guard status == 0 else { return .failure(.undecodable(kind: kind, reason: message.text)) }
        let image = RGBImage(converting: samples, layout: layout, size: size)
        return .success(orientation == .applied ? image.upright(fromOrientation: Int(header.orientation)) : image)
    }

    /// Why libvips could not be initialised; nil when it is ready.
    private static let startFailure: String? = {
        var message = ErrorText()
        return message.withBuffer { cvips_init($0, $1) } == 0 ? nil : message.text
    }()
}

/// A buffer that a C function writes its error into.
private struct ErrorText {
    private var buffer = [CChar](repeating: 0, count: 512)

    mutating func withBuffer<R>(_ body: (UnsafeMutablePointer<CChar>?, Int) -> R) -> R {
        buffer.withUnsafeMutableBufferPointer { body($0.baseAddress, $0.count) }
    }

    /// One line, without libvips's trailing newlines.
    var text: String {
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\n", with: "; ")
    }
}

extension MediaKind {
    fileprivate var vipsFormat: cvips_format? {
        switch self {
        case .jpeg: CVIPS_JPEG
        case .png: CVIPS_PNG
        case .webp: CVIPS_WEBP
        case .other, .unknown: nil
        }
    }
}

extension SampleLayout {
    fileprivate init(_ header: cvips_header) {
        switch (header.bands, header.is_cmyk) {
        case (1, _): self = .grey
        case (2, _): self = .greyAlpha
        case (3, _): self = .rgb
        case (_, 0): self = .rgba
        default: self = .cmyk
        }
    }
}
