/// Scalars in UTF-8 that is known to be valid.
enum UTF8Scalar {
    /// The scalar whose first byte is at `p`, and its length in bytes.
    @inline(__always)
    static func decode(_ p: UnsafePointer<UInt8>) -> (scalar: UInt32, length: Int) {
        let lead = UInt32(p[0])
        if lead < 0x80 { return (lead, 1) }
        let second = UInt32(p[1] & 0x3F)
        if lead < 0xE0 { return ((lead & 0x1F) << 6 | second, 2) }
        let third = UInt32(p[2] & 0x3F)
        if lead < 0xF0 { return ((lead & 0x0F) << 12 | second << 6 | third, 3) }
        return ((lead & 0x07) << 18 | second << 12 | third << 6 | UInt32(p[3] & 0x3F), 4)
    }

    static func append(_ scalar: UInt32, to output: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (scalar >> shift) & 0x3F) }
        switch scalar {
        case ..<0x80:
            output.append(UInt8(scalar))
        case ..<0x800:
            output.append(UInt8(0xC0 | scalar >> 6))
            output.append(tail(0))
        case ..<0x10000:
            output.append(UInt8(0xE0 | scalar >> 12))
            output.append(tail(6))
            output.append(tail(0))
        default:
            output.append(UInt8(0xF0 | scalar >> 18))
            output.append(tail(12))
            output.append(tail(6))
            output.append(tail(0))
        }
    }
}
