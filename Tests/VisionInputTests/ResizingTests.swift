import Foundation
import Testing
import VisionInput

@Suite struct ResizingTests {
    /// As Tools/vision/sweeps.py makes it.
    static func noise(width: Int, height: Int, seed: Int) -> RGBImage {
        var generator = Generator(seed: seed)
        let pixels = (0..<width * height * 3).map { _ -> UInt8 in
            let byte = UInt8(generator.next() >> 24)
            return seed % 2 == 0 ? byte : (byte < 128 ? 0 : 255)
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    @Test func resamplingGivesPillowsBytes() {
        #expect(Expected.all.resampling.count >= 150)
        for item in Expected.all.resampling {
            let n = item.numbers
            let image = Self.noise(width: n[1], height: n[2], seed: n[0])
            let size = PixelSize(width: n[3], height: n[4])
            let best = PILResample.resize(image, to: size)
            #expect(ContentHash(best.pixels).description.hasPrefix(item.hash), "\(n)")
            let generic = PILResample.resizeGeneric(image, to: size)
            #expect(generic == best, "generic and vectorised code differ for \(n)")
        }
    }

    @Test func unchangedSizeChangesNothing() {
        let image = Self.noise(width: 37, height: 23, seed: 4)
        #expect(PILResample.resize(image, to: image.size) == image)
    }

    @Test func smartResizeGivesPythonsSizes() throws {
        let stored = try Fixture.data("smart_resize.bin")
        let values = stride(from: 0, to: stored.count, by: 2).map { Int(stored[$0]) | Int(stored[$0 + 1]) << 8 }
        #expect(values.count == 6000 * 4)
        var generator = Generator(seed: 28)
        for at in stride(from: 0, to: values.count, by: 4) {
            let (size, resize) = Self.smartResizeCase(&generator)
            let fetched = try? resize(size)
            let reached = fetched ?? PixelSize(width: 0, height: 0)
            #expect([reached.height, reached.width] == Array(values[at..<at + 2]), "\(size) \(resize)")
            // The processor's own refuses small sides, which ours raises: where it has an answer, they agree.
            if values[at + 2] != 0 { #expect([reached.height, reached.width] == Array(values[at + 2..<at + 4])) }
        }
    }

    private static func smartResizeCase(_ generator: inout Generator) -> (PixelSize, SmartResize) {
        func side() -> Int {
            let pick = generator.next() % 3
            if pick == 0 { return 14 * (1 + generator.next() % 300) }
            return 1 + generator.next() % (pick == 1 ? 300 : 9000)
        }
        let height = side()
        let width = side()
        let low = generator.next() % 2 != 0 ? 1 + generator.next() % 2_000_000 : 3136
        let high = generator.next() % 2 != 0 ? low + generator.next() % 3_000_000 : 16384 * 784
        return (
            PixelSize(width: width, height: height),
            SmartResize(factor: 28, minPixels: low, maxPixels: max(low, high))
        )
    }

    @Test(arguments: [(70, 56), (42, 56), (98, 112), (126, 112), (1, 28), (84, 84)])
    func halvesRoundToEven(side: Int, expected: Int) throws {
        let resize = SmartResize(factor: 28, minPixels: 1, maxPixels: 1 << 40)
        #expect(try resize(PixelSize(width: side, height: side)) == PixelSize(width: expected, height: expected))
    }

    @Test func hugeSidesAreRefused() {
        let resize = SmartResize(factor: 28, minPixels: 3136, maxPixels: 1 << 20)
        #expect(throws: VisionInputError.Reason.self) { try resize(PixelSize(width: .max, height: .max)) }
        #expect(throws: VisionInputError.Reason.self) { try resize(PixelSize(width: 1 << 30, height: 1 << 30)) }
        #expect(throws: VisionInputError.Reason.self) { try resize(PixelSize(width: 0, height: 5)) }
    }
}
