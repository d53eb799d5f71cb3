internal import Foundation

/// Windows bitmaps: 1, 4, 8, 16, 24 and 32 bits a pixel, palettes, bit fields and run lengths.
///
/// libvips reads them through ImageMagick alone, which is not meant for strangers' files. As in Pillow, the fourth byte
/// of 32-bit pixels is opacity only where the header has a mask for it.
enum BMPDecoder {
    static func decode(_ data: Data, limits: DecodeLimits) throws(VisionInputError.Reason) -> RGBImage {
        let bytes = [UInt8](data)
        let header = try BMPHeader(BMPBytes(bytes), limits: limits)
        return try BMPReader(bytes: BMPBytes(bytes), header: header).image()
    }
}

/// Little-endian numbers in a file; reading past its end is an error.
struct BMPBytes {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func byte(_ at: Int) throws(VisionInputError.Reason) -> Int {
        guard bytes.indices.contains(at) else { throw .bmp("the data ends before the picture does") }
        return Int(bytes[at])
    }
    func short(_ at: Int) throws(VisionInputError.Reason) -> Int { try byte(at) | byte(at + 1) << 8 }
    func word(_ at: Int) throws(VisionInputError.Reason) -> Int { try short(at) | short(at + 2) << 16 }
    func signed(_ at: Int) throws(VisionInputError.Reason) -> Int {
        Int(Int32(truncatingIfNeeded: try word(at)))
    }
}

struct BMPHeader {
    enum Compression: Int { case none = 0, runs8 = 1, runs4 = 2, fields = 3, fieldsWithAlpha = 6 }

    let size: PixelSize
    let topDown: Bool
    let bits: Int
    let compression: Compression
    let pixelOffset: Int
    /// Red, green, blue, opacity; 0 where there is none.
    let masks: [Int]
    let palette: [(UInt8, UInt8, UInt8)]

    init(_ file: BMPBytes, limits: DecodeLimits) throws(VisionInputError.Reason) {
        pixelOffset = try file.word(10)
        let length = try file.word(14)
        let isCore = length == 12
        guard isCore || (length >= 40 && length <= 1024) else { throw .bmp("a header of \(length) bytes") }
        let width = isCore ? try file.short(18) : try file.signed(18)
        let height = isCore ? try file.short(20) : try file.signed(22)
        bits = try file.short(isCore ? 24 : 28)
        let method = isCore ? 0 : try file.word(30)
        guard let compression = Compression(rawValue: method) else { throw .bmp("compression \(method)") }
        self.compression = compression
        topDown = height < 0
        size = PixelSize(width: width, height: abs(height))
        guard width > 0, height != 0 else { throw .tooSmall(width: width, height: abs(height), factor: 1) }
        guard size.width * size.height <= limits.maxPixels else {
            throw .tooManyPixels(width: size.width, height: size.height, limit: limits.maxPixels)
        }
        switch (bits, compression) {
        case (1, .none), (4, .none), (8, .none), (16, .none), (24, .none), (32, .none), (8, .runs8), (4, .runs4),
            (16, .fields), (32, .fields), (16, .fieldsWithAlpha), (32, .fieldsWithAlpha):
            break
        default: throw .bmp("\(bits) bits a pixel with compression \(method)")
        }
        masks = try Self.masks(file, bits: bits, compression: compression, headerLength: length)
        palette = try Self.palette(file, bits: bits, headerLength: length, compression: compression)
    }

    private static func masks(
        _ file: BMPBytes, bits: Int, compression: Compression, headerLength: Int
    ) throws(VisionInputError.Reason) -> [Int] {
        guard compression == .fields || compression == .fieldsWithAlpha else {
            return bits == 16 ? [0x7C00, 0x3E0, 0x1F, 0] : [0xFF0000, 0xFF00, 0xFF, 0]
        }
        var masks: [Int] = []
        for index in 0..<3 { masks.append(try file.word(54 + 4 * index)) }
        let hasAlpha = headerLength >= 56 || compression == .fieldsWithAlpha
        masks.append(hasAlpha ? try file.word(66) : 0)
        guard masks[..<3].allSatisfy({ $0 != 0 }) else { throw .bmp("an empty bit field") }
        return masks
    }

    private static func palette(
        _ file: BMPBytes, bits: Int, headerLength: Int, compression: Compression
    ) throws(VisionInputError.Reason) -> [(UInt8, UInt8, UInt8)] {
        guard bits <= 8 else { return [] }
        let isCore = headerLength == 12
        let named = isCore ? 0 : try file.word(46)
        let count = named == 0 ? 1 << bits : min(named, 1 << bits)
        let start = 14 + headerLength + (headerLength == 40 && compression == .fields ? 12 : 0)
        let step = isCore ? 3 : 4
        var colours: [(UInt8, UInt8, UInt8)] = []
        for index in 0..<count {
            let at = start + step * index
            colours.append((UInt8(try file.byte(at + 2)), UInt8(try file.byte(at + 1)), UInt8(try file.byte(at))))
        }
        // Indices beyond the palette are black.
        colours += Array(repeating: (0, 0, 0), count: (1 << bits) - count)
        return colours
    }
}

