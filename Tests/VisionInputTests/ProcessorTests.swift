import Foundation
import Testing
import VisionInput

@Suite struct ProcessorTests {
    @Test(arguments: Expected.all.requests)
    func patchesAreTheReferences(expected: Expected.Request) throws {
        let config = try ImageProcessorConfig(json: Data(expected.config.utf8))
        let limits = expected.request
        let request = ImageRequest(
            .path(Fixture.path(expected.picture)), minPixels: limits.min_pixels, maxPixels: limits.max_pixels,
            resizedHeight: limits.resized_height, resizedWidth: limits.resized_width,
            decoding: DecodeOptions(orientation: .ignored))
        let processor = ImageProcessor(config)
        let patches = try processor.process(request)

        #expect([patches.grid.t, patches.grid.h, patches.grid.w] == expected.grid)
        #expect(patches.pixels.count == patches.grid.patchCount * config.valuesPerPatch)
        #expect(patches.processedSize.width == patches.grid.w * config.patchSize)
        #expect(patches.processedSize.height == patches.grid.h * config.patchSize)
        #expect(try processor.processedSize(of: patches.originalSize, request: request) == patches.processedSize)
        #expect(Array(patches.pixels.prefix(4)) == expected.head)
        #expect(patches.pixels.last == expected.last)
        let hash = patches.pixels.withUnsafeBytes { ContentHash($0) }
        #expect(hash.description == expected.patches_sha256)
    }

    @Test func framesPairUpAndTheLastIsRepeated() throws {
        let base = try PILResample.resize(
            ImageDecoder().decode(.path(Fixture.path("coffee-422.jpg"))), to: PixelSize(width: 140, height: 84))
        let frames = [base, base.reordered { x, y in (139 - x, y) }, base.reordered { x, y in (x, 83 - y) }]
        let patches = try ImageProcessor().patches(frames: frames, originalSize: base.size)
        #expect([patches.grid.t, patches.grid.h, patches.grid.w] == Expected.all.frames.grid)
        let hash = patches.pixels.withUnsafeBytes { ContentHash($0) }
        #expect(hash.description == Expected.all.frames.patches_sha256)
    }

    @Test func framesOfDifferentSizesAreRefused() {
        let small = ResizingTests.noise(width: 28, height: 28, seed: 2)
        let large = ResizingTests.noise(width: 56, height: 28, seed: 2)
        #expect(throws: VisionInputError.Reason.self) {
            try ImageProcessor().patches(frames: [small, large], originalSize: small.size)
        }
        #expect(throws: VisionInputError.Reason.self) {
            try ImageProcessor().patches(frames: [], originalSize: small.size)
        }
    }

    @Test func orientationIsAppliedUnlessTurnedOff() throws {
        let source = ImageSource.path(Fixture.path("coffee-exif-6.jpg"))
        let upright = try ImageProcessor().process(ImageRequest(source))
        let stored = try ImageProcessor().process(ImageRequest(source, decoding: DecodeOptions(orientation: .ignored)))
        #expect(upright.originalSize == PixelSize(width: 45, height: 67))
        #expect(stored.originalSize == PixelSize(width: 67, height: 45))
        #expect(upright.grid.h == stored.grid.w && upright.grid.w == stored.grid.h)
    }

    @Test func tokensAreMergedPatches() {
        #expect(GridTHW(t: 2, h: 6, w: 10).tokenCount() == 30)
        #expect(GridTHW(t: 2, h: 6, w: 10).patchCount == 120)
    }
}

extension RGBImage {
    /// The picture whose pixel (x, y) is this one's at `source(x, y)`.
    fileprivate func reordered(_ source: (Int, Int) -> (Int, Int)) -> RGBImage {
        var out: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let (sx, sy) = source(x, y)
                out += pixels[(sy * width + sx) * 3..<(sy * width + sx) * 3 + 3]
            }
        }
        return RGBImage(width: width, height: height, pixels: out)
    }
}
