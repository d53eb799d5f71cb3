/// A picture of 8-bit RGB.
package struct RGBImage: Sendable, Equatable {
    package let width: Int
    package let height: Int
    /// [height, width, 3]
    package let pixels: [UInt8]

    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    package var size: PixelSize { PixelSize(width: width, height: height) }
}

/// Width and height in pixels.
package struct PixelSize: Sendable, Hashable, CustomStringConvertible {
    package let width: Int
    package let height: Int

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    package var description: String { "\(width)x\(height)" }
}
