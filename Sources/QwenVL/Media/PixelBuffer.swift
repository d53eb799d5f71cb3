public import Foundation

/// A picture that is decoded already: rows from the top, 8 bits a sample.
public struct PixelBuffer: Sendable, Hashable {
    /// What the samples of a pixel stand for.
    public enum Format: Sendable, Hashable {
        /// One sample.
        case grey
        /// Red, green, blue.
        case rgb
        /// Red, green, blue, opacity; not multiplied by it.
        case rgba
        /// Blue, green, red, opacity; not multiplied by it.
        case bgra

        /// Bytes of a pixel.
        public var bytesPerPixel: Int {
            switch self {
            case .grey: 1
            case .rgb: 3
            case .rgba, .bgra: 4
            }
        }
    }

    /// Pixels from left to right.
    public let width: Int
    /// Pixels from top to bottom.
    public let height: Int
    /// What the samples stand for.
    public let format: Format
    /// From one row to the next.
    public let bytesPerRow: Int
    /// [height, bytesPerRow]; the last row may lack its padding.
    public let data: Data

    /// A picture of pixels in memory.
    /// - Parameter bytesPerRow: nil where rows follow each other without padding.
    /// - Throws: ``InputError`` where the sizes and the count of bytes do not fit each other.
    public init(
        width: Int, height: Int, format: Format, bytesPerRow: Int? = nil, data: Data
    ) throws(InputError) {
        guard width > 0, height > 0, width <= Self.largestSide, height <= Self.largestSide else {
            throw InputError(
                field: "pixels", expected: "sides from 1 to \(Self.largestSide)", found: "\(width)x\(height)")
        }
        let rowBytes = width * format.bytesPerPixel
        let stride = bytesPerRow ?? rowBytes
        guard stride >= rowBytes, stride <= 1 << 32 else {
            throw InputError(field: "pixels.bytesPerRow", expected: "at least \(rowBytes)", found: "\(stride)")
        }
        let needed = stride * (height - 1) + rowBytes
        guard data.count >= needed else {
            throw InputError(field: "pixels.data", expected: "at least \(needed) bytes", found: "\(data.count)")
        }
        self.width = width
        self.height = height
        self.format = format
        self.bytesPerRow = stride
        self.data = data
    }

    /// So that products of sides and strides stay far from overflowing.
    private static let largestSide = 1 << 24
}
