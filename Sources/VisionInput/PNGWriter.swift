internal import CVips

/// Writes pictures for people to look at.
package enum PNGWriter {
    package static func write(_ image: RGBImage, to path: String) throws(VisionInputError) {
        var message = [CChar](repeating: 0, count: 512)
        let status = image.pixels.withUnsafeBufferPointer {
            cvips_write_png(
                $0.baseAddress, Int32(image.width), Int32(image.height), path, &message, message.count)
        }
        guard status == 0 else {
            let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw VisionInputError(source: path, .unreadable(reason: text))
        }
    }
}
