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

    /// Content that comes piece by piece.
    package struct Running: ~Copyable {
        private let state: OpaquePointer?

        package init() { state = cvips_hash_begin() }

        package mutating func append(_ piece: UnsafeRawBufferPointer) {
            cvips_hash_add(state, piece.baseAddress, piece.count)
        }

        package mutating func append(_ piece: [UInt8]) {
            piece.withUnsafeBytes { cvips_hash_add(state, $0.baseAddress, $0.count) }
        }

        package consuming func finish() -> ContentHash {
            ContentHash(
                digest: [UInt8](unsafeUninitializedCapacity: 32) { digest, written in
                    cvips_hash_end(state, digest.baseAddress)
                    written = 32
                })
        }
    }

    private init(digest: [UInt8]) { bytes = digest }

    /// 64 hexadecimal digits.
    package var description: String {
        let digits = [Character]("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
