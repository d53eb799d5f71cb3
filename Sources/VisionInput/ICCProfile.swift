internal import Foundation

/// What an ICC profile says about the colours of RGB samples, as far as it matters here: whether reading them as sRGB
/// would show wrong ones.
struct ICCProfile {
    private let bytes: UnsafeRawBufferPointer

    init?(_ bytes: UnsafeRawBufferPointer) {
        // The header is 128 bytes, the count of tags four; "acsp" is every profile's signature (ICC.1, section 7.2).
        guard bytes.count >= 132, Self.tag(bytes, at: 36) == "acsp" else { return nil }
        self.bytes = bytes
    }

    /// Whether samples are RGB in another gamut than sRGB's.
    ///
    /// A profile of curves and a matrix is taken for sRGB where its primaries are; one of tables never is.
    var isForeignRGB: Bool {
        guard Self.tag(bytes, at: 16) == "RGB " else { return false }
        let primaries = ["rXYZ", "gXYZ", "bXYZ"].compactMap(xyz)
        guard primaries.count == 3 else { return true }
        return zip(primaries, Self.sRGBPrimaries).contains { ours, theirs in
            zip(ours, theirs).contains { abs($0 - $1) > Self.tolerance }
        }
    }

    /// sRGB's primaries, adapted to the white D50 of profiles (IEC 61966-2-1 through Bradford's matrix).
    private static let sRGBPrimaries = [
        [0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141],
    ]
    /// Profiles called sRGB differ from each other by up to 0.006 (rounded primaries, other adaptation); Display P3,
    /// the nearest of the wide ones, by 0.07.
    private static let tolerance = 0.02

    /// A tag's three numbers.
    private func xyz(_ name: String) -> [Double]? {
        let count = min(Int(word(128)), 100)
        for index in 0..<count {
            let entry = 132 + 12 * index
            guard entry + 12 <= bytes.count else { return nil }
            guard Self.tag(bytes, at: entry) == name else { continue }
            let offset = Int(word(entry + 4))
            guard offset + 20 <= bytes.count, Self.tag(bytes, at: offset) == "XYZ " else { return nil }
            return (0..<3).map { Double(Int32(bitPattern: word(offset + 8 + 4 * $0))) / 65536 }
        }
        return nil
    }

    /// Big-endian; `offset + 4` lies within the bytes.
    private func word(_ offset: Int) -> UInt32 {
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    private static func tag(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> String {
        String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
    }
}
