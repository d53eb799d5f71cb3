import ArgumentParser
import Performance
import QwenVL

/// How fast a model runs here, beside what the machine can do.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure a model's speed and memory, beside the machine's own limits.",
        discussion: """
            Prompts are random tokens and pixels, which take as long as any. --shape measures a published size without \
            its files: random weights are made in the chosen format, in memory. "Of limit" is the time that the \
            machine's limits (measured in the same run) allow for the same work, over the time it took. Use a machine \
            that does nothing else.

              qwenvl bench --shape 3b --image 1024x1024 --batch 8
              qwenvl bench --model Qwen2.5-VL-7B-Instruct --weights int4 --json
            """)

    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(help: "A published size instead of a model: 3b, 7b, 32b or 72b.")
    var shape: OfficialShape?

    @Option(help: "A picture of this size, WIDTHxHEIGHT; may be given several times.")
    var image: [PictureSizeArgument] = []

    @Option(help: "Tokens of the text prompt; 0 for none.")
    var promptTokens = 512

    @Option(help: "Tokens of its answer.")
    var newTokens = 64

    @Option(help: "Conversations decoded together, measured besides.")
    var batch = 1

    @Flag(help: "Take pictures through the vision tower alone.")
    var visionOnly = false

    @Option(help: "Repetitions; medians are reported.")
    var repetitions = 3

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        for (name, value, range) in [
            ("--prompt-tokens", promptTokens, 0...1_000_000), ("--new-tokens", newTokens, 2...1_000_000),
            ("--batch", batch, 1...1024), ("--repetitions", repetitions, 1...1000),
        ] where !range.contains(value) {
            throw ValidationError("\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
        if shape != nil, model.model != nil { throw ValidationError("--shape or --model, not both") }
    }

    func run() async throws {
        var request = BenchmarkRequest(
            source: try shape.map(BenchmarkRequest.Source.shape) ?? .directory(model.directory()))
        request.options = model.engineOptions
        request.pictures = image.map(\.size)
        (request.promptTokens, request.newTokens) = (promptTokens, newTokens)
        (request.batch, request.repetitions) = (batch, repetitions)
        request.visionOnly = visionOnly
        let line = ProgressLine()
        defer { line.clear() }
        let report: BenchmarkReport
        do {
            report = try await Benchmark.run(request) { line.show($0) }
        } catch let error as PlanError {
            throw InputError(field: error.field, expected: "what fits into memory", found: error.reason)
        }
        line.clear()
        try Terminal.out(json ? try JSONOutput.encode(report) + "\n" : report.text)
    }
}

extension OfficialShape: ExpressibleByArgument {}

/// WIDTHxHEIGHT.
struct PictureSizeArgument: ExpressibleByArgument {
    let size: NoiseRequest.PictureSize

    init?(argument: String) {
        let sides = argument.lowercased().replacing("×", with: "x")
            .split(separator: "x", omittingEmptySubsequences: false)
        guard sides.count == 2, let width = Int(sides[0]), let height = Int(sides[1]),
            (1...100_000).contains(width), (1...100_000).contains(height)
        else { return nil }
        size = NoiseRequest.PictureSize(width: width, height: height)
    }

    init(width: Int, height: Int) { size = NoiseRequest.PictureSize(width: width, height: height) }

    var defaultValueDescription: String { "\(size.width)x\(size.height)" }
}
