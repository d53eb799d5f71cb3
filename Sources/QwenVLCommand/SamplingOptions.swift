import ArgumentParser
import QwenVL

/// How tokens are chosen; what is not given comes from the model's generation_config.json.
struct SamplingOptions: ParsableArguments {
    @Option(help: "End the answer after this many tokens.")
    var maxNewTokens: Int?

    @Option(help: "Sampling temperature; 0 takes the most probable token.")
    var temperature: Double?

    @Option(help: "Sample among this many most probable tokens.")
    var topK: Int?

    @Option(help: "Sample among the most probable tokens that reach this probability together.")
    var topP: Double?

    @Option(help: "Leave out tokens less probable than this share of the most probable one.")
    var minP: Double?

    @Option(help: "Penalty on every token that occurred, prompt included (1: none).")
    var repetitionPenalty: Double?

    @Option(help: "Penalty on every token that the answer has (-2 to 2).")
    var presencePenalty: Double?

    @Option(help: "Penalty on the answer's tokens by how often they occurred (-2 to 2).")
    var frequencyPenalty: Double?

    @Option(help: "Seed that makes sampling repeatable.")
    var seed: UInt64?

    @Option(help: "Text that ends the answer; may be given several times.")
    var stop: [String] = []

    @Flag(help: "Go on past the model's own end of turn.")
    var ignoreEos = false

    var generationOptions: GenerationOptions {
        var options = GenerationOptions()
        options.maxTokens = maxNewTokens
        options.temperature = temperature
        options.topK = topK
        options.topP = topP
        options.minP = minP
        options.repetitionPenalty = repetitionPenalty
        options.presencePenalty = presencePenalty
        options.frequencyPenalty = frequencyPenalty
        options.seed = seed
        options.stop = stop.isEmpty ? nil : stop
        options.ignoreEndOfSequence = ignoreEos ? true : nil
        return options
    }
}
