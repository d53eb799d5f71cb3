import Foundation
import Testing
import VisionInput

@Suite struct HostileInputTests {
    private func reason(_ source: ImageSource, limits: DecodeLimits = DecodeLimits()) -> VisionInputError.Reason? {
        do {
            _ = try ImageProcessor(limits: limits).process(ImageRequest(source))
            return nil
        } catch {
            #expect(error.source == source.name)
            #expect("\(error)".hasPrefix(source.name))
            return error.reason
        }
    }

    /// A file of these bytes for the time of `body`.
    private func withFile(_ name: String, _ bytes: Data, _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent(name)
        try bytes.write(to: file)
        try body(file.path)
    }

    @Test func missingFile() {
        #expect(reason(.path("/nowhere/picture.jpg")) == .fileNotFound)
    }

    @Test func directory() {
        #expect(
            reason(.path(FileManager.default.temporaryDirectory.path))
                == .notARegularFile(found: "a directory"))
    }

    @Test func device() {
        #expect(
            reason(.path("/dev/zero"))
                == .notARegularFile(found: "a device or pipe"))
    }

    @Test func zeroBytes() throws {
        #expect(reason(.data(Data())) == .emptyFile)
        try withFile("empty.png", Data()) { #expect(reason(.path($0)) == .emptyFile) }
    }

    @Test func textNamedJPEG() throws {
        try withFile("notes.jpg", Data("These are not the pixels you are looking for.\n".utf8)) {
            #expect(reason(.path($0)) == .unsupportedKind(found: .other("text")))
        }
    }

    @Test(arguments: [
        ("<!DOCTYPE html><html>", "HTML"), ("PK\u{3}\u{4}", "ZIP archive"), ("8BPS", "Photoshop document"),
        ("RIFF\0\0\0\0WAVEfmt ", "WAVE audio"), ("\0\0\u{1}\0", "ICO"),
    ])
    func otherKindsAreNamed(head: String, name: String) {
        #expect(reason(.data(Data(head.utf8))) == .unsupportedKind(found: .other(name)))
    }

    @Test(arguments: [
        ("\0\0\0\u{18}ftypisom", "MP4 or QuickTime video"), ("RIFF\0\0\0\0AVI LIST", "AVI video"),
    ])
    func videosAreNoPictures(head: String, name: String) {
        #expect(reason(.data(Data(head.utf8))) == .unsupportedKind(found: .video(name)))
    }

    /// A format's first bytes and nothing sensible behind them.
    @Test(arguments: [
        ("GIF89a\u{1}", MediaKind.gif), ("%PDF-1.7\n", .pdf), ("<svg xmlns=", .svg), ("BM\0\0", .bmp),
        ("\0\0\0\u{18}ftypheic", .heic), ("\0\0\0\u{18}ftypavif", .avif), ("II*\0", .tiff), ("MM\0*", .tiff),
        ("\0\0\0\u{18}ftypmif1\0\0\0\0mif1avif", .avif), ("\0\0\0\u{18}ftypmif1\0\0\0\0mif1heic", .heic),
    ])
    func headsAlone(head: String, kind: MediaKind) {
        guard case .undecodable(kind, _)? = reason(.data(Data(head.utf8))) else {
            Issue.record("\(kind.name): \(String(describing: reason(.data(Data(head.utf8)))))")
            return
        }
    }

    @Test func documentsCanBeForbidden() {
        var limits = DecodeLimits()
        limits.allowsDocuments = false
        #expect(reason(.data(Data("%PDF-1.7\n".utf8)), limits: limits) == .forbiddenKind(found: .pdf))
        #expect(reason(.data(Data("<svg xmlns=".utf8)), limits: limits) == .forbiddenKind(found: .svg))
    }

    @Test func randomBytesAreUnknown() {
        #expect(reason(.data(Data([0x07, 0x00, 0x99, 0xFE, 0x01]))) == .unsupportedKind(found: .unknown))
    }

    @Test(arguments: [
        "chelsea-420.jpg", "coffee-progressive.jpg", "coffee-cmyk.jpg", "astronaut-rgb.png", "coffee-rgba.png",
        "astronaut-interlaced.png", "coffee-lossy.webp", "coffee-lossless.webp", "coffee-lossy-alpha.webp",
    ])
    func truncated(name: String) throws {
        let whole = try Fixture.data(name)
        let kind = MediaKind(sniffing: whole)
        for count in [16, 60, whole.count / 4, whole.count / 2, whole.count * 9 / 10] {
            guard case .undecodable(kind, let text)? = reason(.data(whole.prefix(count))) else {
                Issue.record(
                    "\(count) of \(whole.count) bytes: \(String(describing: reason(.data(whole.prefix(count)))))")
                continue
            }
            #expect(!text.isEmpty)
        }
    }

    @Test func jpegWithoutEndMarkerIsTruncated() throws {
        // As Pillow sees it.
        #expect(isUndecodable(reason(.data(try Fixture.data("chelsea-420.jpg").dropLast(2)))))
    }

    @Test func harmlessOdditiesAreAccepted() throws {
        let plain = try Fixture.data("chelsea-420.jpg")
        let scan = try #require(plain.firstRange(of: Data([0xFF, 0xDA])))
        var odd = plain
        odd.insert(contentsOf: [0x11, 0x22, 0x33], at: scan.lowerBound)
        #expect(try ImageDecoder().decode(.data(odd)) == ImageDecoder().decode(.data(plain)))
        #expect(try ImageDecoder().decode(.data(plain + Data(repeating: 7, count: 99))).width == 451)
    }

    @Test func headerPromisingMoreThanTheDataHolds() throws {
        var png = try Fixture.data("astronaut-rgb.png")
        png[22] = 0x40  // the height's third byte; its checksum no longer holds either
        #expect(isUndecodable(reason(.data(png))))
    }

    @Test func jpegHeaderPromisingMoreThanTheDataHolds() throws {
        var jpeg = try Fixture.data("chelsea-420.jpg")
        let frame = try #require(jpeg.firstRange(of: Data([0xFF, 0xC0])))
        jpeg[frame.lowerBound + 5] = 0x08  // the height's high byte: 2092 rows, 300 of them there
        #expect(isUndecodable(reason(.data(jpeg))))
    }

    @Test func corruptData() throws {
        var png = try Fixture.data("astronaut-rgb.png")
        png[9000] ^= 0x40
        #expect(isUndecodable(reason(.data(png))))
        var webp = try Fixture.data("coffee-lossless.webp")
        for i in 30..<webp.count { webp[i] = 0xFF }
        #expect(isUndecodable(reason(.data(webp))))
    }

    private func isUndecodable(_ reason: VisionInputError.Reason?) -> Bool {
        guard case .undecodable? = reason else { return false }
        return true
    }

    @Test(.timeLimit(.minutes(1))) func decompressionBombIsRefusedByItsHeader() throws {
        let bomb = try Fixture.data("bomb.png")
        #expect(
            reason(.data(bomb)) == .tooManyPixels(width: 60000, height: 60000, limit: DecodeLimits().maxPixels))
    }

    @Test func limitsAreLookedAtBeforeDecoding() throws {
        let data = try Fixture.data("chelsea-420.jpg")
        #expect(
            reason(.data(data), limits: DecodeLimits(maxPixels: 100_000))
                == .tooManyPixels(width: 451, height: 300, limit: 100_000))
        let limits = DecodeLimits(maxBytes: 1000)
        let expected = VisionInputError.Reason.tooManyBytes(found: data.count, limit: 1000)
        #expect(reason(.data(data), limits: limits) == expected)
        #expect(reason(.path(Fixture.path("chelsea-420.jpg")), limits: limits) == expected)
    }

    @Test func stripBeyondTheAspectRatio() throws {
        #expect(
            reason(.path(Fixture.path("strip-201.png"))) == .aspectRatio(width: 402, height: 2, limit: 200))
    }

    @Test func onePixelIsEnlarged() throws {
        let patches = try ImageProcessor().process(ImageRequest(.path(Fixture.path("one-pixel.png"))))
        #expect(patches.processedSize == PixelSize(width: 56, height: 56))
    }

    @Test func invalidRequestsNameTheField() {
        func field(_ change: (inout ImageRequest) -> Void) -> String? {
            var request = ImageRequest(.path(Fixture.path("one-pixel.png")))
            change(&request)
            do {
                _ = try ImageProcessor().process(request)
                return nil
            } catch {
                guard case .invalidValue(let field, _, _) = error.reason else { return nil }
                return field
            }
        }
        #expect(field { $0.minPixels = 0 } == "min_pixels")
        #expect(field { $0.maxPixels = -4 } == "max_pixels")
        #expect(field { ($0.minPixels, $0.maxPixels) = (5000, 4000) } == "min_pixels")
        #expect(field { $0.resizedHeight = 56 } == "resized_width")
        #expect(field { $0.resizedWidth = 56 } == "resized_height")
    }

    @Test func limitBelowOneCellIsRefused() throws {
        let request = ImageRequest(.path(Fixture.path("chelsea-strip.jpg")), maxPixels: 2000)
        #expect(throws: VisionInputError.self) { try ImageProcessor().process(request) }
    }
}
