internal import CVips

/// Writes pictures for people to look at.
package enum PNGWriter {
    package static func write(_ image: RGBImage, to path: String) throws(VisionInputError) {
        var message = ErrorText()
        let status = image.pixels.withUnsafeBufferPointer { pixels in
            message.withBuffer {
                cvips_write_png(pixels.baseAddress, Int32(image.width), Int32(image.height), path, $0, $1)
            }
        }
        guard status == 0 else { throw VisionInputError(source: path, .unreadable(reason: message.text)) }
    }
}
