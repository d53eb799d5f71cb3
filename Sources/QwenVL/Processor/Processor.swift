import ChatTemplate
import Checkpoint
import Foundation
import QwenTokenizer
import QwenVLModel
import VisionInput

/// Turns messages into what the model takes: token ids, patches, grids and positions.
///
/// It needs no weights, and may be used from anywhere.
public struct Processor: Sendable {
    let tokenizer: Tokenizer
    let config: ModelConfig
    private let template: ChatTemplate
    private let images: ImageProcessor
    private let options: ProcessorOptions
    private let pictureThreads = PictureThreads()

    /// Reads config.json, preprocessor_config.json, the tokenizer's files and the chat template of a checkpoint.
    /// - Throws: ``QwenVLError`` naming the file and the field.
    public init(directory path: String, options: ProcessorOptions = ProcessorOptions()) throws {
        do {
            try options.validate()
            let directory = try CheckpointDirectory(path)
            config = try directory.modelConfig()
            tokenizer = try Tokenizer(directory: URL(fileURLWithPath: path, isDirectory: true))
            template = try ChatTemplate.load(directory: URL(fileURLWithPath: path, isDirectory: true))
            var limits = try ImageProcessorConfig(path: directory.path(of: "preprocessor_config.json"))
            limits.minPixels = options.minPixels ?? limits.minPixels
            limits.maxPixels = options.maxPixels ?? limits.maxPixels
            images = ImageProcessor(limits)
            self.options = options
            try checkAgreement(path)
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// The files of one checkpoint must speak of the same model.
    private func checkAgreement(_ path: String) throws {
        guard tokenizer.vocabularySize <= config.text.vocabularySize else {
            throw QwenVLError.checkpoint(
                "\(path): the tokenizer has ids up to \(tokenizer.vocabularySize - 1), config.json's vocab_size is "
                    + "\(config.text.vocabularySize)")
        }
        for (token, id) in [(Self.imageToken, config.tokens.image), (Self.videoToken, config.tokens.video)]
        where tokenizer.id(of: token) != Int32(id) {
            throw QwenVLError.checkpoint(
                "\(path): config.json gives \(token) the id \(id), the tokenizer "
                    + (tokenizer.id(of: token).map { "\($0)" } ?? "does not know it"))
        }
        let processor = images.config
        let vision = config.vision
        guard
            (processor.patchSize, processor.temporalPatchSize, processor.mergeSize)
                == (vision.patchSize, vision.temporalPatchSize, vision.mergeSize)
        else {
            throw QwenVLError.checkpoint(
                "\(path): preprocessor_config.json and config.json disagree about patch_size, temporal_patch_size or "
                    + "merge_size")
        }
    }

    static let imageToken = "<|image_pad|>"
    static let videoToken = "<|video_pad|>"

    // MARK: Prompts

    /// Renders a conversation, cuts up its pictures and puts them in their places.
    func prompt(_ messages: [ChatMessage]) async throws -> Prompt {
        let start = ContinuousClock.now
        try checkPlaceholders(messages)
        let text = try render(messages)
        let prepared = try await pictures(of: messages)
        var prompt = try assemble(text, pictures: prepared)
        prompt.processing = start.duration(to: .now).seconds
        return prompt
    }

    /// The text of the prompt, one placeholder for each picture.
    public func render(_ messages: [ChatMessage]) throws -> String {
        do {
            var extra: [String: TemplateValue] = [:]
            if options.addsVisionIDs { extra["add_vision_id"] = true }
            return try template.render(
                messages: messages.map(\.templateValue), addGenerationPrompt: true, extra: extra)
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// The text that one token stands for.
    ///
    /// Bytes that are no whole character become U+FFFD; ids beyond the tokenizer's have no text.
    public func text(ofToken id: Int) -> String {
        let id = Int32(clamping: id)
        return tokenizer.contains(id) ? (try? tokenizer.decode([id])) ?? "" : ""
    }

    /// Placeholders stand for pictures; a text that contains one would be taken for a picture.
    private func checkPlaceholders(_ messages: [ChatMessage]) throws {
        for (index, message) in messages.enumerated() {
            for (part, content) in message.parts.enumerated() {
                guard case .text(let text) = content else { continue }
                for token in [Self.imageToken, Self.videoToken] where text.contains(token) {
                    throw InputError(
                        field: "messages[\(index)].content[\(part)].text",
                        expected: "text without \(token), which stands for a picture or video", found: token)
                }
            }
        }
    }

    private func pictures(of messages: [ChatMessage]) async throws -> [VisionPatches] {
        var requests: [(field: String, request: ImageRequest)] = []
        for (index, message) in messages.enumerated() {
            for (place, part) in message.parts.enumerated() {
                let field = "messages[\(index)].content[\(place)]"
                switch part {
                case .text: continue
                case .image(let image): requests.append((field + ".image", try request(image, field: field)))
                case .video:
                    throw QwenVLError.unsupported(field: field + ".video", reason: "videos are not supported yet")
                }
            }
        }
        var patches: [VisionPatches] = []
        for (field, request) in requests {
            do {
                patches.append(try await pictureThreads.run { try images.process(request) })
            } catch let error as VisionInputError {
                throw QwenVLError.picture(field: field, reason: "\(error)")
            }
        }
        return patches
    }

    private func request(_ image: ImagePart, field: String) throws -> ImageRequest {
        let source: ImageSource
        switch image.source {
        case .path(let path): source = .path(path)
        case .data(let data): source = .data(data, name: "the picture's data")
        case .url(let url):
            throw QwenVLError.unsupported(
                field: field + ".image", reason: "pictures from the network are not supported yet (\(url))")
        }
        return ImageRequest(
            source, minPixels: image.minPixels, maxPixels: image.maxPixels,
            resizedHeight: image.resizedHeight, resizedWidth: image.resizedWidth,
            orientation: options.appliesOrientation ? .applied : .ignored)
    }

    /// Tokens of the rendered text, each placeholder repeated for every token of its picture.
    private func assemble(_ text: String, pictures: [VisionPatches]) throws -> Prompt {
        let pieces = text.components(separatedBy: Self.imageToken)
        guard pieces.count == pictures.count + 1 else {
            throw QwenVLError.template(
                "the chat template places \(pieces.count - 1) pictures; the messages have \(pictures.count)")
        }
        var prompt = Prompt()
        for (index, piece) in pieces.enumerated() {
            let ids = tokenizer.encode(piece)
            if !ids.isEmpty { prompt.spans.append(.text(count: ids.count)) }
            prompt.tokens += ids
            guard index < pictures.count else { continue }
            let patches = pictures[index]
            let grid = PatchGrid(frames: patches.grid.t, height: patches.grid.h, width: patches.grid.w)
            let count = grid.tokens(mergeSize: config.vision.mergeSize)
            let range = prompt.tokens.count..<prompt.tokens.count + count
            prompt.tokens += Array(repeating: Int32(config.tokens.image), count: count)
            prompt.spans.append(.image(grid))
            prompt.pictures.append(PreparedPicture(patches, grid: grid, tokens: range))
        }
        return prompt
    }

    // MARK: What ends an answer

    /// Qwen's end tokens, for a checkpoint whose generation_config.json names none.
    var turnEndTokens: [Int] {
        ["<|im_end|>", "<|endoftext|>"].compactMap { tokenizer.id(of: $0).map(Int.init) }
    }

    /// What pads shorter prompts of a batch (nothing else depends on it).
    var padToken: Int32 { tokenizer.id(of: "<|endoftext|>") ?? 0 }
}

/// Pictures are decoded on threads of their own, few at a time: each may take much memory, and Swift's own threads
/// are not to be held up.
private final class PictureThreads: Sendable {
    private let queue: OperationQueue = {
        let queue = OperationQueue()
        queue.name = "qwenvl pictures"
        queue.maxConcurrentOperationCount = 2
        return queue
    }()

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.addOperation { continuation.resume(with: Result(catching: body)) }
        }
    }
}

extension PreparedPicture {
    init(_ patches: VisionPatches, grid: PatchGrid, tokens: Range<Int>) {
        func size(_ size: PixelSize) -> PictureReport.Size {
            PictureReport.Size(width: size.width, height: size.height)
        }
        self.init(
            key: PictureKey(contentHash: patches.contentHash, grid: grid), patches: patches.pixels, tokens: tokens,
            report: PictureReport(
                original: size(patches.originalSize), processed: size(patches.processedSize), tokens: tokens.count))
    }
}
