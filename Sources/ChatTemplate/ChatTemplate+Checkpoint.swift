package import Foundation

/// Why no chat template could be read from a checkpoint.
package enum ChatTemplateFileError: Error, Equatable, CustomStringConvertible {
    /// No file of the directory holds one.
    case missing(directory: String)
    /// A file cannot be read.
    case unreadable(file: String, reason: String)
    /// A field of a file holds something else.
    case malformed(file: String, field: String, expected: String)

    package var description: String {
        switch self {
        case .missing(let directory):
            "\(directory): expected chat_template.jinja, chat_template.json, or chat_template in "
                + "tokenizer_config.json; found none"
        case .unreadable(let file, let reason): "\(file): \(reason)"
        case .malformed(let file, let field, let expected): "\(file): \(field): expected \(expected)"
        }
    }
}

extension ChatTemplate {
    /// Reads a checkpoint's template and special tokens.
    ///
    /// Of several files the first of `chat_template.jinja`, `chat_template.json` and `tokenizer_config.json` counts,
    /// as in Transformers' processors. A list of named templates gives `default`, and `tool_use` for tools.
    /// - Throws: ``ChatTemplateFileError``, ``TemplateError``.
    package static func load(directory: URL) throws -> ChatTemplate {
        let configName = "tokenizer_config.json"
        let config = try document(configName, in: directory)
        let variables = config.map(specialTokens) ?? [:]
        if let source = try contents("chat_template.jinja", in: directory) {
            return try ChatTemplate(source: String(decoding: source, as: UTF8.self), variables: variables)
        }
        let named: [(file: String, document: TemplateValue?)] = [
            ("chat_template.json", try document("chat_template.json", in: directory)), (configName, config),
        ]
        for (file, document) in named {
            guard let template = document?["chat_template"], template != .null else { continue }
            return try parse(template, file: file, variables: variables)
        }
        throw ChatTemplateFileError.missing(directory: directory.path)
    }

    private static func contents(_ name: String, in directory: URL) throws -> Data? {
        let file = directory.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        do {
            return try Data(contentsOf: file)
        } catch {
            throw ChatTemplateFileError.unreadable(file: file.path, reason: error.localizedDescription)
        }
    }

    private static func document(_ name: String, in directory: URL) throws -> TemplateValue? {
        guard let data = try contents(name, in: directory) else { return nil }
        do {
            return try TemplateValue(json: data)
        } catch {
            throw ChatTemplateFileError.unreadable(
                file: directory.appending(path: name).path, reason: error.description)
        }
    }

    private static func parse(
        _ template: TemplateValue, file: String, variables: [String: TemplateValue]
    ) throws -> ChatTemplate {
        switch template {
        case .string(let source): return try ChatTemplate(source: source, variables: variables)
        case .list(let items):
            var sources: [String: String] = [:]
            for item in items {
                guard case .string(let name)? = item["name"], case .string(let source)? = item["template"] else {
                    throw ChatTemplateFileError.malformed(
                        file: file, field: "chat_template", expected: "objects with name and template")
                }
                sources[name] = source
            }
            guard let source = sources["default"] ?? sources["tool_use"] else {
                throw ChatTemplateFileError.malformed(
                    file: file, field: "chat_template", expected: "a template named default")
            }
            return try ChatTemplate(source: source, toolSource: sources["tool_use"], variables: variables)
        default:
            throw ChatTemplateFileError.malformed(
                file: file, field: "chat_template", expected: "a string or a list of named templates")
        }
    }

    /// The special tokens a template can name; each is a string, or an object with `content`.
    private static func specialTokens(_ config: TemplateValue) -> [String: TemplateValue] {
        var result: [String: TemplateValue] = [:]
        for name in ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] {
            switch config[name] {
            case .string(let text)?: result[name] = .string(text)
            case .mapping?: if let text = config[name]?["content"] { result[name] = text }
            default: break
            }
        }
        if let additional = config["additional_special_tokens"], case .list = additional {
            result["additional_special_tokens"] = additional
        }
        return result
    }
}
