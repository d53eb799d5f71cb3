import ChatTemplate
import Configuration
import Foundation
public import QwenVL
import SystemPackage

/// A server's settings from flags, the environment and a file, in this order: the first that names a setting decides.
///
/// A setting has one name, spelt as its surroundings spell names: `maxWaiting` in the file, `QWENVL_MAX_WAITING` in the
/// environment, `--max-waiting` as a flag.
public struct ServerSettings: Sendable {
    /// A flag that was given.
    public enum Flag: Sendable {
        case text(String)
        case list([String])
        case integer(Int)
        case number(Double)
        case truth(Bool)
    }

    private let providers: [any ConfigProvider]

    /// - Parameters:
    ///   - flags: what the command line said, by setting.
    ///   - environment: the process's environment.
    ///   - file: a JSON file of settings.
    /// - Throws: `InputError` for a file that cannot be read, or that has a setting nobody knows.
    public init(flags: [String: Flag], environment: [String: String], file: String?) async throws {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (name, flag) in flags { values[[name]] = ConfigValue(flag.content, isSecret: name == "apiKeys") }
        var providers: [any ConfigProvider] = [
            InMemoryProvider(values: values),
            EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "qwenvl"),
        ]
        if let file {
            try Self.checkNames(in: file)
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(file)))
            } catch {
                throw InputError(field: "--config", expected: "a JSON file of settings", found: "\(file): \(error)")
            }
        }
        self.providers = providers
    }

    /// A setting that is misspelt must not be a setting that does nothing.
    private static func checkNames(in file: String) throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw InputError(field: "--config", expected: "a file that can be read", found: file)
        }
        let known = Set(names)
        for (name, _) in try JSONField(JSON.parse(data, named: file), path: file).object("an object of settings")
        where !known.contains(name) {
            throw InputError(
                field: file, expected: "settings among \(names.sorted().joined(separator: ", "))", found: name)
        }
    }

    /// Every setting.
    public static let names = [
        "host", "port", "tlsCertificate", "tlsKey", "page", "apiKeys", "apiKeyFile", "corsOrigins", "modelNames",
        "maxBodyMB", "bodyTimeout", "requestTimeout", "idleTimeout", "shutdownTimeout", "maxWaiting", "maxBatch",
        "maxChoices", "maxMessages", "maxMedia", "maxAnswerTokens", "model", "threads", "kvCache", "cacheTokens",
        "visionCacheMB", "mediaDirectories", "mediaHosts", "mediaPrivateAddresses", "logLevel", "logFormat",
    ]

    // MARK: Reading

    private func content(_ name: String, _ type: ConfigType, _ expected: String) throws(InputError) -> ConfigContent? {
        for provider in providers {
            do {
                if let value = try provider.value(forKey: [name], type: type).value { return value.content }
            } catch {
                throw InputError(field: name, expected: expected, found: "something else in \(provider.providerName)")
            }
        }
        return nil
    }

    /// A setting that is text.
    public func text(_ name: String) throws(InputError) -> String? {
        guard case .string(let text)? = try content(name, .string, "a text") else { return nil }
        return text
    }

    /// A setting that is a list; in the environment its elements are separated by commas.
    public func list(_ name: String) throws(InputError) -> [String]? {
        guard case .stringArray(let list)? = try content(name, .stringArray, "a list of texts") else { return nil }
        return list
    }

    /// A setting that is an integer of the range.
    public func integer(_ name: String, in range: ClosedRange<Int>) throws(InputError) -> Int? {
        let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
        guard case .int(let value)? = try content(name, .int, expected) else { return nil }
        guard range.contains(value) else { throw InputError(field: name, expected: expected, found: "\(value)") }
        return value
    }

    private func seconds(_ name: String) throws(InputError) -> Double? {
        guard case .double(let value)? = try content(name, .double, "a number of seconds") else { return nil }
        // A week; beyond it there is no limit to speak of.
        guard value > 0, value <= 604_800 else {
            throw InputError(field: name, expected: "seconds, above 0 and up to 604800", found: "\(value)")
        }
        return value
    }

    private func truth(_ name: String) throws(InputError) -> Bool? {
        guard case .bool(let value)? = try content(name, .bool, "true or false") else { return nil }
        return value
    }

    // MARK: Applying

    /// The server's options.
    public func serverOptions() throws -> ServerOptions {
        var options = ServerOptions()
        options.host = try text("host") ?? options.host
        options.port = try integer("port", in: 0...65535) ?? options.port
        options.servesPage = try truth("page") ?? options.servesPage
        options.allowedOrigins = try list("corsOrigins") ?? options.allowedOrigins
        options.modelNames = try list("modelNames") ?? options.modelNames
        options.apiKeys = try keys()
        switch (try text("tlsCertificate"), try text("tlsKey")) {
        case (let certificate?, let key?): options.tls = .init(certificate: certificate, key: key)
        case (nil, nil): break
        default: throw InputError(field: "tls", expected: "both tlsCertificate and tlsKey", found: "one of them")
        }
        options.readsFiles = try list("mediaDirectories") != nil
        options.maximumBodyBytes = try integer("maxBodyMB", in: 1...4096).map { $0 << 20 } ?? options.maximumBodyBytes
        options.bodyTimeout = try seconds("bodyTimeout") ?? options.bodyTimeout
        options.requestTimeout = try seconds("requestTimeout") ?? options.requestTimeout
        options.idleTimeout = try seconds("idleTimeout") ?? options.idleTimeout
        options.shutdownTimeout = try seconds("shutdownTimeout") ?? options.shutdownTimeout
        options.maximumWaiting = try integer("maxWaiting", in: 0...100_000) ?? options.maximumWaiting
        options.maximumBatch = try integer("maxBatch", in: 1...512) ?? options.maximumBatch
        options.maximumChoices = try integer("maxChoices", in: 1...512) ?? options.maximumChoices
        options.maximumMessages = try integer("maxMessages", in: 1...1_000_000) ?? options.maximumMessages
        options.maximumMedia = try integer("maxMedia", in: 0...100_000) ?? options.maximumMedia
        options.maximumAnswerTokens = try integer("maxAnswerTokens", in: 1...10_000_000)
        return options
    }

    /// Keys of the setting and of the file, one a line: a key on the command line is seen by everybody on the machine.
    private func keys() throws -> [String] {
        var keys = try list("apiKeys") ?? []
        if let file = try text("apiKeyFile") {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw InputError(field: "apiKeyFile", expected: "a file that can be read", found: file)
            }
            let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
            keys += lines.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
            if keys.isEmpty {
                throw InputError(field: "apiKeyFile", expected: "at least one key", found: "none in \(file)")
            }
        }
        if keys.contains("") { throw InputError(field: "apiKeys", expected: "keys", found: "an empty one") }
        return keys
    }

    /// What of the engine's options the settings say.
    public func apply(to options: inout EngineOptions) throws(InputError) {
        options.threads = try integer("threads", in: 1...1024) ?? options.threads
        if let name = try text("kvCache") {
            guard let format = EngineOptions.KVCache(rawValue: name) else {
                throw InputError(field: "kvCache", expected: "full or int8", found: name)
            }
            options.kvCache = format
        }
        options.cacheTokens = try integer("cacheTokens", in: 64...16_777_216) ?? options.cacheTokens
        options.visionCacheBytes =
            try integer("visionCacheMB", in: 0...1_000_000).map { $0 << 20 } ?? options.visionCacheBytes
        var media = MediaPolicy.server
        if let directories = try list("mediaDirectories") { media.files = .under(directories) }
        if let hosts = try list("mediaHosts") {
            media.hosts = hosts == ["none"] ? .none : hosts.contains("*") ? .any : .only(hosts)
        }
        media.allowsPrivateAddresses = try truth("mediaPrivateAddresses") ?? media.allowsPrivateAddresses
        options.processor.media = media
    }
}

extension ServerSettings.Flag {
    fileprivate var content: ConfigContent {
        switch self {
        case .text(let text): .string(text)
        case .list(let list): .stringArray(list)
        case .integer(let integer): .int(integer)
        case .number(let number): .double(number)
        case .truth(let truth): .bool(truth)
        }
    }
}
