internal import Foundation

/// A buffer that a C function writes its error into.
struct ErrorText {
    private var buffer = [CChar](repeating: 0, count: 512)

    mutating func withBuffer<R>(_ body: (UnsafeMutablePointer<CChar>?, Int) -> R) -> R {
        buffer.withUnsafeMutableBufferPointer { body($0.baseAddress, $0.count) }
    }

    /// One line, without libvips's trailing newlines.
    var text: String {
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\n", with: "; ")
    }
}
