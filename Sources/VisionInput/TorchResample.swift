internal import CPixels

/// Bicubic resizing with antialiasing as torchvision does it for videos: in single precision, columns first, rounded to
/// bytes once at the end (PyTorch, aten/src/ATen/native/cpu/UpSampleKernel.cpp). Pillow rounds after each pass.
///
/// A resampler holds the weights of one pair of sizes, as all frames of a video have it.
package struct TorchResample: Sendable {
    private let from: PixelSize
    private let to: PixelSize
    private let columns: FloatTaps
    private let rows: FloatTaps

    package init(from: PixelSize, to: PixelSize) {
        precondition(from.width > 0 && from.height > 0 && to.width > 0 && to.height > 0)
        self.from = from
        self.to = to
        columns = FloatTaps(inputCount: from.width, outputCount: to.width)
        rows = FloatTaps(inputCount: from.height, outputCount: to.height)
    }

    package func callAsFunction(_ image: RGBImage) -> RGBImage {
        resize(image, with: cpixels_float_resampler_best())
    }

    /// The same through plain C, which the vectorised code is tested against.
    package func resizeGeneric(_ image: RGBImage) -> RGBImage { resize(image, with: cpixels_float_resampler_generic()) }

    private func resize(_ image: RGBImage, with resampler: UnsafePointer<cpixels_float_resampler>?) -> RGBImage {
        precondition(image.size == from)
        if from == to { return image }
        guard let kernels = resampler?.pointee, let horizontal = kernels.horizontal, let vertical = kernels.vertical
        else { preconditionFailure("a resampler without functions") }
        let squeezed = [Float](unsafeUninitializedCapacity: from.height * to.width * 3) { out, written in
            columns.withTaps { taps in
                image.pixels.withUnsafeBufferPointer {
                    horizontal($0.baseAddress, Int32(from.width), Int32(from.height), taps, out.baseAddress)
                }
            }
            written = out.count
        }
        let pixels = [UInt8](unsafeUninitializedCapacity: to.width * to.height * 3) { out, written in
            rows.withTaps { taps in
                squeezed.withUnsafeBufferPointer { vertical($0.baseAddress, to.width * 3, taps, out.baseAddress) }
            }
            written = out.count
        }
        return RGBImage(width: to.width, height: to.height, pixels: pixels)
    }
}

/// The weighted sums along one axis, with PyTorch's mixture of single and double precision.
private struct FloatTaps: Sendable {
    private var starts: [Int32] = []
    private var counts: [Int32] = []
    private var weights: [Float]
    private let stride: Int

    init(inputCount: Int, outputCount: Int) {
        let scale = Float(inputCount) / Float(outputCount)
        let support: Float = scale >= 1 ? 2 * scale : 2
        let inverse: Float = scale >= 1 ? Float(1 / Double(scale)) : 1
        stride = Int(support.rounded(.up)) * 2 + 1
        weights = [Float](repeating: 0, count: outputCount * stride)
        for i in 0..<outputCount {
            let center = Float(Double(scale) * (Double(i) + 0.5))
            let start = max(0, Int(Double(center - support) + 0.5))
            let count = max(0, min(stride, min(Int(Double(center + support) + 0.5), inputCount) - start))
            var total: Float = 0
            for t in 0..<count {
                let weight = Self.bicubic(Float((Double(Float(t + start) - center) + 0.5) * Double(inverse)))
                weights[i * stride + t] = weight
                total += weight
            }
            if total != 0 { for t in 0..<count { weights[i * stride + t] /= total } }
            starts.append(Int32(start))
            counts.append(Int32(count))
        }
    }

    func withTaps(_ body: (UnsafePointer<cpixels_float_taps>) -> Void) {
        starts.withUnsafeBufferPointer { starts in
            counts.withUnsafeBufferPointer { counts in
                weights.withUnsafeBufferPointer { weights in
                    var taps = cpixels_float_taps(
                        output_count: Int32(starts.count), stride: Int32(stride), starts: starts.baseAddress,
                        counts: counts.baseAddress, weights: weights.baseAddress)
                    body(&taps)
                }
            }
        }
    }

    /// Keys' cubic convolution with a = -1/2.
    private static func bicubic(_ distance: Float) -> Float {
        let a: Float = -0.5
        let x = abs(distance)
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
        return 0
    }
}
