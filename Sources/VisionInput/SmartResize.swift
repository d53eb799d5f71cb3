/// The size a picture is resized to: sides divisible by a factor, the pixel count within limits, the shape kept.
///
/// Sizes are computed in double precision with halves rounded to even, as Python does.
package struct SmartResize: Sendable, Equatable {
    package var factor: Int
    package var minPixels: Int
    package var maxPixels: Int

    /// Sides may differ by this much at most.
    package static let maxRatio = 200

    package init(factor: Int, minPixels: Int, maxPixels: Int) {
        precondition(factor > 0 && minPixels > 0 && maxPixels > 0)
        self.factor = factor
        self.minPixels = minPixels
        self.maxPixels = maxPixels
    }

    /// qwen-vl-utils' `smart_resize`: sides below the factor are raised to it.
    package func callAsFunction(_ size: PixelSize) throws(VisionInputError.Reason) -> PixelSize {
        try self(size, maxPixels: Double(maxPixels))
    }

    /// The same with a limit that is no whole number, as a frame's share of a video's pixels is.
    func callAsFunction(_ size: PixelSize, maxPixels: Double) throws(VisionInputError.Reason) -> PixelSize {
        let (width, height) = (size.width, size.height)
        let (area, overflow) = width.multipliedReportingOverflow(by: height)
        // Beyond 2^53 a double no longer holds every count.
        guard !overflow, area <= 1 << 53 else {
            throw .tooManyPixels(width: width, height: height, limit: 1 << 53)
        }
        guard width > 0, height > 0 else { throw .tooSmall(width: width, height: height, factor: 1) }
        guard Double(max(width, height)) / Double(min(width, height)) <= Double(Self.maxRatio) else {
            throw .aspectRatio(width: width, height: height, limit: Self.maxRatio)
        }
        let step = Double(factor)
        var outWidth = max(step, (Double(width) / step).rounded(.toNearestOrEven) * step)
        var outHeight = max(step, (Double(height) / step).rounded(.toNearestOrEven) * step)
        if outWidth * outHeight > maxPixels {
            let beta = (Double(area) / maxPixels).squareRoot()
            outWidth = (Double(width) / beta / step).rounded(.down) * step
            outHeight = (Double(height) / beta / step).rounded(.down) * step
        } else if outWidth * outHeight < Double(minPixels) {
            let beta = (Double(minPixels) / Double(area)).squareRoot()
            outWidth = (Double(width) * beta / step).rounded(.up) * step
            outHeight = (Double(height) * beta / step).rounded(.up) * step
        }
        guard outWidth >= step, outHeight >= step else {
            throw .tooSmall(width: Int(outWidth), height: Int(outHeight), factor: factor)
        }
        return PixelSize(width: Int(outWidth), height: Int(outHeight))
    }
}

extension VisionInputError.Reason: Error {}
