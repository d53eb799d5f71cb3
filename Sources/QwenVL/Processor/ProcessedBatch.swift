import Checkpoint
import QwenVLModel
import TensorCore
import VisionInput

/// What the processor made of a batch, in the form and under the names that Hugging Face's gives it.
package struct ProcessedBatch: Sendable {
    private let prompts: [Prompt]
    private let positions: [MRoPEPositions]
    private let padToken: Int64
    private let patchElements: Int
    private let imageConfig: ImageProcessorConfig

    init(prompts: [Prompt], config: ModelConfig, images: ImageProcessorConfig, padToken: Int32) {
        self.prompts = prompts
        imageConfig = images
        self.padToken = Int64(padToken)
        patchElements = config.vision.patchElements
        positions = prompts.map {
            MRoPEPositions(
                spans: $0.spans, mergeSize: config.vision.mergeSize, tokensPerSecond: config.vision.tokensPerSecond)
        }
    }

    /// Tokens of each conversation, without padding.
    package var promptLengths: [Int] { prompts.map(\.tokens.count) }
    private var length: Int { promptLengths.max() ?? 0 }

    /// Left-padded with the pad token, [batch, n].
    package var inputIDs: [Int64] { prompts.flatMap { padded($0.tokens.map(Int64.init), with: padToken) } }
    /// 1 for tokens, 0 for padding, [batch, n].
    package var attentionMask: [Int64] {
        prompts.flatMap { padded(Array(repeating: 1, count: $0.tokens.count), with: 0) }
    }
    /// [3, batch, n]; 1 where padded, as in Transformers 4.49.0.
    package var positionIDs: [Int64] {
        [\MRoPEPositions.time, \.height, \.width].flatMap { axis in
            positions.flatMap { padded($0[keyPath: axis].map(Int64.init), with: 1) }
        }
    }
    /// What is added to a padded length to get the next position, [batch, 1].
    package var ropeDeltas: [Int64] { positions.map { Int64($0.next) - Int64(length) } }
    /// (frames, rows, columns) of patches of each picture, [pictures, 3].
    package var imageGrids: [Int64] { grids(of: images) }
    /// (frames, rows, columns) of patches of each video, [videos, 3]; a frame is a pair of pictures.
    package var videoGrids: [Int64] { grids(of: videos) }
    /// Seconds from one grid frame to the next of each video, [videos].
    package var secondsPerGrid: [Float] { videos.compactMap(\.secondsPerGrid) }
    /// [patches, patch elements] of all pictures.
    package var pixelValues: [Float] { get throws { try values(of: images) } }
    /// [patches, patch elements] of all videos.
    package var videoPixelValues: [Float] { get throws { try values(of: videos) } }

    private func values(of media: [PreparedMedia]) throws -> [Float] {
        var values: [Float] = []
        for item in media { try forEachPart(of: item) { values += $0 } }
        return values
    }

    /// The patches of a picture, or of one slice of time of a long video after another.
    private func forEachPart(of media: PreparedMedia, _ body: ([Float]) throws -> Void) throws {
        switch media.content {
        case .patches(let patches): try body(patches)
        case .video(let plan):
            let reader = VideoSliceReader(plan, config: imageConfig)
            while let slice = try reader.readSlice() { try body(slice) }
        }
    }

    private var images: [PreparedMedia] { prompts.flatMap(\.media).filter { !$0.isVideo } }
    private var videos: [PreparedMedia] { prompts.flatMap(\.media).filter(\.isVideo) }

    private func grids(of media: [PreparedMedia]) -> [Int64] {
        media.flatMap { [Int64($0.grid.frames), Int64($0.grid.height), Int64($0.grid.width)] }
    }

    private func padded(_ values: [Int64], with padding: Int64) -> [Int64] {
        Array(repeating: padding, count: length - values.count) + values
    }

    /// Writes a safetensors file.
    /// - Throws: ``QwenVLError`` when the file cannot be written.
    package func write(to path: String) throws {
        let batch = prompts.count
        var integers: [(String, Shape, [Int64])] = [
            ("input_ids", [batch, length], inputIDs),
            ("attention_mask", [batch, length], attentionMask),
            ("position_ids", [3, batch, length], positionIDs),
            ("rope_deltas", [batch, 1], ropeDeltas),
        ]
        let media = [("image_grid_thw", "pixel_values", images), ("video_grid_thw", "pixel_values_videos", videos)]
            .filter { !$0.2.isEmpty }
        for (grid, _, items) in media { integers.append((grid, [items.count, 3], grids(of: items))) }
        var declarations = integers.map { SafetensorsWriter.Declaration(name: $0.0, type: .int64, shape: $0.1) }
        for (_, pixels, items) in media {
            let patches = items.reduce(0) { $0 + $1.grid.patches }
            declarations.append(
                SafetensorsWriter.Declaration(name: pixels, type: .float32, shape: [patches, patchElements]))
        }
        let seconds = secondsPerGrid
        if !seconds.isEmpty {
            declarations.append(
                SafetensorsWriter.Declaration(name: "second_per_grid_ts", type: .float32, shape: [seconds.count]))
        }
        do {
            let writer = try SafetensorsWriter(path: path, tensors: declarations)
            for (name, _, values) in integers { try writer.append(values, to: name) }
            if !seconds.isEmpty { try writer.append(seconds, to: "second_per_grid_ts") }
            // One picture at a time: together they may take gigabytes.
            for (_, pixels, items) in media {
                for item in items { try forEachPart(of: item) { try writer.append($0, to: pixels) } }
            }
            try writer.finish()
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }
}

extension Processor {
    /// Renders, tokenises and cuts up a batch of conversations.
    /// - Throws: ``QwenVLError``.
    package func process(_ conversations: [[ChatMessage]]) async throws -> ProcessedBatch {
        do {
            var prompts: [Prompt] = []
            for messages in conversations { prompts.append(try await prompt(messages)) }
            return ProcessedBatch(prompts: prompts, config: config, images: images.config, padToken: padToken)
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }
}
