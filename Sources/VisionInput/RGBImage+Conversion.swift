/// How decoded samples stand for colours.
enum SampleLayout {
    case grey, greyAlpha, rgb, rgba
    /// Amounts of ink, 255 for most. JPEG files hold them inverted, as Adobe's programs do; libvips and Pillow turn
    /// them over whether or not Adobe's marker is there.
    case cmyk

    var bands: Int {
        switch self {
        case .grey: 1
        case .greyAlpha: 2
        case .rgb: 3
        case .rgba, .cmyk: 4
        }
    }
}

extension RGBImage {
    /// Converts decoded samples [height, width, bands] to RGB, with Pillow's integer arithmetic.
    ///
    /// Transparency is composited onto white, as the reference does for RGBA. It does so here for grey with alpha,
    /// palettes and colour keys too, whose alpha the reference drops, showing whatever lies under it.
    init(converting samples: [UInt8], layout: SampleLayout, size: PixelSize) {
        let count = size.width * size.height
        precondition(samples.count == count * layout.bands)
        if layout == .rgb {
            self.init(width: size.width, height: size.height, pixels: samples)
            return
        }
        let pixels = [UInt8](unsafeUninitializedCapacity: count * 3) { out, written in
            samples.withUnsafeBufferPointer { samples in
                Self.convert(samples, layout: layout, to: out, count: count)
            }
            written = count * 3
        }
        self.init(width: size.width, height: size.height, pixels: pixels)
    }

    private static func convert(
        _ samples: UnsafeBufferPointer<UInt8>, layout: SampleLayout, to out: UnsafeMutableBufferPointer<UInt8>,
        count: Int
    ) {
        for i in 0..<count {
            switch layout {
            case .grey:
                let grey = samples[i]
                (out[3 * i], out[3 * i + 1], out[3 * i + 2]) = (grey, grey, grey)
            case .greyAlpha:
                let grey = onWhite(samples[2 * i], alpha: samples[2 * i + 1])
                (out[3 * i], out[3 * i + 1], out[3 * i + 2]) = (grey, grey, grey)
            case .rgb:
                for c in 0..<3 { out[3 * i + c] = samples[3 * i + c] }
            case .rgba:
                for c in 0..<3 { out[3 * i + c] = onWhite(samples[4 * i + c], alpha: samples[4 * i + 3]) }
            case .cmyk:
                for c in 0..<3 { out[3 * i + c] = light(ink: samples[4 * i + c], key: samples[4 * i + 3]) }
            }
        }
    }

    /// Division by 255, rounded, without a division (Pillow's `DIV255`): exact for products of two bytes.
    @inline(__always)
    private static func dividedBy255(_ product: Int32) -> Int32 {
        let biased = product &+ 128
        return ((biased >> 8) &+ biased) >> 8
    }

    @inline(__always)
    private static func onWhite(_ value: UInt8, alpha: UInt8) -> UInt8 {
        let blended = 255 &* (255 &- Int32(alpha)) &+ Int32(value) &* Int32(alpha)
        return UInt8(truncatingIfNeeded: dividedBy255(blended))
    }

    /// The light that the key leaves, less what the ink takes of it; no colour profile.
    @inline(__always)
    private static func light(ink: UInt8, key: UInt8) -> UInt8 {
        let left = 255 &- Int32(key)
        return UInt8(truncatingIfNeeded: max(0, left &- dividedBy255(Int32(ink) &* left)))
    }
}
