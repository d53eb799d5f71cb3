internal import Foundation

/// JPEG of 12 bits a sample (sequential, Huffman: ITU-T T.81, annexes B and F), of which the high 8 are kept.
///
/// The libjpeg that libvips links reads 8 bits alone on most systems. These are pictures of scanners and medicine: rare,
/// so this is plain code. Pillow does not read them; what is compared is the picture that was encoded.
enum DeepJPEGDecoder {
    /// Whether a JPEG has 12 bits a sample, told from its frame header.
    static func accepts(_ data: Data) -> Bool {
        var reader = JPEGReader(bytes: [UInt8](data.prefix(1 << 20)))
        return reader.framePrecision() == 12
    }

    static func decode(_ data: Data, limits: DecodeLimits) throws(VisionInputError.Reason) -> RGBImage {
        var picture = DeepJPEG(reader: JPEGReader(bytes: [UInt8](data)), limits: limits)
        return try picture.decode()
    }
}

extension VisionInputError.Reason {
    fileprivate static func jpeg(_ reason: String) -> Self { .undecodable(kind: .jpeg, reason: reason) }
}

/// Markers, and bits between them.
private struct JPEGReader {
    let bytes: [UInt8]
    var position = 2
    private var bits: UInt32 = 0
    private var bitCount = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func byte() throws(VisionInputError.Reason) -> Int {
        guard position < bytes.count else { throw .jpeg("the data ends before the picture does") }
        position += 1
        return Int(bytes[position - 1])
    }

    mutating func short() throws(VisionInputError.Reason) -> Int { try byte() << 8 | byte() }

    /// The next marker's code, fill bytes skipped.
    mutating func marker() throws(VisionInputError.Reason) -> Int {
        guard try byte() == 0xFF else { throw .jpeg("a marker is missing") }
        var code = try byte()
        while code == 0xFF { code = try byte() }
        return code
    }

    mutating func framePrecision() -> Int? {
        do {
            while true {
                let code = try marker()
                if (0xC0...0xCF).contains(code), ![0xC4, 0xC8, 0xCC].contains(code) {
                    _ = try short()
                    return try byte()
                }
                if code == 0xDA || code == 0xD9 { return nil }
                position += max(2, try short()) - 2
            }
        } catch {
            return nil
        }
    }

    // MARK: Entropy-coded data

    mutating func bit() throws(VisionInputError.Reason) -> Int {
        if bitCount == 0 {
            let next = try byte()
            if next == 0xFF {
                guard try byte() == 0 else { throw .jpeg("the data ends before the picture does") }
            }
            bits = UInt32(next)
            bitCount = 8
        }
        bitCount -= 1
        return Int(bits >> UInt32(bitCount)) & 1
    }

    /// A number of so many bits; those that begin with 0 are negative (F.2.2.1, EXTEND).
    mutating func signed(_ count: Int) throws(VisionInputError.Reason) -> Int {
        if count == 0 { return 0 }
        var value = 0
        for _ in 0..<count { value = value << 1 | (try bit()) }
        return value < 1 << (count - 1) ? value - (1 << count) + 1 : value
    }

    mutating func restart() throws(VisionInputError.Reason) {
        bitCount = 0
        guard (0xD0...0xD7).contains(try marker()) else { throw .jpeg("a restart marker is missing") }
    }
}

/// Codes by their length (F.2.2.3, DECODE).
private struct HuffmanTable {
    private var largest = [Int](repeating: -1, count: 17)
    private var first = [Int](repeating: 0, count: 17)
    private var offset = [Int](repeating: 0, count: 17)
    private let values: [Int]

    init(counts: [Int], values: [Int]) {
        self.values = values
        var (code, place) = (0, 0)
        for length in 1...16 {
            (first[length], offset[length]) = (code, place)
            code += counts[length - 1]
            place += counts[length - 1]
            if counts[length - 1] > 0 { largest[length] = code - 1 }
            code <<= 1
        }
    }

    func next(_ reader: inout JPEGReader) throws(VisionInputError.Reason) -> Int {
        var code = 0
        for length in 1...16 {
            code = code << 1 | (try reader.bit())
            if code <= largest[length], code >= first[length] { return values[offset[length] + code - first[length]] }
        }
        throw .jpeg("an unknown code")
    }
}

private struct DeepJPEG {
    struct Component {
        let id: Int
        let across: Int
        let down: Int
        let table: Int
        var dc = 0
        var ac = 0
        var last = 0
        var width = 0
        var samples: [Int16] = []
    }

    var reader: JPEGReader
    let limits: DecodeLimits
    var quantisation = [[Int]](repeating: [], count: 4)
    var dcTables = [HuffmanTable?](repeating: nil, count: 4)
    var acTables = [HuffmanTable?](repeating: nil, count: 4)
    var components: [Component] = []
    var size = PixelSize(width: 0, height: 0)
    var restartInterval = 0
    var isRGB = false

