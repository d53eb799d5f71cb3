import Foundation
import QwenVL
import Testing
import VisionInput

/// Pictures, documents and videos from every source, under policies.
@Suite struct MediaTests {
    private static func processor(_ change: (inout ProcessorOptions) -> Void = { _ in }) throws -> Processor {
        var options = ProcessorOptions()
        change(&options)
        let directory = try FixtureLibrary.directory("tied-bfloat16")
        defer { withExtendedLifetime(directory) {} }
        return try Processor(directory: directory.path, options: options)
    }

    private static func error(
        _ part: ContentPart, _ change: (inout ProcessorOptions) -> Void
    ) async throws -> QwenVLError? {
        do {
            _ = try await processor(change).process([[.user(part, .text("?"))]])
            return nil
        } catch {
            return try #require(error as? QwenVLError)
        }
    }

    // MARK: Policies

    @Test func serversReadNoFiles() async throws {
        let picture = FixtureLibrary.media("Formats/rgb.bmp")
        let parts: [ContentPart] = [
            .image(path: picture), .image(try MediaSource("file://" + picture)), .image(path: "/nonexistent"),
            .video(path: FixtureLibrary.media("Videos/clip-30fps.mp4")), .video(frames: [.path(picture)]),
        ]
        for part in parts {
            let error = try await Self.error(part) { $0.media = .server }
            guard case .mediaRefused(let field, _)? = error else {
                Issue.record("\(part): \(String(describing: error))")
                continue
            }
            #expect(field.hasPrefix("messages[0].content[0]"))
        }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: picture))
        #expect(try await Self.error(.image(.data(bytes))) { $0.media = .server } == nil)
    }

    @Test(arguments: [
        "http://127.0.0.1/a.png", "http://localhost/a.png", "http://[::1]/a.png", "http://10.1.2.3/a.mp4",
    ])
    func serversAskNoPrivateHosts(_ url: String) async throws {
        for part in [ContentPart.image(try MediaSource(url)), .video(try MediaSource(url))] {
            let error = try await Self.error(part) { $0.media = .server }
            guard case .mediaRefused? = error else {
                Issue.record("\(url): \(String(describing: error))")
                continue
            }
        }
    }

    @Test func limits() async throws {
        let picture = FixtureLibrary.media("Formats/rgb.bmp")
        let clip = FixtureLibrary.media("Videos/clip-30fps.mp4")
        let cases: [(ContentPart, (inout MediaPolicy) -> Void, String)] = [
            (.image(path: picture), { $0.maxBytes = 4661 }, "4661 bytes"),
            (.image(path: picture), { $0.maxPixels = 1535 }, "1535 pixels"),
            (.image(path: picture), { $0.files = .under(["/usr"]) }, "outside"),
            (.image(path: FixtureLibrary.media("Formats/pages.pdf")), { $0.maxPages = 2 }, "2 pages"),
            (.image(path: FixtureLibrary.media("Formats/pages.pdf")), { $0.allowsDocuments = false }, "PDF"),
            (.image(path: FixtureLibrary.media("Formats/drawing.svg")), { $0.allowsDocuments = false }, "SVG"),
            (.video(path: clip), { $0.maxVideoBytes = 1000 }, "1000 bytes"),
            (.video(path: clip), { $0.maxPixels = 6143 }, "6143 pixels"),
            (.video(path: clip), { $0.maxDuration = 1.9 }, "1.9 seconds"),
            (.video(path: clip), { $0.maxFrames = 3 }, "3 frames"),
            (.video(frames: Array(repeating: .path(picture), count: 4)), { $0.maxFrames = 3 }, "3 frames"),
            (.image(try MediaSource("https://example.org/a.png")), { $0.hosts = .none }, "URLs"),
            (
                .image(try MediaSource("https://example.org/a.png")), { $0.hosts = .only(["*.example.net"]) },
                "example.org"
            ),
            (.image(.data(Data([1]))), { $0.allowsData = false }, "bytes"),
        ]
        for (part, change, said) in cases {
            let error = try await Self.error(part) { change(&$0.media) }
            #expect(error?.description.contains(said) == true, "\(String(describing: error))")
        }
    }

    @Test func lyingDurationsAreNotBelieved() async throws {
        // An hour in its header, or nothing; two seconds of frames.
        let lying = FixtureLibrary.media("Videos/lying-duration.mp4")
        let silent = FixtureLibrary.media("Videos/no-duration.mp4")
        #expect(try await Self.error(.video(path: lying)) { $0.media.maxDuration = 1.9 } != nil)
        #expect(try await Self.error(.video(path: lying)) { $0.media.maxDuration = 4000 } == nil)
        #expect(try await Self.error(.video(path: silent)) { $0.media.maxDuration = 1.9 } != nil)
        #expect(try await Self.error(.video(path: silent)) { $0.media.maxDuration = 60 } == nil)
    }

    // MARK: Sources

    @Test func pixelBuffersAreTheirPictures() async throws {
        let image = try ImageDecoder().decode(.path(FixtureLibrary.media("Formats/rgb.bmp")))
        let wide = image.pixels + [UInt8](repeating: 9, count: 6)
        var rows = Data()
        for y in 0..<image.height {
            rows += Data(image.pixels[y * image.width * 3..<(y + 1) * image.width * 3]) + Data([1, 2, 3, 4, 5])
        }
        var bgra = Data()
        for i in stride(from: 0, to: image.pixels.count, by: 3) {
            bgra += Data([image.pixels[i + 2], image.pixels[i + 1], image.pixels[i], 255])
        }
        let (width, height) = (image.width, image.height)
        let buffers = [
            try PixelBuffer(width: width, height: height, format: .rgb, data: Data(wide)),
            try PixelBuffer(width: width, height: height, format: .rgb, bytesPerRow: width * 3 + 5, data: rows),
            try PixelBuffer(width: width, height: height, format: .bgra, data: bgra),
        ]
        let processor = try Self.processor()
        let expected = try await processor.process([[.user(.image(path: FixtureLibrary.media("Formats/rgb.bmp")))]])
            .pixelValues
        for buffer in buffers {
            #expect(try await processor.process([[.user(.image(.pixels(buffer)))]]).pixelValues == expected)
        }
        #expect(throws: InputError.self) {
            try PixelBuffer(width: width, height: height, format: .rgba, data: Data(wide))
        }
        #expect(throws: InputError.self) { try PixelBuffer(width: 0, height: 1, format: .rgb, data: Data([1, 2, 3])) }
    }

    @Test func documentsBecomeOnePictureForEachPage() async throws {
        let path = FixtureLibrary.media("Formats/pages.pdf")
        let processor = try Self.processor()
        #expect(try await processor.process([[.user(.image(path: path), .text("?"))]]).imageGrids.count == 9)
        var part = ImagePart(.path(path))
        part.pages = [3...3, 1...1]
        part.dpi = 72
        let batch = try await processor.process([[.user(.image(part), .text("?"))]])
        #expect(batch.imageGrids.count == 6)
        part.pages = [2...4]
        await #expect(throws: (any Error).self) { try await processor.process([[.user(.image(part))]]) }
    }

    @Test func partsInJSON() throws {
        let json =
            #"[{"role": "user", "content": [{"type": "image", "image": "a.pdf", "pages": "1-3, 7", "dpi": 200}]}]"#
        guard case .image(let part) = try ChatMessage.conversations(json: json)[0][0].parts[0] else { return }
        #expect(part.pages == [1...3, 7...7])
        #expect(part.dpi == 200)
        for pages in [#""3-1""#, #""x""#, "0", #""1-""#, #""""#] {
            #expect(throws: InputError.self, "\(pages)") {
                try ChatMessage.conversations(json: json.replacing(#""1-3, 7""#, with: pages))
            }
        }
    }

    @Test func reportsTellTheFactorBack() async throws {
        let engine = try await FixtureLibrary.engine("tied-bfloat16")
        var options = GenerationOptions.greedy
        options.maxTokens = 1
        let completion = try await engine.reply(
            to: [
                .user(
                    .image(path: FixtureLibrary.media("Formats/rgb.bmp")),
                    .video(path: FixtureLibrary.media("Videos/rotated-90.mp4")), .text("?"))
            ], options: options)
        let (picture, video) = (completion.pictures[0], completion.pictures[1])
        #expect((picture.original.width, picture.original.height) == (48, 32))
        #expect(picture.scale.x == 48 / Double(picture.processed.width))
        #expect(picture.video == nil)
        #expect((video.original.width, video.original.height) == (64, 96))
        #expect(video.video?.frames == 4)
        #expect(video.video?.fps == 2)
        #expect(video.video?.timestamps?.count == 4)
        let json = try JSONDecoder().decode(PictureReport.self, from: JSONEncoder().encode(video))
        #expect(json == video)
    }

    // MARK: Long videos

    private static func options(tokens: Int) -> GenerationOptions {
        var options = GenerationOptions.greedy
        options.ignoreEndOfSequence = true
        options.maxTokens = tokens
        options.logprobs = 5
        return options
    }

    /// Decoded and encoded slice by slice while the model reads, a video gives the bits that it gives as a whole.
    @Test(arguments: [7, 64, 512])
    func slicesGiveTheBitsOfTheWhole(chunk: Int) async throws {
        var video = VideoPart(.file(.path(FixtureLibrary.media("Videos/clip-30fps.mp4"))))
        video.fps = 8
        video.maxPixels = 28 * 28 * 6
        video.minPixels = 28 * 28 * 4
        let messages = [ChatMessage.user(.text("Look: "), .video(video), .text("What moves?"))]
        let options = Self.options(tokens: 4)
        func ask(valuesAtOnce: Int) async throws -> Completion {
            let engine = try await FixtureLibrary.engine("tied-bfloat16") {
                $0.processor.valuesAtOnce = valuesAtOnce
                $0.prefillChunk = chunk
            }
            async let first = engine.reply(to: messages, options: options)
            async let second = engine.reply(to: messages, options: options)
            #expect(try await first.logprobs == second.logprobs)
            return try await first
        }
        let whole = try await ask(valuesAtOnce: .max)
        let sliced = try await ask(valuesAtOnce: 0)
        #expect(whole.logprobs == sliced.logprobs)
        #expect(whole.pictures == sliced.pictures)
    }

    /// A video that breaks off while it is read ends its conversation with an error, and no other.
    @Test func aVideoThatVanishes() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.url.appending(path: "clip.avi")
        var data = try Data(contentsOf: URL(fileURLWithPath: FixtureLibrary.media("Videos/clip-30fps.mp4")))
        // Frames that no decoder can read, behind an index that is whole.
        let start = try #require(data.firstRange(of: Data("mdat".utf8))).upperBound
        let size = data[start - 8..<start - 4].reduce(0) { $0 << 8 | Int($1) }
        for i in start..<start + size - 8 { data[i] = 0xFF }
        try data.write(to: path)
        let engine = try await FixtureLibrary.engine("tied-bfloat16") { $0.processor.valuesAtOnce = 0 }
        let options = Self.options(tokens: 2)
        async let good = engine.reply(to: [.user("Hello")], options: options)
        let error = await #expect(throws: QwenVLError.self) {
            try await engine.reply(to: [.user(.video(path: path.path), .text("?"))], options: options)
        }
        #expect(error?.description.contains("decoded") == true, "\(String(describing: error))")
        #expect(try await good.tokenIDs.count == 2)
    }
}
