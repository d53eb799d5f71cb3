/// Looks at a JPEG file's marker segments.
enum JPEGMarkers {
    /// Whether there is an Adobe APP14 segment before the first scan.
    static func hasAdobe(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let adobe: [UInt8] = [0x41, 0x64, 0x6F, 0x62, 0x65]
        var at = 2
        while at + 4 <= bytes.count, bytes[at] == 0xFF {
            let marker = bytes[at + 1]
            if marker == 0xFF {  // fill byte
                at += 1
                continue
            }
            if marker == 0xDA || marker == 0xD9 { return false }
            let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
            if marker == 0xEE, length >= 7, at + 9 <= bytes.count, bytes[at + 4..<at + 9].elementsEqual(adobe) {
                return true
            }
            at += 2 + length
        }
        return false
    }
}
