internal import CPixels

/// Bicubic resizing with antialiasing, giving the bytes Pillow's `Image.resize` gives.
///
/// Each axis is a set of weighted sums in 22-bit fixed point, rounded to bytes after each pass (Pillow,
/// src/libImaging/Resample.c). The order of the passes is Pillow 13's; earlier releases always took the horizontal one
/// first, which rounds differently here and there.
package enum PILResample {
    package static func resize(_ image: RGBImage, to size: PixelSize) -> RGBImage {
        resize(image, to: size, with: cpixels_resampler_best())
    }

    /// The same through plain C, which the vectorised code is tested against.
    package static func resizeGeneric(_ image: RGBImage, to size: PixelSize) -> RGBImage {
        resize(image, to: size, with: cpixels_resampler_generic())
    }

    private static func resize(
        _ image: RGBImage, to size: PixelSize, with resampler: UnsafePointer<cpixels_resampler>?
    ) -> RGBImage {
        precondition(size.width > 0 && size.height > 0)
        guard let kernels = resampler?.pointee, let horizontal = kernels.horizontal, let vertical = kernels.vertical
        else { preconditionFailure("a resampler without functions") }

        let rows = image.height == size.height ? nil : AxisTaps(inputCount: image.height, outputCount: size.height)
        let columns = image.width == size.width ? nil : AxisTaps(inputCount: image.width, outputCount: size.width)

        func resampleColumns(_ input: [UInt8], firstRow: Int, rowCount: Int) -> [UInt8] {
            guard let columns else { return input }
            return bytes(count: rowCount * size.width * 3) { out in
                columns.withTaps { taps in
                    input.withUnsafeBufferPointer { input in
                        let from = input.baseAddress.map { $0 + firstRow * image.width * 3 }
                        horizontal(from, Int32(image.width), Int32(rowCount), taps, out)
                    }
                }
            }
        }
        func resampleRows(_ input: [UInt8], width: Int, firstRow: Int) -> [UInt8] {
            guard let rows else { return input }
            return bytes(count: width * size.height * 3) { out in
                rows.withTaps { taps in
                    input.withUnsafeBufferPointer { vertical($0.baseAddress, width * 3, Int32(firstRow), taps, out) }
                }
            }
        }

        let pixels: [UInt8]
        if verticalGoesFirst(from: image.size, to: size) {
            let squeezed = resampleRows(image.pixels, width: image.width, firstRow: 0)
            pixels = resampleColumns(squeezed, firstRow: 0, rowCount: size.height)
        } else if columns == nil {
            pixels = resampleRows(image.pixels, width: size.width, firstRow: 0)
        } else {
            // Only the rows that the vertical pass will need.
            let (first, end) = rows.map { ($0.first, $0.end) } ?? (0, image.height)
            let squeezed = resampleColumns(image.pixels, firstRow: first, rowCount: end - first)
            pixels = resampleRows(squeezed, width: size.width, firstRow: first)
        }
        return RGBImage(width: size.width, height: size.height, pixels: pixels)
    }

    /// Where the height loses more than twice the pixels that the width does.
    private static func verticalGoesFirst(from size: PixelSize, to target: PixelSize) -> Bool {
        let lost = size.height - target.height
        return lost > 0 && lost > 2 * (size.width - target.width)
    }

    private static func bytes(count: Int, _ fill: (UnsafeMutablePointer<UInt8>?) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { out, written in
            fill(out.baseAddress)
            written = count
        }
    }
}

/// The weighted sums along one axis.
private struct AxisTaps {
    private var starts: [Int32] = []
    private var counts: [Int32] = []
    private var weights: [Int32]
    private let stride: Int

    /// First input that any output needs, and the one past the last.
    var first: Int { Int(starts[0]) }
    var end: Int { Int(starts[starts.count - 1] + counts[counts.count - 1]) }

    init(inputCount: Int, outputCount: Int) {
        let scale = Double(inputCount) / Double(outputCount)
        // Shrinking widens the filter, so that every input counts.
        let filterScale = max(scale, 1)
        let support = 2 * filterScale
        let inverse = 1 / filterScale
        stride = (Int(support.rounded(.up)) * 2 + 1 + 3) / 4 * 4
        weights = [Int32](repeating: 0, count: outputCount * stride)
        starts.reserveCapacity(outputCount)
        counts.reserveCapacity(outputCount)

        var sample = [Double](repeating: 0, count: stride)
        for i in 0..<outputCount {
            let center = (Double(i) + 0.5) * scale
            let start = max(0, Int(center - support + 0.5))
            let count = min(inputCount, Int(center + support + 0.5)) - start
            var total = 0.0
            for t in 0..<count {
                sample[t] = Self.bicubic((Double(t + start) - center + 0.5) * inverse)
                total += sample[t]
            }
            for t in 0..<count {
                weights[i * stride + t] = Self.fixedPoint(total == 0 ? sample[t] : sample[t] / total)
            }
            starts.append(Int32(start))
            counts.append(Int32(count))
        }
    }

    func withTaps(_ body: (UnsafePointer<cpixels_taps>) -> Void) {
        starts.withUnsafeBufferPointer { starts in
            counts.withUnsafeBufferPointer { counts in
                weights.withUnsafeBufferPointer { weights in
                    var taps = cpixels_taps(
                        output_count: Int32(starts.count), stride: Int32(stride), starts: starts.baseAddress,
                        counts: counts.baseAddress, weights: weights.baseAddress)
                    body(&taps)
                }
            }
        }
    }

    /// Keys' cubic convolution with a = -1/2. The order of operations matters to the last bit.
    private static func bicubic(_ distance: Double) -> Double {
        let a = -0.5
        let x = abs(distance)
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
        return 0
    }

    /// Rounded half away from zero.
    private static func fixedPoint(_ weight: Double) -> Int32 {
        let scaled = weight * Double(1 << CPIXELS_WEIGHT_BITS)
        return Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5)
    }
}
