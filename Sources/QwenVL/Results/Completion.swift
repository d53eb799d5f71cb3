/// Why an answer ended.
public enum FinishReason: String, Sendable, Codable {
    /// The model ended its turn, or a stop string or stop token came.
    case stop
    /// The limit on new tokens, or the end of the context, was reached.
    case length
}

/// Tokens taken in and given out.
public struct Usage: Sendable, Hashable, Codable {
    /// Tokens of the prompt, those of pictures included.
    public var promptTokens: Int
    /// Tokens of the answer, the one that ended it included.
    public var completionTokens: Int
    /// Tokens of the prompt that were in the cache already and cost nothing.
    public var cachedTokens: Int

    package init(promptTokens: Int, completionTokens: Int, cachedTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
    }
}

/// Where the time went, in seconds.
public struct Timings: Sendable, Hashable, Codable {
    /// Decoding, resizing and cutting up pictures, and encoding text.
    public var processing: Double = 0
    /// The vision tower.
    public var vision: Double = 0
    /// The prompt through the language model, up to the first new token.
    public var prefill: Double = 0
    /// From the first new token to the last.
    public var decode: Double = 0

    package init() {}
}

/// What the model saw of a picture: coordinates in answers are in pixels of `processed`.
public struct PictureReport: Sendable, Hashable, Codable {
    /// A width and a height in pixels.
    public struct Size: Sendable, Hashable, Codable {
        /// Pixels from left to right.
        public var width: Int
        /// Pixels from top to bottom.
        public var height: Int

        package init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }
    }
    /// The picture as it came, turned upright.
    public var original: Size
    /// The picture as the model saw it.
    public var processed: Size
    /// Tokens that the language model gets for it.
    public var tokens: Int
    /// What was sampled of a video; nil for a picture.
    public var video: VideoReport?

    /// What coordinates in an answer are multiplied by to count pixels of the original.
    public var scale: Scale {
        Scale(
            x: Double(original.width) / Double(processed.width), y: Double(original.height) / Double(processed.height))
    }

    /// A factor for each axis.
    public struct Scale: Sendable, Hashable, Codable {
        /// From left to right.
        public var x: Double
        /// From top to bottom.
        public var y: Double
    }

    private enum CodingKeys: String, CodingKey { case original, processed, tokens, video, scale }

    /// Reads what ``encode(to:)`` writes.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        original = try container.decode(Size.self, forKey: .original)
        processed = try container.decode(Size.self, forKey: .processed)
        tokens = try container.decode(Int.self, forKey: .tokens)
        video = try container.decodeIfPresent(VideoReport.self, forKey: .video)
    }

    /// Writes the fields and ``scale``.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(original, forKey: .original)
        try container.encode(processed, forKey: .processed)
        try container.encode(tokens, forKey: .tokens)
        try container.encodeIfPresent(video, forKey: .video)
        try container.encode(scale, forKey: .scale)
    }

    package init(original: Size, processed: Size, tokens: Int, video: VideoReport?) {
        self.original = original
        self.processed = processed
        self.tokens = tokens
        self.video = video
    }
}

/// What the model saw of a video.
public struct VideoReport: Sendable, Hashable, Codable {
    /// Frames sampled.
    public var frames: Int
    /// Frames per second as sampled: what the model's positions in time are made of.
    public var fps: Double
    /// Seconds from one pair of frames to the next, as the model counts.
    public var secondsPerGrid: Double
    /// When each frame is shown in the file, in seconds; nil for a list of frames.
    public var timestamps: [Double]?

    package init(frames: Int, fps: Double, secondsPerGrid: Double, timestamps: [Double]?) {
        self.frames = frames
        self.fps = fps
        self.secondsPerGrid = secondsPerGrid
        self.timestamps = timestamps
    }
}

/// A whole answer.
public struct Completion: Sendable {
    /// The answer without special tokens, cut before a stop string.
    public var text: String
    /// Ids of the answer, the one that ended it included.
    public var tokenIDs: [Int]
    /// Ids of the prompt.
    public var promptTokenIDs: [Int]
    /// Why it ended.
    public var finishReason: FinishReason
    /// Token counts.
    public var usage: Usage
    /// One entry for each id of the answer, when asked for.
    public var logprobs: [TokenLogprob]?
    /// Where the time went.
    public var timings: Timings
    /// The conversation's pictures, in order.
    public var pictures: [PictureReport]

    package init(
        text: String, tokenIDs: [Int], promptTokenIDs: [Int], finishReason: FinishReason, usage: Usage,
        logprobs: [TokenLogprob]?, timings: Timings, pictures: [PictureReport]
    ) {
        self.text = text
        self.tokenIDs = tokenIDs
        self.promptTokenIDs = promptTokenIDs
        self.finishReason = finishReason
        self.usage = usage
        self.logprobs = logprobs
        self.timings = timings
        self.pictures = pictures
    }
}

/// What arrives while an answer is made.
public enum GenerationEvent: Sendable {
    /// The prompt is being read: positions done, of how many.
    case prompt(done: Int, total: Int)
    /// More of the answer; joined, these are the answer's text.
    case text(TextDelta)
    /// The end, with everything.
    case finished(Completion)
}

/// The next piece of an answer.
public struct TextDelta: Sendable {
    /// Whole characters; may be empty while a character or a possible stop string is incomplete.
    public var text: String
    /// The tokens that have been chosen since the last piece.
    public var tokenIDs: [Int]
    /// One entry for each of them, when asked for.
    public var logprobs: [TokenLogprob]

    package init(text: String, tokenIDs: [Int], logprobs: [TokenLogprob]) {
        self.text = text
        self.tokenIDs = tokenIDs
        self.logprobs = logprobs
    }
}
