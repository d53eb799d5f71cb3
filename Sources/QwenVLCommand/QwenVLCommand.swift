import ArgumentParser
import Foundation
import QwenVL

/// The command line's root.
@main
struct QwenVLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "qwenvl",
        abstract: "Ask Qwen2.5-VL about pictures, on this machine.",
        discussion: """
            A model is a directory as on the Hugging Face hub (config.json, *.safetensors, tokenizer files). \
            Without --model, $QWENVL_MODEL is used, else the demo model that comes with this program.

            Results go to standard output, everything else to standard error. Exit codes: 0 success, 64 wrong usage, \
            65 an input that cannot be used (a file, a message, a model), 70 a failure of program or machine, \
            130 interrupted.

            Examples:
              qwenvl run --image cat.jpg "What is in the picture?"
              qwenvl run --video clip.mp4 "What happens?"
              qwenvl chat --model Qwen2.5-VL-3B-Instruct
              qwenvl generate --model DIR --messages batch.json --temperature 0 --json
              qwenvl serve --model DIR --port 8080
            """,
        version: "0.1.0",
        subcommands: [
            RunCommand.self, ChatCommand.self, GenerateCommand.self, BatchCommand.self, EvalCommand.self,
            ProcessCommand.self, FramesCommand.self, InspectCommand.self, PlanCommand.self, BenchCommand.self,
            QuantizeCommand.self, ServeCommand.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as QwenVLError {
            Terminal.error(error.description)
            Self.exit(withError: error.isUserError ? ExitStatus.badInput : ExitStatus.failure)
        } catch let error as InputError {
            Terminal.error(error.description)
            Self.exit(withError: ExitStatus.badInput)
        } catch let error as OutputError {
            Terminal.error(error.description)
            Self.exit(withError: ExitStatus.failure)
        } catch is CancellationError {
            Self.exit(withError: ExitStatus.interrupted)
        } catch {
            Self.exit(withError: error)
        }
    }
}

/// Exit codes, after sysexits.h.
enum ExitStatus {
    static let badInput = ExitCode(65)
    static let failure = ExitCode(70)
    static let interrupted = ExitCode(130)
}
