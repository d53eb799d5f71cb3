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
    let images: ImageProcessor
    let options: ProcessorOptions
    let loader: MediaLoader
    let pictureThreads = PictureThreads()

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
            loader = MediaLoader(policy: options.media)
            images = ImageProcessor(limits, limits: loader.decodeLimits)
            self.options = options
            try checkAgreement(path)
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// For a model of this shape without files: text is taken by bytes, pictures as the official checkpoints take them.
    init(shape config: ModelConfig, options: ProcessorOptions) throws {
        try options.validate()
        self.config = config
        self.options = options
        tokenizer = try Tokenizer(
            .bytes(addedTokens: [
                AddedToken(Self.imageToken, id: Int32(config.tokens.image), isSpecial: true),
                AddedToken(Self.videoToken, id: Int32(config.tokens.video), isSpecial: true),
            ]))
        template = try ChatTemplate(source: "{% for message in messages %}{{ message.content }}{% endfor %}")
        var limits = ImageProcessorConfig()
        (limits.patchSize, limits.temporalPatchSize, limits.mergeSize) =
            (config.vision.patchSize, config.vision.temporalPatchSize, config.vision.mergeSize)
        limits.minPixels = options.minPixels ?? limits.minPixels
        limits.maxPixels = options.maxPixels ?? limits.maxPixels
        loader = MediaLoader(policy: options.media)
        images = ImageProcessor(limits, limits: loader.decodeLimits)
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
    func prompt(_ messages: [ChatMessage], tools: [JSONValue] = []) async throws -> Prompt {
        let start = ContinuousClock.now
        try checkPlaceholders(messages)
        let (messages, requests) = try await resolve(messages)
        let text = try render(messages, tools: tools)
        let media = try await decode(requests)
        var prompt = try assemble(text, media: media)
        prompt.processing = start.duration(to: .now).seconds
        return prompt
    }

    /// The text of the prompt, one placeholder for each picture.
    /// - Parameter tools: the functions that the model may call, each in OpenAI's form.
    public func render(_ messages: [ChatMessage], tools: [JSONValue] = []) throws -> String {
        do {
            let messages = template.knowsTools ? messages : ToolPrompt.messages(messages, tools: tools)
            var extra: [String: TemplateValue] = [:]
            if options.addsVisionIDs { extra["add_vision_id"] = true }
            return try template.render(
                messages: messages.map(\.templateValue),
                tools: tools.isEmpty || !template.knowsTools ? nil : tools.map(\.value), addGenerationPrompt: true,
                extra: extra)
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

    /// Tokens of the rendered text, each placeholder repeated for every token of its picture or video.
    private func assemble(_ text: String, media: [DecodedMedia]) throws -> Prompt {
        var images = media.filter { !$0.isVideo }[...]
        var videos = media.filter(\.isVideo)[...]
        var prompt = Prompt()
        var rest = text[...]
        while let (range, isVideo) = Self.nextPlaceholder(in: rest) {
            guard let next = isVideo ? videos.popFirst() : images.popFirst() else {
                throw QwenVLError.template(
                    "the chat template places more \(isVideo ? "videos" : "pictures") than the messages have")
            }
            append(String(rest[..<range.lowerBound]), to: &prompt)
            append(next, to: &prompt)
            rest = rest[range.upperBound...]
        }
        append(String(rest), to: &prompt)
        guard images.isEmpty, videos.isEmpty else {
            throw QwenVLError.template(
                "the chat template leaves out \(images.count) pictures and \(videos.count) videos of the messages")
        }
        return prompt
    }

    private static func nextPlaceholder(in text: Substring) -> (Range<Substring.Index>, isVideo: Bool)? {
        let image = text.firstRange(of: imageToken)
        let video = text.firstRange(of: videoToken)
        guard let image else { return video.map { ($0, true) } }
        guard let video, video.lowerBound < image.lowerBound else { return (image, false) }
        return (video, true)
    }

    private func append(_ text: String, to prompt: inout Prompt) {
        let ids = tokenizer.encode(text)
        if !ids.isEmpty { prompt.spans.append(.text(count: ids.count)) }
        prompt.tokens += ids
    }

    func append(_ media: DecodedMedia, to prompt: inout Prompt) {
        let grid = media.grid
        let count = grid.tokens(mergeSize: config.vision.mergeSize)
        let range = prompt.tokens.count..<prompt.tokens.count + count
        let token = media.isVideo ? config.tokens.video : config.tokens.image
        prompt.tokens += Array(repeating: Int32(token), count: count)
        prompt.spans.append(media.secondsPerGrid.map { .video(grid, secondsPerGrid: $0) } ?? .image(grid))
        prompt.media.append(PreparedMedia(media, tokens: range))
    }

    // MARK: What ends an answer

    /// Qwen's end tokens, for a checkpoint whose generation_config.json names none.
    var turnEndTokens: [Int] {
        ["<|im_end|>", "<|endoftext|>"].compactMap { tokenizer.id(of: $0).map(Int.init) }
    }

    /// What pads shorter prompts of a batch (nothing else depends on it).
    var padToken: Int32 { tokenizer.id(of: "<|endoftext|>") ?? 0 }
}
