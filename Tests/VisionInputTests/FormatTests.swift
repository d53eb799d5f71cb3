import Foundation
import Testing
import VisionInput

/// Pictures of every further format against Pillow's pixels (Tools/vision/make_format_fixtures.py).
@Suite struct FormatTests {
    struct Expected: Decodable, CustomTestStringConvertible {
        let name: String
        let width: Int
        let height: Int
        let sha256: String
        /// Where decoders differ by rounding: the mean and the largest difference.
        let close: [Double]?
        let pixels: String?
        var testDescription: String { name }

        static let all: [Expected] = {
            do {
                return try JSONDecoder().decode([Expected].self, from: Fixture.data("Formats/expected.json"))
            } catch {
                preconditionFailure("Formats/expected.json: \(error)")
            }
        }()
    }

    private static func decode(_ name: String, _ options: DecodeOptions = DecodeOptions()) throws -> RGBImage {
        try ImageDecoder().decode(.path(Fixture.path("Formats/\(name)")), options: options)
    }

    @Test(arguments: Expected.all)
    func pixelsArePillows(_ expected: Expected) throws {
        let image = try Self.decode(expected.name)
        #expect(image.size == PixelSize(width: expected.width, height: expected.height))
        guard let close = expected.close, let pixels = expected.pixels else {
            #expect(ContentHash(image.pixels).description == expected.sha256)
            return
        }
        let theirs = [UInt8](try #require(Data(base64Encoded: pixels)))
        let differences = zip(image.pixels, theirs).map { abs(Int($0) - Int($1)) }
        #expect(Double(differences.reduce(0, +)) <= close[0] * Double(theirs.count))
        #expect(Double(differences.max() ?? 0) <= close[1])
    }

    /// Without its profile a picture is what the reference reads.
    @Test func profilesCanBeIgnored() throws {
        let stored = try Self.decode("display-p3.png", DecodeOptions(appliesProfile: false))
        let plain = try Self.decode("rgb.bmp")
        #expect(stored == plain)
        #expect(try Self.decode("display-p3.png") != plain)
    }

    @Test(arguments: [
        ("pages.tiff", 3), ("moving.gif", 3), ("pages.pdf", 3), ("rgb.bmp", 1), ("picture.heic", 1),
        ("twelve-bit.jpg", 1),
    ])
    func pages(_ name: String, count: Int) throws {
        #expect(try ImageDecoder().pageCount(.path(Fixture.path("Formats/\(name)"))) == count)
    }

    @Test func pagesDiffer() throws {
        let tiff = try (0..<3).map { try Self.decode("pages.tiff", DecodeOptions(page: $0)) }
        #expect(Set(tiff.map { ContentHash($0.pixels) }).count == 3)
        #expect(tiff[0] == (try Self.decode("rgb.bmp")))
        // The second page is the first, turned by half.
        #expect(tiff[1].pixels.suffix(3) == tiff[0].pixels.prefix(3))
        #expect(throws: VisionInputError.self) { try Self.decode("pages.tiff", DecodeOptions(page: 3)) }
        #expect(throws: VisionInputError.self) { try Self.decode("pages.pdf", DecodeOptions(page: 3)) }
    }

    @Test(arguments: [(nil, 96, 64), (72.0, 48, 32), (288.0, 192, 128)])
    func documentsAreDrawnAtAResolution(_ dpi: Double?, width: Int, height: Int) throws {
        let page = try Self.decode("pages.pdf", DecodeOptions(dpi: dpi))
        #expect(page.size == PixelSize(width: width, height: height))
    }

    @Test func drawings() throws {
        let image = try Self.decode("drawing.svg")
        #expect(image.size == PixelSize(width: 48, height: 32))
        func pixel(_ x: Int, _ y: Int) -> [UInt8] { Array(image.pixels[(y * 48 + x) * 3..<(y * 48 + x) * 3 + 3]) }
        #expect(pixel(15, 15) == [255, 0, 0])
        // Transparent is white; the file that the drawing points to is not opened.
        #expect(pixel(2, 2) == [255, 255, 255])
        #expect(pixel(40, 16) == [255, 255, 255])
    }

    /// A page of metres at 2400 dots an inch is refused before it is drawn.
    @Test func hugePages() throws {
        var limits = DecodeLimits()
        limits.maxPixels = 1_000_000
        for (name, dpi) in [("pages.pdf", 2400.0), ("drawing.svg", 2400.0)] {
            let error = #expect(throws: VisionInputError.self) {
                try ImageDecoder(limits: limits).decode(
                    .path(Fixture.path("Formats/\(name)")), options: DecodeOptions(dpi: dpi))
            }
            guard case .tooManyPixels? = error?.reason else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test(arguments: ["rgb.bmp", "runs8.bmp", "runs4.bmp", "picture.gif", "lzw.tiff", "picture.heic", "picture.avif"])
    func truncated(_ name: String) throws {
        let whole = try Fixture.data("Formats/\(name)")
        for count in [3, 20, whole.count / 3, whole.count * 2 / 3] {
            #expect(throws: VisionInputError.self, "\(count) of \(whole.count)") {
                try ImageDecoder().decode(.data(whole.prefix(count)))
            }
        }
    }

    @Test(arguments: [
        (2, 24, UInt8(3), "a header"), (18, 4, 0xFF, "sides"), (28, 2, 77, "bits"), (30, 4, 9, "compression"),
    ])
    func damagedBitmaps(at: Int, count: Int, value: UInt8, what: String) throws {
        var data = try Fixture.data("Formats/rgb.bmp")
        for i in at..<at + count { data[i] = value }
        #expect(throws: VisionInputError.self, "\(what)") { try ImageDecoder().decode(.data(data)) }
    }

    /// Runs beyond the row and jumps beyond the picture are left out.
    @Test func runsBeyondTheBitmap() throws {
        var data = try Fixture.data("Formats/runs8.bmp")
        let offset = Int(data[10]) | Int(data[11]) << 8
        data.replaceSubrange(offset..., with: [255, 1, 255, 1, 0, 2, 255, 255, 255, 1, 0, 1])
        let image = try ImageDecoder().decode(.data(data))
        #expect(image.size == PixelSize(width: 48, height: 32))
    }
}

@Suite struct LocalFileTests {
    @Test func filesOutsideTheRootsAreRefused() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "\(UUID())")
        let inside = folder.appending(path: "inside")
        try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("a".utf8).write(to: inside.appending(path: "a"))
        try Data("secret".utf8).write(to: folder.appending(path: "secret"))
        try FileManager.default.createSymbolicLink(
            at: inside.appending(path: "link"), withDestinationURL: folder.appending(path: "secret"))
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "door"), withDestinationURL: inside)
        let roots = [inside.path]
        #expect(try LocalFile(path: inside.path + "/a", within: roots).read(limit: 10) == Data("a".utf8))
        // A root may itself be named by a link.
        #expect(try LocalFile(path: inside.path + "/a", within: [folder.path + "/door"]).size == 1)
        for name in ["/link", "/../secret", "/../inside/../secret"] {
            let error = #expect(throws: VisionInputError.self) {
                try LocalFile(path: inside.path + name, within: roots)
            }
            #expect(error?.reason == .outsideRoots, "\(name)")
        }
        #expect(throws: VisionInputError.self) { try LocalFile(path: inside.path + "/a", within: []) }
        #expect(throws: VisionInputError.self) { try LocalFile(path: "/dev/zero") }
    }

    @Test func pipesDoNotBlock() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID())").path
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let error = #expect(throws: VisionInputError.self) { try LocalFile(path: path) }
        #expect(error?.reason == .notARegularFile(found: "a device or pipe"))
    }
}
