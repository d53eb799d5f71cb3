import Foundation
import Testing

/// What Tools/vision/make_fixtures.py recorded of the reference.
struct Expected: Decodable {
    struct Image: Decodable {
        let width: Int
        let height: Int
        let sha256: String
        /// The first 24 bytes, in hexadecimal.
        let head: String
    }

    struct Picture: Decodable {
        /// Whether the reference gives these pixels too; where not, we diverge on purpose.
        let as_reference: Bool
        let stored: Image
        let upright: Image
    }

    struct Request: Decodable, CustomTestStringConvertible {
        struct Limits: Decodable {
            let min_pixels: Int?
            let max_pixels: Int?
            let resized_height: Int?
            let resized_width: Int?
        }

        let index: Int
        let picture: String
        let request: Limits
        /// The JSON text of a preprocessor_config.json.
        let config: String
        let resized: Image
        let grid: [Int]
        let patches_sha256: String
        let head: [Float]
        let last: Float

        var testDescription: String { "\(index) \(picture)" }
    }

    struct Frames: Decodable {
        let grid: [Int]
        let patches_sha256: String
    }

    let pictures: [String: Picture]
    let requests: [Request]
    let frames: Frames
    let resampling: [ResamplingCase]

    static let all: Expected = {
        do {
            return try JSONDecoder().decode(Expected.self, from: Fixture.data("expected.json"))
        } catch {
            preconditionFailure("expected.json: \(error)")
        }
    }()
}

/// [seed, input width, input height, output width, output height, start of the SHA-256]
struct ResamplingCase: Decodable {
    let numbers: [Int]
    let hash: String

    init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        numbers = try (0..<5).map { _ in try container.decode(Int.self) }
        hash = try container.decode(String.self)
    }
}

enum Fixture {
    static func path(_ name: String) -> String {
        Bundle.module.bundleURL.appendingPathComponent("Fixtures/\(name)").path
    }

    static func data(_ name: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path(name)))
    }
}

/// The generator of Tools/vision/sweeps.py: Knuth's MMIX linear congruential generator, the high 32 bits.
struct Generator {
    private var state: UInt64

    init(seed: Int) { state = UInt64(seed) }

    mutating func next() -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 32)
    }
}
