/// One picture and how it is to be seen.
package struct ImageRequest: Sendable {
    package var source: ImageSource
    /// Limits on the picture's pixels after resizing; nil takes qwen-vl-utils' defaults (4 and 16384 tokens).
    package var minPixels: Int?
    package var maxPixels: Int?
    /// A size to resize to, rounded to multiples of 28. Both or neither; takes precedence over the limits.
    package var resizedHeight: Int?
    package var resizedWidth: Int?
    package var decoding: DecodeOptions

    package init(
        _ source: ImageSource, minPixels: Int? = nil, maxPixels: Int? = nil, resizedHeight: Int? = nil,
        resizedWidth: Int? = nil, decoding: DecodeOptions = DecodeOptions()
    ) {
        self.source = source
        self.minPixels = minPixels
        self.maxPixels = maxPixels
        self.resizedHeight = resizedHeight
        self.resizedWidth = resizedWidth
        self.decoding = decoding
    }
}

/// What the vision tower takes in.
package struct VisionPatches: Sendable {
    /// [grid.patchCount, 3 * temporalPatchSize * patchSize * patchSize]
    package let pixels: [Float]
    package let grid: GridTHW
    /// The decoded picture's size, upright.
    package let originalSize: PixelSize
    /// The size the model sees; coordinates in its answers count these pixels.
    package let processedSize: PixelSize
    /// Names the resized frames' pixels: with the same processor, equal hashes and grids mean equal patches.
    package let contentHash: ContentHash
}

/// From a picture file to patches, as qwen-vl-utils' `fetch_image` and Transformers' `Qwen2VLImageProcessor` do it.
package struct ImageProcessor: Sendable {
    package let config: ImageProcessorConfig
    package let decoder: ImageDecoder
    private let patchifier: Patchifier

    /// qwen-vl-utils' own numbers; it knows no checkpoint.
    private static let fetchFactor = 28
    private static let fetchMinPixels = 4 * 28 * 28
    private static let fetchMaxPixels = 16384 * 28 * 28

    package init(_ config: ImageProcessorConfig = ImageProcessorConfig(), limits: DecodeLimits = DecodeLimits()) {
        self.config = config
        decoder = ImageDecoder(limits: limits)
        patchifier = Patchifier(config: config)
    }

    /// - Throws: `VisionInputError` naming the source and what is wrong with it.
    package func process(_ request: ImageRequest) throws(VisionInputError) -> VisionPatches {
        try process(frames: [request])
    }

    /// Pictures as the frames of a video: each goes the way of a picture, an odd count repeats the last.
    /// - Parameter requests: at least one; their pictures come out in one size.
    /// - Throws: `VisionInputError` naming the frame and what is wrong with it.
    package func process(frames requests: [ImageRequest]) throws(VisionInputError) -> VisionPatches {
        var frames: [RGBImage] = []
        var originalSize: PixelSize?
        for request in requests {
            let (image, size) = try fetch(request)
            if let first = frames.first, first.size != image.size {
                throw VisionInputError(
                    source: request.source.name,
                    .invalidValue(
                        field: "frame", expected: "the first frame's size, \(first.size)", found: "\(image.size)"))
            }
            frames.append(image)
            originalSize = originalSize ?? size
        }
        do {
            return try patches(frames: frames, originalSize: originalSize ?? PixelSize(width: 0, height: 0))
        } catch {
            throw VisionInputError(source: requests.first?.source.name ?? "frames", error)
        }
    }

    /// The first stage: decoded, and resized to the request's limits.
    private func fetch(
        _ request: ImageRequest
    ) throws(VisionInputError) -> (image: RGBImage, originalSize: PixelSize) {
        try validate(request)
        let original = try decoder.decode(request.source, options: request.decoding)
        do {
            return (PILResample.resize(original, to: try fetchedSize(original.size, request)), original.size)
        } catch {
            throw VisionInputError(source: request.source.name, error)
        }
    }

    /// The processor's own stage for frames of one size (a still picture is one frame): resized to its limits where
    /// they are not met, normalised, cut into patches.
    package func patches(
        frames: [RGBImage], originalSize: PixelSize
    ) throws(VisionInputError.Reason) -> VisionPatches {
        guard let first = frames.first else {
            throw .invalidValue(field: "frames", expected: "at least one", found: "none")
        }
        if let other = frames.first(where: { $0.size != first.size }) {
            throw .invalidValue(field: "frames", expected: "one size \(first.size)", found: "\(other.size)")
        }
        let size = try processedSize(first.size)
        let resized = size == first.size ? frames : frames.map { PILResample.resize($0, to: size) }
        let (pixels, grid) = patchifier.patches(frames: resized)
        return VisionPatches(
            pixels: pixels, grid: grid, originalSize: originalSize, processedSize: size,
            // An eighth of the bytes that the patches have.
            contentHash: ContentHash(resized.count == 1 ? resized[0].pixels : resized.flatMap(\.pixels)))
    }

    /// The size that the model would see of a picture of this size, without decoding it.
    package func processedSize(
        of size: PixelSize, request: ImageRequest
    ) throws(VisionInputError) -> PixelSize {
        try validate(request)
        do {
            return try processedSize(try fetchedSize(size, request))
        } catch {
            throw VisionInputError(source: request.source.name, error)
        }
    }

    /// The first stage: the request's limits.
    private func fetchedSize(
        _ size: PixelSize, _ request: ImageRequest
    ) throws(VisionInputError.Reason) -> PixelSize {
        if let height = request.resizedHeight, let width = request.resizedWidth {
            let resize = SmartResize(
                factor: Self.fetchFactor, minPixels: Self.fetchMinPixels, maxPixels: Self.fetchMaxPixels)
            return try resize(PixelSize(width: width, height: height))
        }
        let resize = SmartResize(
            factor: Self.fetchFactor, minPixels: request.minPixels ?? Self.fetchMinPixels,
            maxPixels: request.maxPixels ?? Self.fetchMaxPixels)
        return try resize(size)
    }

    /// The second stage: the checkpoint's limits. It refuses sides below the factor instead of raising them.
    func processedSize(_ size: PixelSize) throws(VisionInputError.Reason) -> PixelSize {
        guard size.height >= config.factor, size.width >= config.factor else {
            throw .tooSmall(width: size.width, height: size.height, factor: config.factor)
        }
        return try SmartResize(
            factor: config.factor, minPixels: config.minPixels, maxPixels: config.maxPixels)(size)
    }

    private func validate(_ request: ImageRequest) throws(VisionInputError) {
        let name = request.source.name
        let fields = [
            ("min_pixels", request.minPixels), ("max_pixels", request.maxPixels),
            ("resized_height", request.resizedHeight), ("resized_width", request.resizedWidth),
        ]
        for case (let field, let value?) in fields where value <= 0 {
            throw VisionInputError(
                source: name, .invalidValue(field: field, expected: "a positive integer", found: "\(value)"))
        }
        if let low = request.minPixels, let high = request.maxPixels, low > high {
            throw VisionInputError(
                source: name,
                .invalidValue(field: "min_pixels", expected: "at most max_pixels \(high)", found: "\(low)"))
        }
        guard (request.resizedHeight == nil) == (request.resizedWidth == nil) else {
            let missing = request.resizedHeight == nil ? "resized_height" : "resized_width"
            throw VisionInputError(
                source: name,
                .invalidValue(field: missing, expected: "a value, as its counterpart has one", found: "none"))
        }
    }
}
