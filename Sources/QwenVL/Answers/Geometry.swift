/// A place in a picture, in pixels from its left and top edges. In JSON: `[x, y]`.
public struct PixelPoint: Sendable, Hashable {
    /// From the left edge.
    public var x: Double
    /// From the top edge.
    public var y: Double

    /// A point.
    public init(x: Double, y: Double) {
        self.x = x
        self.y = y
    }

    /// The same place where pixels are of another size.
    public func scaled(by scale: PictureReport.Scale) -> PixelPoint { PixelPoint(x: x * scale.x, y: y * scale.y) }

    func clamped(to size: PictureReport.Size) -> PixelPoint {
        PixelPoint(x: min(max(x, 0), Double(size.width)), y: min(max(y, 0), Double(size.height)))
    }
}

/// A rectangle in a picture, in pixels, its corners in order. In JSON: `[left, top, right, bottom]`.
public struct PixelBox: Sendable, Hashable {
    /// The left edge.
    public var left: Double
    /// The upper edge.
    public var top: Double
    /// The right edge.
    public var right: Double
    /// The lower edge.
    public var bottom: Double

    /// A box; edges in the wrong order are exchanged.
    public init(left: Double, top: Double, right: Double, bottom: Double) {
        self.left = min(left, right)
        self.top = min(top, bottom)
        self.right = max(left, right)
        self.bottom = max(top, bottom)
    }

    /// Its surface in square pixels.
    public var area: Double { (right - left) * (bottom - top) }
    /// Its middle.
    public var center: PixelPoint { PixelPoint(x: (left + right) / 2, y: (top + bottom) / 2) }

    /// Whether the point lies within it, edges included.
    public func contains(_ point: PixelPoint) -> Bool {
        (left...right).contains(point.x) && (top...bottom).contains(point.y)
    }

    /// The surface that both cover, as a share of what either covers: 1 for the same box, 0 for boxes apart.
    public func intersectionOverUnion(_ other: PixelBox) -> Double {
        let width = min(right, other.right) - max(left, other.left)
        let height = min(bottom, other.bottom) - max(top, other.top)
        guard width > 0, height > 0 else { return 0 }
        return width * height / (area + other.area - width * height)
    }

    /// The same place where pixels are of another size.
    public func scaled(by scale: PictureReport.Scale) -> PixelBox {
        PixelBox(left: left * scale.x, top: top * scale.y, right: right * scale.x, bottom: bottom * scale.y)
    }

    func clamped(to size: PictureReport.Size) -> PixelBox {
        let (low, high) = (
            PixelPoint(x: left, y: top).clamped(to: size), PixelPoint(x: right, y: bottom).clamped(to: size)
        )
        return PixelBox(left: low.x, top: low.y, right: high.x, bottom: high.y)
    }
}

extension PixelPoint: Codable {
    /// Reads `[x, y]`.
    public init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        self.init(x: try list.decode(Double.self), y: try list.decode(Double.self))
    }

    /// Writes `[x, y]`.
    public func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(x)
        try list.encode(y)
    }
}

extension PixelBox: Codable {
    /// Reads `[left, top, right, bottom]`.
    public init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        self.init(
            left: try list.decode(Double.self), top: try list.decode(Double.self), right: try list.decode(Double.self),
            bottom: try list.decode(Double.self))
    }

    /// Writes `[left, top, right, bottom]`.
    public func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        for edge in [left, top, right, bottom] { try list.encode(edge) }
    }
}