struct BMPReader {
    let bytes: BMPBytes
    let header: BMPHeader

    func image() throws(VisionInputError.Reason) -> RGBImage {
        let size = header.size
        var pixels = [UInt8](repeating: 0, count: size.width * size.height * 3)
        switch header.compression {
        case .runs8, .runs4: try readRuns(into: &pixels)
        case .none, .fields, .fieldsWithAlpha: try readRows(into: &pixels)
        }
        return RGBImage(width: size.width, height: size.height, pixels: pixels)
    }

    private func row(_ y: Int) -> Int { (header.topDown ? y : header.size.height - 1 - y) * header.size.width * 3 }

    private func readRows(into pixels: inout [UInt8]) throws(VisionInputError.Reason) {
        let (width, bits) = (header.size.width, header.bits)
        let stride = (width * bits + 31) / 32 * 4
        let end = header.pixelOffset + stride * (header.size.height - 1) + (width * bits + 7) / 8
        guard end <= bytes.bytes.count else { throw .bmp("the data ends before the picture does") }
        let fields = header.masks.map(Field.init)
        for y in 0..<header.size.height {
            let from = header.pixelOffset + y * stride
            var to = row(y)
            for x in 0..<width {
                let colour: (UInt8, UInt8, UInt8)
                switch bits {
                case 1: colour = header.palette[Int(bytes.bytes[from + x / 8]) >> (7 - x % 8) & 1]
                case 4: colour = header.palette[Int(bytes.bytes[from + x / 2]) >> (x % 2 == 0 ? 4 : 0) & 15]
                case 8: colour = header.palette[Int(bytes.bytes[from + x])]
                case 24:
                    let at = from + 3 * x
                    colour = (bytes.bytes[at + 2], bytes.bytes[at + 1], bytes.bytes[at])
                case 16: colour = Self.colour(try bytes.short(from + 2 * x), fields)
                default: colour = Self.colour(try bytes.word(from + 4 * x), fields)
                }
                (pixels[to], pixels[to + 1], pixels[to + 2]) = colour
                to += 3
            }
        }
    }

    /// A run of bits, brought to eight.
    private struct Field {
        let mask: Int
        let shift: Int
        let largest: Int

        init(_ mask: Int) {
            self.mask = mask
            shift = mask == 0 ? 0 : mask.trailingZeroBitCount
            largest = mask >> shift
        }

        func value(_ pixel: Int) -> Int { largest == 0 ? 255 : (pixel & mask) >> shift * 255 / largest }
    }

    private static func colour(_ pixel: Int, _ fields: [Field]) -> (UInt8, UInt8, UInt8) {
        let alpha = fields[3].value(pixel)
        func onWhite(_ value: Int) -> UInt8 { UInt8((255 * (255 - alpha) + value * alpha + 127) / 255) }
        return (onWhite(fields[0].value(pixel)), onWhite(fields[1].value(pixel)), onWhite(fields[2].value(pixel)))
    }

    /// Pairs of a count and an index; a count of 0 begins an escape: end of row, end of picture, a jump, or indices
    /// one by one, padded to an even count of bytes.
    private func readRuns(into pixels: inout [UInt8]) throws(VisionInputError.Reason) {
        let size = header.size
        var (at, x, y) = (header.pixelOffset, 0, 0)
        func put(_ index: Int) {
            guard x < size.width, y < size.height else { return }
            let to = row(y) + 3 * x
            (pixels[to], pixels[to + 1], pixels[to + 2]) = header.palette[index]
            x += 1
        }
        let isNibbles = header.compression == .runs4
        while y < size.height {
            let (count, value) = (try bytes.byte(at), try bytes.byte(at + 1))
            at += 2
            if count > 0 {
                for i in 0..<count { put(isNibbles ? (i % 2 == 0 ? value >> 4 : value & 15) : value) }
            } else if value == 0 {
                (x, y) = (0, y + 1)
            } else if value == 1 {
                return
            } else if value == 2 {
                (x, y) = (x + (try bytes.byte(at)), y + (try bytes.byte(at + 1)))
                at += 2
            } else {
                for i in 0..<value {
                    let index = try bytes.byte(at + (isNibbles ? i / 2 : i))
                    put(isNibbles ? (i % 2 == 0 ? index >> 4 : index & 15) : index)
                }
                let length = isNibbles ? (value + 1) / 2 : value
                at += length + length % 2
            }
        }
    }
}

extension VisionInputError.Reason {
    fileprivate static func bmp(_ reason: String) -> Self { .undecodable(kind: .bmp, reason: reason) }
}
