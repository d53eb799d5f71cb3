import Foundation
import Testing
import VisionInput

@Suite struct DecodingTests {
    @Test(arguments: Expected.all.pictures.keys.sorted(), [OrientationHandling.applied, .ignored])
    func pixelsAreTheReferences(name: String, orientation: OrientationHandling) throws {
        let picture = try #require(Expected.all.pictures[name])
        let expected = orientation == .applied ? picture.upright : picture.stored
        let image = try ImageDecoder().decode(
            .path(Fixture.path(name)), options: DecodeOptions(orientation: orientation))
        check(image, against: expected)
    }

    @Test func bytesDecodeAsFilesDo() throws {
        let name = "chelsea-420.jpg"
        let fromData = try ImageDecoder().decode(.data(Fixture.data(name)))
        #expect(try fromData == ImageDecoder().decode(.path(Fixture.path(name))))
    }

    @Test func kindComesFromContentNotName() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).png").path
        try Fixture.data("chelsea-strip.jpg").write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try ImageDecoder().decode(.path(path)).size == PixelSize(width: 451, height: 17))
    }

    @Test func picturesDecodeConcurrently() async throws {
        let names = Expected.all.pictures.keys.sorted()
        let hashes = try await withThrowingTaskGroup(of: (String, String).self) { group in
            for name in names + names {
                group.addTask {
                    let image = try ImageDecoder().decode(
                        .path(Fixture.path(name)), options: DecodeOptions(orientation: .ignored))
                    return (name, ContentHash(image.pixels).description)
                }
            }
            return try await group.reduce(into: [(String, String)]()) { $0.append($1) }
        }
        #expect(hashes.count == 2 * names.count)
        for (name, hash) in hashes { #expect(hash == Expected.all.pictures[name]?.stored.sha256, "\(name)") }
    }
}

/// Compares a picture with what was recorded of the reference's, saying where they part.
func check(_ image: RGBImage, against expected: Expected.Image, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(image.width == expected.width && image.height == expected.height, sourceLocation: sourceLocation)
    let head = image.pixels.prefix(24).map { String(format: "%02x", $0) }.joined()
    #expect(head == expected.head, "first pixels", sourceLocation: sourceLocation)
    #expect(ContentHash(image.pixels).description == expected.sha256, sourceLocation: sourceLocation)
}
