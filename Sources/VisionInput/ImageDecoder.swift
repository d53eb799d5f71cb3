internal import CVips
internal import Foundation

/// How a picture is to be read.
package struct DecodeOptions: Sendable, Hashable {
    package var orientation: OrientationHandling
    /// Wide gamuts are brought to sRGB. The reference reads every sample as sRGB.
    package var appliesProfile: Bool
    /// The page of a document, the frame of an animation: from 0.
    package var page: Int
    /// What SVG and PDF are drawn at; nil for 144, and for SVG's own size.
    package var dpi: Double?

    package init(
        orientation: OrientationHandling = .applied, appliesProfile: Bool = true, page: Int = 0,
        dpi: Double? = nil
    ) {
        self.orientation = orientation
        self.appliesProfile = appliesProfile
        self.page = page
        self.dpi = dpi
    }

    func dpi(of kind: MediaKind) -> Double {
        // A page of A4 at 144 dots has 2 megapixels: small print stays readable, and it costs 2,500 tokens. At 72 a unit
        // of SVG is a pixel.
        dpi ?? (kind == .svg ? 72 : 144)
    }
}

/// Decodes pictures of any kind to 8-bit RGB. Those that Pillow reads have Pillow's pixels.
package struct ImageDecoder: Sendable {
    package var limits: DecodeLimits

    package init(limits: DecodeLimits = DecodeLimits()) {
        self.limits = limits
    }

    /// - Throws: `VisionInputError` for unreadable, unsupported, oversized or damaged files.
    package func decode(
        _ source: ImageSource, options: DecodeOptions = DecodeOptions()
    ) throws(VisionInputError) -> RGBImage {
        if case .pixels(let image, _) = source { return image }
        let data = try source.bytes(limits: limits)
        do {
            return try decode(data, kind: try kind(of: data), options: options)
        } catch {
            throw VisionInputError(source: source.name, error)
        }
    }

    /// Pages of a document, frames of an animation; 1 for other pictures.
    package func pageCount(_ source: ImageSource) throws(VisionInputError) -> Int {
        if case .pixels = source { return 1 }
        let data = try source.bytes(limits: limits)
        do {
            let kind = try kind(of: data)
            // Not every libvips opens a JPEG of 12 bits; none has pages.
            guard kind != .jpeg, let format = kind.vipsFormat else { return 1 }
            let request = cvips_request(format: format, page: 0, dpi: DecodeOptions().dpi(of: kind))
            return try data.withUnsafeBytes { bytes in Self.pages(bytes, request: request, kind: kind) }.get()
        } catch {
            throw VisionInputError(source: source.name, error)
        }
    }

    private func kind(of data: Data) throws(VisionInputError.Reason) -> MediaKind {
        let kind = MediaKind(sniffing: data)
        guard kind.isPicture else { throw .unsupportedKind(found: kind) }
        if kind.isDocument, !limits.allowsDocuments { throw .forbiddenKind(found: kind) }
        if let reason = Self.startFailure { throw .decoderUnavailable(reason: reason) }
        return kind
    }

    private func decode(
        _ data: Data, kind: MediaKind, options: DecodeOptions
    ) throws(VisionInputError.Reason) -> RGBImage {
        guard let format = kind.vipsFormat else { return try BMPDecoder.decode(data, limits: limits) }
        if kind == .jpeg, DeepJPEGDecoder.accepts(data) { return try DeepJPEGDecoder.decode(data, limits: limits) }
        let request = cvips_request(format: format, page: Int32(clamping: options.page), dpi: options.dpi(of: kind))
        let limits = limits
        let result = data.withUnsafeBytes { bytes -> Result<RGBImage, VisionInputError.Reason> in
            Self.decode(bytes, request: request, kind: kind, limits: limits, options: options)
        }
        return try result.get()
    }

    private static func pages(
        _ bytes: UnsafeRawBufferPointer, request: cvips_request, kind: MediaKind
    ) -> Result<Int, VisionInputError.Reason> {
        var message = ErrorText()
        var header = cvips_header()
        var request = request
        let opened = message.withBuffer { cvips_open(&request, bytes.baseAddress, bytes.count, &header, $0, $1) }
        guard let picture = opened else { return .failure(.undecodable(kind: kind, reason: message.text)) }
        cvips_close(picture)
        return .success(max(1, Int(header.pages)))
    }

    private static func decode(
        _ bytes: UnsafeRawBufferPointer, request: cvips_request, kind: MediaKind, limits: DecodeLimits,
        options: DecodeOptions
    ) -> Result<RGBImage, VisionInputError.Reason> {
        var message = ErrorText()
        var header = cvips_header()
        var request = request
        let opened = message.withBuffer { cvips_open(&request, bytes.baseAddress, bytes.count, &header, $0, $1) }
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
        if options.appliesProfile, layout == .rgb || layout == .rgba, let start = header.profile,
            ICCProfile(UnsafeRawBufferPointer(start: start, count: header.profile_bytes))?.isForeignRGB == true,
            message.withBuffer({ cvips_use_profile(picture, $0, $1) }) != 0
        {
            return .failure(.undecodable(kind: kind, reason: "colour profile: \(message.text)"))
        }
        var status: Int32 = 0
        let samples = [UInt8](unsafeUninitializedCapacity: size.width * size.height * layout.bands) { out, written in
            status = message.withBuffer { cvips_decode(picture, out.baseAddress, $0, $1) }
            written = status == 0 ? out.count : 0
        }
        guard status == 0 else { return .failure(.undecodable(kind: kind, reason: message.text)) }
        let image = RGBImage(converting: samples, layout: layout, size: size)
        return .success(
            options.orientation == .applied ? image.upright(fromOrientation: Int(header.orientation)) : image)
    }

    /// Why libvips could not be initialised; nil when it is ready.
    private static let startFailure: String? = {
        var message = ErrorText()
        return message.withBuffer { cvips_init($0, $1) } == 0 ? nil : message.text
    }()
}

extension MediaKind {
    fileprivate var vipsFormat: cvips_format? {
        switch self {
        case .jpeg: CVIPS_JPEG
        case .png: CVIPS_PNG
        case .webp: CVIPS_WEBP
        case .gif: CVIPS_GIF
        case .tiff: CVIPS_TIFF
        case .heic, .avif: CVIPS_HEIF
        case .svg: CVIPS_SVG
        case .pdf: CVIPS_PDF
        case .bmp, .video, .other, .unknown: nil
        }
    }

    fileprivate var isPicture: Bool { self == .bmp || vipsFormat != nil }
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
