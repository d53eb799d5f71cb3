import ChatTemplate
import Foundation
public import Logging

/// How the log is written.
public enum LogFormat: String, Sendable, CaseIterable {
    /// For people: one line, `key=value` pairs at its end.
    case text
    /// For programs: one JSON object a line.
    case json

    /// A logger that writes to standard error.
    public func logger(_ label: String, level: Logger.Level) -> Logger {
        var logger = Logger(label: label) { label in
            switch self {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler(label: label)
            }
        }
        logger.logLevel = level
        return logger
    }
}

/// One JSON object a line on standard error.
struct JSONLogHandler: LogHandler {
    let label: String
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info
    var metadataProvider: Logger.MetadataProvider?

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members: [(String, JSON)] = [
            ("time", .string(Date.now.formatted(.iso8601.time(includingFractionalSeconds: true)))),
            ("level", .string(event.level.rawValue)), ("message", .string(event.message.description)),
        ]
        let all = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { members.append((key, .string("\(value)"))) }
        let line = JSON.mapping(members).serialized(.compact) + "\n"
        // Nothing useful can be done where the log cannot be written.
        try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
    }
}