    init(reader: JPEGReader, limits: DecodeLimits) {
        self.reader = reader
        self.limits = limits
    }

    mutating func decode() throws(VisionInputError.Reason) -> RGBImage {
        while true {
            let code = try reader.marker()
            if code == 0xD9 { throw .jpeg("no picture before its end") }
            let start = reader.position
            let end = start + (try reader.short())
            switch code {
            case 0xDB: while reader.position < end { try readQuantisation() }
            case 0xC4: while reader.position < end { try readHuffman() }
            case 0xC0, 0xC1: try readFrame()
            case 0xC2, 0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
                throw .jpeg("12 bits a sample in a way that is not sequential Huffman coding")
            case 0xDD: restartInterval = try reader.short()
            case 0xEE: try readAdobe(end: end)
            case 0xDA:
                try readScanHeader()
                reader.position = end
                try readScan()
                return image()
            default: break
            }
            guard end >= reader.position || code == 0xEE, end > start else { throw .jpeg("a segment's length") }
            reader.position = end
        }
    }

    // MARK: Segments

    private mutating func readQuantisation() throws(VisionInputError.Reason) {
        let kind = try reader.byte()
        guard kind & 15 < 4 else { throw .jpeg("a quantisation table's number") }
        var table: [Int] = []
        for _ in 0..<64 { table.append(kind >> 4 == 0 ? try reader.byte() : try reader.short()) }
        quantisation[kind & 15] = table
    }

    private mutating func readHuffman() throws(VisionInputError.Reason) {
        let kind = try reader.byte()
        guard kind & 15 < 4 else { throw .jpeg("a code table's number") }
        var counts: [Int] = []
        for _ in 0..<16 { counts.append(try reader.byte()) }
        let total = counts.reduce(0, +)
        guard total <= 256 else { throw .jpeg("a code table's size") }
        var values: [Int] = []
        for _ in 0..<total { values.append(try reader.byte()) }
        let table = HuffmanTable(counts: counts, values: values)
        if kind >> 4 == 0 { dcTables[kind & 15] = table } else { acTables[kind & 15] = table }
    }

    private mutating func readFrame() throws(VisionInputError.Reason) {
        guard components.isEmpty else { throw .jpeg("a second frame") }
        _ = try reader.byte()
        let (height, width) = (try reader.short(), try reader.short())
        guard width > 0, height > 0 else { throw .tooSmall(width: width, height: height, factor: 1) }
        guard width * height <= limits.maxPixels else {
            throw .tooManyPixels(width: width, height: height, limit: limits.maxPixels)
        }
        size = PixelSize(width: width, height: height)
        let count = try reader.byte()
        guard count == 1 || count == 3 else { throw .jpeg("\(count) components of 12 bits") }
        for _ in 0..<count {
            let (id, sampling, table) = (try reader.byte(), try reader.byte(), try reader.byte())
            let (across, down) = (sampling >> 4, sampling & 15)
            guard (1...4).contains(across), (1...4).contains(down), table < 4 else { throw .jpeg("a component") }
            components.append(Component(id: id, across: across, down: down, table: table))
        }
        let most = (across: components.map(\.across).max() ?? 1, down: components.map(\.down).max() ?? 1)
        guard components.allSatisfy({ most.across % $0.across == 0 && most.down % $0.down == 0 }) else {
            throw .jpeg("components of which one is not a whole part of another")
        }
    }

    private mutating func readAdobe(end: Int) throws(VisionInputError.Reason) {
        guard end - reader.position >= 12 else { return }
        var name: [UInt8] = []
        for _ in 0..<5 { name.append(UInt8(try reader.byte())) }
        guard name == [UInt8]("Adobe".utf8) else { return }
        reader.position += 6
        isRGB = try reader.byte() == 0
    }

    private mutating func readScanHeader() throws(VisionInputError.Reason) {
        let count = try reader.byte()
        guard count == components.count, count > 0 else { throw .jpeg("a scan of some of its components") }
        for _ in 0..<count {
            let (id, tables) = (try reader.byte(), try reader.byte())
            guard let index = components.firstIndex(where: { $0.id == id }), tables >> 4 < 4, tables & 15 < 4 else {
                throw .jpeg("a scan of unknown components")
            }
            (components[index].dc, components[index].ac) = (tables >> 4, tables & 15)
        }
    }

    // MARK: Samples

