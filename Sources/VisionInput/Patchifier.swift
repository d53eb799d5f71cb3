/// Cuts pictures into the patches that the vision tower embeds.
package struct Patchifier: Sendable {
    private let patchSize: Int
    private let temporalPatchSize: Int
    private let mergeSize: Int
    /// Normalised value of every byte, per channel: [3, 256].
    private let values: [Float]

    package init(config: ImageProcessorConfig) {
        patchSize = config.patchSize
        temporalPatchSize = config.temporalPatchSize
        mergeSize = config.mergeSize
        // The product in double, then everything in single precision (image_transforms.py, rescale and normalize).
        values = (0..<3).flatMap { channel in
            let mean = Float(config.imageMean[channel])
            let std = Float(config.imageStd[channel])
            return (0..<256).map { (Float(Double($0) * config.rescaleFactor) - mean) / std }
        }
    }

    /// Patches [t * h * w, 3 * temporalPatchSize * patchSize * patchSize] in merge-block order: the patches of one
    /// merged cell stand together, cells run along rows. The last frame is repeated to a multiple of
    /// `temporalPatchSize`; a still picture is one frame.
    ///
    /// All frames have one size, a multiple of patch and merge size.
    package func patches(frames: [RGBImage]) -> (pixels: [Float], grid: GridTHW) {
        guard let size = frames.first?.size else { preconditionFailure("no frames") }
        let cell = patchSize * mergeSize
        precondition(frames.allSatisfy { $0.size == size } && size.width % cell == 0 && size.height % cell == 0)
        let grid = GridTHW(
            t: (frames.count + temporalPatchSize - 1) / temporalPatchSize, h: size.height / patchSize,
            w: size.width / patchSize)
        let count = grid.patchCount * 3 * temporalPatchSize * patchSize * patchSize
        let pixels = [Float](unsafeUninitializedCapacity: count) { out, written in
            for t in 0..<grid.t {
                for slot in 0..<temporalPatchSize {
                    let index = t * temporalPatchSize + slot
                    let slice = UnsafeMutableBufferPointer(
                        rebasing: out[t * (count / grid.t)..<(t + 1) * (count / grid.t)])
                    if index < frames.count {
                        fill(slice, slot: slot, from: frames[index], grid: grid)
                    } else {
                        repeatSlot(slot - 1, into: slot, of: slice)
                    }
                }
            }
            written = count
        }
        return (pixels, grid)
    }

    /// Writes one frame into its temporal slot of every patch of a slice.
    private func fill(_ slice: UnsafeMutableBufferPointer<Float>, slot: Int, from frame: RGBImage, grid: GridTHW) {
        let area = patchSize * patchSize
        let rowBytes = frame.width * 3
        frame.pixels.withUnsafeBufferPointer { pixels in
            values.withUnsafeBufferPointer { values in
                var patch = 0
                for cellRow in 0..<grid.h / mergeSize {
                    for cellColumn in 0..<grid.w / mergeSize {
                        for inner in 0..<mergeSize * mergeSize {
                            let row = cellRow * mergeSize + inner / mergeSize
                            let column = cellColumn * mergeSize + inner % mergeSize
                            let corner = row * patchSize * rowBytes + column * patchSize * 3
                            let base = patch * 3 * temporalPatchSize * area + slot * area
                            for channel in 0..<3 {
                                let table = channel * 256
                                var to = base + channel * temporalPatchSize * area
                                for y in 0..<patchSize {
                                    var from = corner + y * rowBytes + channel
                                    for _ in 0..<patchSize {
                                        slice[to] = values[table + Int(pixels[from])]
                                        to += 1
                                        from += 3
                                    }
                                }
                            }
                            patch += 1
                        }
                    }
                }
            }
        }
    }

    private func repeatSlot(_ source: Int, into slot: Int, of slice: UnsafeMutableBufferPointer<Float>) {
        guard let base = slice.baseAddress else { return }
        let area = patchSize * patchSize
        for start in stride(from: 0, to: slice.count, by: temporalPatchSize * area) {
            (base + start + slot * area).update(from: base + start + source * area, count: area)
        }
    }
}
