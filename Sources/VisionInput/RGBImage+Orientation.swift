/// Whether the orientation in a picture's EXIF data is followed.
package enum OrientationHandling: Sendable, Hashable {
    /// As every viewer shows it.
    case applied
    /// As stored, as the reference does.
    case ignored
}

extension RGBImage {
    /// The picture turned and mirrored so that EXIF orientation `orientation` (1...8) stands upright.
    func upright(fromOrientation orientation: Int) -> RGBImage {
        guard (2...8).contains(orientation) else { return self }
        let swapsAxes = orientation >= 5
        let (outWidth, outHeight) = swapsAxes ? (height, width) : (width, height)
        // Where in the stored picture each upright row begins, and the way along it.
        let (w, h) = (width, height)
        let start: (Int) -> Int
        let step: Int
        switch orientation {
        case 2: (start, step) = ({ $0 * w + w - 1 }, -1)
        case 3: (start, step) = ({ (h - 1 - $0) * w + w - 1 }, -1)
        case 4: (start, step) = ({ (h - 1 - $0) * w }, 1)
        case 5: (start, step) = ({ $0 }, w)
        case 6: (start, step) = ({ (h - 1) * w + $0 }, -w)
        case 7: (start, step) = ({ (h - 1) * w + w - 1 - $0 }, -w)
        default: (start, step) = ({ w - 1 - $0 }, w)
        }
        let turned = [UInt8](unsafeUninitializedCapacity: pixels.count) { out, written in
            pixels.withUnsafeBufferPointer { stored in
                var target = 0
                for y in 0..<outHeight {
                    var from = start(y) * 3
                    for _ in 0..<outWidth {
                        out[target] = stored[from]
                        out[target + 1] = stored[from + 1]
                        out[target + 2] = stored[from + 2]
                        target += 3
                        from += step * 3
                    }
                }
            }
            written = pixels.count
        }
        return RGBImage(width: outWidth, height: outHeight, pixels: turned)
    }
}