    private mutating func readScan() throws(VisionInputError.Reason) {
        let isAlone = components.count == 1
        if isAlone {
            // A component alone is coded block by block, whatever its sampling says.
            components[0] = Component(
                id: components[0].id, across: 1, down: 1, table: components[0].table, dc: components[0].dc,
                ac: components[0].ac)
        }
        let across = components.map(\.across).max() ?? 1
        let down = components.map(\.down).max() ?? 1
        let columns = (size.width + 8 * across - 1) / (8 * across)
        let rows = (size.height + 8 * down - 1) / (8 * down)
        for i in components.indices {
            components[i].width = columns * components[i].across * 8
            components[i].samples = [Int16](
                repeating: 0, count: components[i].width * rows * components[i].down * 8)
        }
        var untilRestart = restartInterval
        for row in 0..<rows {
            for column in 0..<columns {
                if restartInterval > 0 {
                    if untilRestart == 0 {
                        try reader.restart()
                        for i in components.indices { components[i].last = 0 }
                        untilRestart = restartInterval
                    }
                    untilRestart -= 1
                }
                for i in components.indices {
                    for y in 0..<components[i].down {
                        for x in 0..<components[i].across {
                            try readBlock(
                                of: i, x: column * components[i].across + x, y: row * components[i].down + y)
                        }
                    }
                }
            }
        }
    }

    private mutating func readBlock(of index: Int, x: Int, y: Int) throws(VisionInputError.Reason) {
        let component = components[index]
        guard let dc = dcTables[component.dc], let ac = acTables[component.ac],
            quantisation[component.table].count == 64
        else { throw .jpeg("a table is missing") }
        let scale = quantisation[component.table]
        var block = [Float](repeating: 0, count: 64)
        let size = try dc.next(&reader)
        guard size <= 16 else { throw .jpeg("a difference of \(size) bits") }
        components[index].last = max(-(1 << 20), min(1 << 20, components[index].last + (try reader.signed(size))))
        block[0] = Float(components[index].last * scale[0])
        var place = 1
        while place < 64 {
            let symbol = try ac.next(&reader)
            let (run, size) = (symbol >> 4, symbol & 15)
            if size == 0 {
                if run < 15 { break }
                place += 16
                continue
            }
            place += run
            guard place < 64 else { throw .jpeg("a block of more than 64 numbers") }
            block[Self.zigzag[place]] = Float(try reader.signed(size) * scale[place])
            place += 1
        }
        store(Self.inverse(block), into: index, x: x, y: y)
    }

    private mutating func store(_ block: [Float], into index: Int, x: Int, y: Int) {
        let width = components[index].width
        for row in 0..<8 {
            let start = (y * 8 + row) * width + x * 8
            for column in 0..<8 {
                let value = (block[row * 8 + column] + 2048).rounded()
                components[index].samples[start + column] = Int16(max(0, min(4095, value)))
            }
        }
    }

    /// The inverse cosine transform (A.3.3), one axis after the other.
    private static func inverse(_ block: [Float]) -> [Float] {
        var rows = [Float](repeating: 0, count: 64)
        for v in 0..<8 {
            for x in 0..<8 {
                var sum: Float = 0
                for u in 0..<8 { sum += cosines[x * 8 + u] * block[v * 8 + u] }
                rows[v * 8 + x] = sum
            }
        }
        var result = [Float](repeating: 0, count: 64)
        for y in 0..<8 {
            for x in 0..<8 {
                var sum: Float = 0
                for v in 0..<8 { sum += cosines[y * 8 + v] * rows[v * 8 + x] }
                result[y * 8 + x] = sum
            }
        }
        return result
    }

    /// [sample, frequency]
    private static let cosines: [Float] = (0..<64).map { i in
        let (x, u) = (Double(i / 8), Double(i % 8))
        return Float((u == 0 ? 0.5.squareRoot() : 1) / 2 * cos((2 * x + 1) * u * .pi / 16))
    }

    private static let zigzag: [Int] = [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14,
        21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60,
        61, 54, 47, 55, 62, 63,
    ]

    // MARK: Colours

    private func image() -> RGBImage {
        let across = components.map(\.across).max() ?? 1
        let down = components.map(\.down).max() ?? 1
        let planes = components.map { component in
            SubsampledPlane(
                samples: component.samples, stride: component.width,
                width: (size.width * component.across + across - 1) / across,
                height: (size.height * component.down + down - 1) / down
            ).enlarged(across: across / component.across, down: down / component.down, to: size)
        }
        var pixels = [UInt8](repeating: 0, count: size.width * size.height * 3)
        var to = 0
        for place in 0..<size.width * size.height {
            func sample(_ i: Int) -> Float { Float(planes[i][place]) }
            var colour: (Float, Float, Float)
            if components.count == 1 {
                colour = (sample(0), sample(0), sample(0))
            } else if isRGB {
                colour = (sample(0), sample(1), sample(2))
            } else {
                let (light, blue, red) = (sample(0), sample(1) - 2048, sample(2) - 2048)
                // ITU-T T.871, for 12 bits.
                colour = (light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue)
            }
            for (channel, value) in [colour.0, colour.1, colour.2].enumerated() {
                pixels[to + channel] = UInt8(Int(max(0, min(4095, value.rounded()))) >> 4)
            }
            to += 3
        }
        return RGBImage(width: size.width, height: size.height, pixels: pixels)
    }
}
