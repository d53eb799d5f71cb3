/// The printable alphabet in which byte-level vocabularies spell bytes (GPT-2's `bytes_to_unicode`): printable
/// Latin-1 stands for itself, the other 68 bytes are U+0100 to U+0143 in order.
enum ByteAlphabet {
    static let scalarCount = 0x144

    /// Byte → scalar.
    static let scalars: [UInt16] = {
        var next: UInt16 = 0x100
        return (0..<256).map { (byte: Int) -> UInt16 in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return UInt16(byte)
            default:
                defer { next += 1 }
                return next
            }
        }
    }()

    /// Scalar → byte, -1 where a scalar is not in the alphabet.
    static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: scalarCount)
        for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
        return table
    }()

    /// Appends the bytes that `text` (UTF-8, spelt in the alphabet) stands for. Nothing is appended, and the result
    /// is false, if a character is not in the alphabet.
    static func decode(_ text: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) -> Bool {
        let mark = output.count
        var i = 0
        return bytes.withUnsafeBufferPointer { table in
            while i < text.count {
                var scalar = Int(text[i])
                i += 1
                if scalar >= 0x80 {
                    // Two bytes at most: the alphabet ends below U+0800.
                    guard scalar & 0xE0 == 0xC0, i < text.count, text[i] & 0xC0 == 0x80 else { break }
                    scalar = (scalar & 0x1F) << 6 | Int(text[i] & 0x3F)
                    guard scalar >= 0x80 else { break }
                    i += 1
                }
                guard scalar < scalarCount, table[scalar] >= 0 else { break }
                output.append(UInt8(table[scalar]))
                if i == text.count { return true }
            }
            if text.isEmpty { return true }
            output.removeSubrange(mark...)
            return false
        }
    }

    /// The spelling of `bytes` in the alphabet.
    static func spell(_ bytes: some Sequence<UInt8>) -> String {
        var result = String.UnicodeScalarView()
        for byte in bytes {
            // Every entry is below U+0144, so always a scalar.
            if let scalar = Unicode.Scalar(scalars[Int(byte)]) { result.append(scalar) }
        }
        return String(result)
    }
}
