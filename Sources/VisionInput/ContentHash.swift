internal import CVips

/// SHA-256: names content, the same on every machine. Caches shared between users can be keyed by it, as nobody can
/// make two contents with one hash.
package struct ContentHash: Sendable, Hashable, CustomStringConvertible {
    /// 32 bytes.
    package let bytes: [UInt8]

    package init(_ content: UnsafeRawBufferPointer) {
        bytes = [UInt8](unsafeUninitializedCapacity: 32) { digest, written in
            cvips_sha256(content.baseAddress, content.count, digest.baseAddress)
            written = 32
        }
    }

    package init(_ content: [UInt8]) {
        self = content.withUnsafeBytes { ContentHash($0) }
    }

    /// 64 hexadecimal digits.
    package var description: String {
        let digits = [Character]("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
