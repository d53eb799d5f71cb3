import ArgumentParser
import Foundation
import Logging
import QwenVL
import QwenVLServer

/// An OpenAI-compatible server.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the model over HTTP, to OpenAI's clients and on a page.",
        discussion: """
            Every option is a setting that may stand in the environment or in a file as well: --max-waiting is \
            QWENVL_MAX_WAITING there, and "maxWaiting" in the JSON file that --config names. Flags win over the \
            environment, the environment over the file. docs/server.md tells all of them.

              qwenvl serve --model Qwen2.5-VL-3B-Instruct --port 8080
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Pictures") var pictures: PictureOptions

    @Option(help: "A JSON file of settings.") var config: String?

    @Option(help: "The address to listen on (default: 127.0.0.1).") var host: String?
    @Option(help: "The port (default: 8080; 0: any).") var port: Int?
    @Option(help: "A PEM file with the certificate chain: serves over TLS.") var tlsCertificate: String?
    @Option(help: "A PEM file with its key.") var tlsKey: String?
    @Option(name: .customLong("api-key"), help: "A key that requests must bring; may be given several times.")
    var apiKeys: [String] = []
    @Option(help: "A file of such keys, one a line.") var apiKeyFile: String?
    @Option(name: .customLong("cors-origin"), help: "An origin whose pages may call (* for all).")
    var corsOrigins: [String] = []
    @Option(name: .customLong("model-name"), help: "A name that requests may give the model (* for any).")
    var modelNames: [String] = []
    @Flag(inversion: .prefixedNo, help: "Serve the page at /.") var page: Bool?

    @Option(help: "Answers that are made together (default: 16).") var maxBatch: Int?
    @Option(help: "Requests that wait for a place; more are refused (default: 64).") var maxWaiting: Int?
    @Option(help: "Megabytes of a request (default: 64).") var maxBodyMB: Int?
    @Option(help: "Answers to one request (default: 8).") var maxChoices: Int?
    @Option(help: "Pictures, videos and frames of one request (default: 128).") var maxMedia: Int?
    @Option(help: "Tokens of one answer (default: what the context leaves).") var maxAnswerTokens: Int?
    @Option(help: "Seconds a request may take (default: 1800).") var requestTimeout: Double?
    @Option(help: "Seconds for running requests when told to end (default: 60).") var shutdownTimeout: Double?
    @Option(name: .customLong("media-directory"), help: "A directory whose files requests may name.")
    var mediaDirectories: [String] = []
    @Option(name: .customLong("media-host"), help: "A host whose files requests may name (none for no host).")
    var mediaHosts: [String] = []
    @Flag(help: "Let requests name hosts with private addresses.") var mediaPrivateAddresses = false
    @Option(help: "The log: trace, debug, info, notice, warning, error (default: info).") var logLevel: String?
    @Option(help: "The log's form: text or json (default: text).") var logFormat: String?

    func run() async throws {
        let settings = try await ServerSettings(
            flags: flags, environment: ProcessInfo.processInfo.environment, file: config)
        var options = try settings.serverOptions()
        let directory = try settings.text("model") ?? ModelOptions.directory(named: nil)
        if try settings.list("modelNames") == nil {
            options.modelNames = [URL(fileURLWithPath: directory).lastPathComponent]
        }
        var engineOptions = model.engineOptions(pictures)
        try settings.apply(to: &engineOptions)
        engineOptions.maximumBatch = options.maximumBatch
        engineOptions.maximumWaiting = options.maximumWaiting
        let logger = try logger(settings)
        let server = Server(options, logger: logger) { [engineOptions] progress in
            try await Engine.load(directory, options: engineOptions, progress: progress)
        }
        let scheme = options.tls == nil ? "http" : "https"
        try await server.run { [options] port in
            Terminal.note("\(directory) on \(scheme)://\(options.host):\(port)")
        }
    }

    private func logger(_ settings: ServerSettings) throws -> Logger {
        let level = try settings.text("logLevel") ?? "info"
        guard let level = Logger.Level(rawValue: level) else {
            throw InputError(
                field: "logLevel",
                expected: Logger.Level.allCases.map(\.rawValue).joined(separator: ", "), found: level)
        }
        let format = try settings.text("logFormat") ?? "text"
        guard let format = LogFormat(rawValue: format) else {
            throw InputError(field: "logFormat", expected: "text or json", found: format)
        }
        return format.logger("qwenvl", level: level)
    }

    /// What was given, by the settings' names.
    private var flags: [String: ServerSettings.Flag] {
        var flags: [String: ServerSettings.Flag] = [:]
        let texts = [
            "host": host, "tlsCertificate": tlsCertificate, "tlsKey": tlsKey, "apiKeyFile": apiKeyFile,
            "model": model.model, "kvCache": model.kvCache?.rawValue, "logLevel": logLevel, "logFormat": logFormat,
        ]
        for (name, text) in texts { if let text { flags[name] = .text(text) } }
        let lists = [
            "apiKeys": apiKeys, "corsOrigins": corsOrigins, "modelNames": modelNames,
            "mediaDirectories": mediaDirectories, "mediaHosts": mediaHosts,
        ]
        for (name, list) in lists where !list.isEmpty { flags[name] = .list(list) }
        let integers = [
            "port": port, "maxBatch": maxBatch, "maxWaiting": maxWaiting, "maxBodyMB": maxBodyMB,
            "maxChoices": maxChoices, "maxMedia": maxMedia, "maxAnswerTokens": maxAnswerTokens,
            "threads": model.threads, "cacheTokens": model.cacheTokens,
        ]
        for (name, integer) in integers { if let integer { flags[name] = .integer(integer) } }
        let numbers = ["requestTimeout": requestTimeout, "shutdownTimeout": shutdownTimeout]
        for (name, number) in numbers { if let number { flags[name] = .number(number) } }
        if let page { flags["page"] = .truth(page) }
        if mediaPrivateAddresses { flags["mediaPrivateAddresses"] = .truth(true) }
        return flags
    }
}
