import ArgumentParser
import QwenVL

/// What a checkpoint is, from its headers alone.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Say what a model directory holds, what it needs and what it lacks.")

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(help: "The model's directory.")
    var directory: String

    func run() throws {
        let report = try CheckpointSummary(directory: directory)
        try Terminal.out(json ? try JSONOutput.encode(report) + "\n" : report.text)
        if !report.isComplete { throw ExitStatus.badInput }
    }
}
