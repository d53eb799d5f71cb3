import ArgumentParser
import QwenVL

/// What the processor makes of messages, without running the model.
struct ProcessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "process", abstract: "Write what the model would be given, as a safetensors file.",
        discussion: """
            Tensors have Hugging Face's names and shapes: input_ids and attention_mask [batch, n] int64, left-padded; \
            pixel_values [patches, 1176] float32 and image_grid_thw int64 where there are pictures, \
            pixel_values_videos, video_grid_thw and second_per_grid_ts where there are videos; position_ids \
            [3, batch, n] int64 (1 where padded) and rope_deltas [batch, 1].
            """)

    @Option(name: [.short, .long], help: "The model's directory (weights are not needed).")
    var model: String?

    @Option(help: "A JSON file of messages; - is standard input.")
    var messages: String

    @Option(name: [.short, .long], help: "The safetensors file to write.")
    var out: String

    @OptionGroup(title: "Pictures") var pictures: PictureOptions

    func run() async throws {
        let processor = try Processor(
            directory: ModelOptions.directory(named: model), options: pictures.processorOptions)
        let batch = try await processor.process(MessagesFile.read(messages))
        try batch.write(to: out)
        for (index, tokens) in batch.promptLengths.enumerated() {
            Terminal.note("conversation \(index + 1): \(tokens) tokens")
        }
    }
}
