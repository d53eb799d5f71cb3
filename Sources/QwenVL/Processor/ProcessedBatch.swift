import Checkpoint
import QwenVLModel
import TensorCore

/// What the processor made of a batch, in the form and under the names that Hugging Face's gives it.
package struct ProcessedBatch: Sendable {
    private let prompts: [Prompt]
    private let positions: [MRoPEPositions]
    private let padToken: Int64
    private let patchElements: Int

    init(prompts: [Prompt], config: ModelConfig, padToken: Int32) {
        self.prompts = prompts
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
    package var imageGrids: [Int64] {
        pictures.flatMap { [Int64($0.grid.frames), Int64($0.grid.height), Int64($0.grid.width)] }
    }
    /// [patches, patch elements] of all pictures.
    package var pixelValues: [Float] { pictures.flatMap(\.patches) }

    private var pictures: [PreparedPicture] { prompts.flatMap(\.pictures) }

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
        if !pictures.isEmpty { integers.append(("image_grid_thw", [pictures.count, 3], imageGrids)) }
        let patches = pictures.reduce(0) { $0 + $1.grid.patches }
        var declarations = integers.map { SafetensorsWriter.Declaration(name: $0.0, type: .int64, shape: $0.1) }
        if patches > 0 {
            declarations.append(
                SafetensorsWriter.Declaration(name: "pixel_values", type: .float32, shape: [patches, patchElements]))
        }
        do {
            let writer = try SafetensorsWriter(path: path, tensors: declarations)
            for (name, _, values) in integers { try writer.append(values, to: name) }
            // One picture at a time: together they may take gigabytes.
            for picture in pictures { try writer.append(picture.patches, to: "pixel_values") }
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
            return ProcessedBatch(prompts: prompts, config: config, padToken: padToken)
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }
}
