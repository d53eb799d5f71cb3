#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

extension TokenizerDefinition {
    /// Reads the tokenizer of a checkpoint: `tokenizer.json`, or else `vocab.json` and `merges.txt`. Tokens that only
    /// `tokenizer_config.json` (or, beside `vocab.json`, `added_tokens.json`) lists are added to either.
    package init(directory: URL) throws(TokenizerError) {
        let files = TokenizerFiles(directory: directory)
        let config = try files.readIfPresent("tokenizer_config.json")
        if let bytes = try files.readIfPresent("tokenizer.json") {
            try self.init(tokenizerJSON: bytes)
        } else if let vocabulary = try files.readIfPresent("vocab.json"),
            let merges = try files.readIfPresent("merges.txt")
        {
            self.init()
            try readVocabulary(vocabulary)
            try readMerges(merges)
            if let config { try Self.checkClass(config) }
            if let added = try files.readIfPresent("added_tokens.json") {
                try readAddedTokens(added, config: config, specialMap: files.readIfPresent("special_tokens_map.json"))
            }
        } else {
            throw .missingFiles(directory: directory.path, expected: "tokenizer.json, or vocab.json and merges.txt")
        }
        if let config { try readConfig(config) }
    }

    private mutating func readVocabulary(_ bytes: [UInt8]) throws(TokenizerError) {
        try bytes.scan(as: "vocab.json") { scanner throws(TokenizerError) in
            try readVocabulary(&scanner)
        }
    }

    /// `merges.txt`: one merge a line, after a first line that may give a version.
    private mutating func readMerges(_ bytes: [UInt8]) throws(TokenizerError) {
        try bytes.withUnsafeBufferPointer { text throws(TokenizerError) in
            var start = 0
            while start < text.count {
                var newline = start
                var space: Int? = nil
                var spaces = 0
                while newline < text.count && text[newline] != UInt8(ascii: "\n") {
                    if text[newline] == UInt8(ascii: " ") {
                        space = newline
                        spaces += 1
                    }
                    newline += 1
                }
                let end = newline > start && text[newline - 1] == UInt8(ascii: "\r") ? newline - 1 : newline
                let line = UnsafeBufferPointer(rebasing: text[start..<end])
                let isVersion = start == 0 && line.starts(with: "#version:".utf8)
                if !line.isEmpty && !isVersion {
                    guard let space, spaces == 1, space > start, space + 1 < end else {
                        throw .malformed(file: "merges.txt", offset: start, expected: "two tokens")
                    }
                    mergeHalves.append(UnsafeBufferPointer(rebasing: text[start..<space]))
                    mergeHalves.append(UnsafeBufferPointer(rebasing: text[(space + 1)..<end]))
                }
                start = newline + 1
            }
        }
    }

    /// Without `tokenizer.json` only the class name tells how text is cut into words.
    private static func checkClass(_ config: [UInt8]) throws(TokenizerError) {
        let file = "tokenizer_config.json"
        let name = try config.jsonValue(in: file)["tokenizer_class"]?.string ?? "Qwen2Tokenizer"
        guard name == "Qwen2Tokenizer" || name == "Qwen2TokenizerFast" else {
            throw .unsupported(file: file, field: "tokenizer_class", expected: "Qwen2Tokenizer", found: name)
        }
    }

    /// `added_tokens.json` has contents and ids; which of them are special stands in other files.
    private mutating func readAddedTokens(
        _ bytes: [UInt8], config: [UInt8]?, specialMap: [UInt8]?
    ) throws(TokenizerError) {
        var special: Set<String> = []
        for (file, bytes) in [("tokenizer_config.json", config), ("special_tokens_map.json", specialMap)] {
            guard let bytes, case .object(let members) = try bytes.jsonValue(in: file) else { continue }
            for (key, value) in members where key.hasSuffix("_token") || key == "additional_special_tokens" {
                let values: [JSONValue] = if case .array(let elements) = value { elements } else { [value] }
                special.formUnion(values.compactMap { $0.string ?? $0["content"]?.string })
            }
        }
        try bytes.scan(as: "added_tokens.json") { scanner throws(TokenizerError) in
            try scanner.readObject { scanner, content throws(TokenizerError) in
                let isSpecial = special.contains(content)
                var token = AddedToken(content, id: try scanner.readID(), isSpecial: isSpecial)
                token.isNormalized = !isSpecial
                addedTokens.append(token)
            }
        }
    }

    /// `added_tokens_decoder` of `tokenizer_config.json`: {"id": token}.
    private mutating func readConfig(_ bytes: [UInt8]) throws(TokenizerError) {
        let file = "tokenizer_config.json"
        guard case .object(let members)? = try bytes.jsonValue(in: file)["added_tokens_decoder"] else { return }
        var byContent: [String: Int] = [:]
        for (index, token) in addedTokens.enumerated() { byContent[token.content] = index }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let id = Int32(key) else {
                throw .inconsistent(field: "\(file) added_tokens_decoder", expected: "an id", found: key)
            }
            let token = try AddedToken(json: value, id: id, file: file)
            if let index = byContent[token.content] {
                guard addedTokens[index].id == id else {
                    throw .inconsistent(
                        field: "\(file) added token \(token.content)", expected: "id \(addedTokens[index].id)",
                        found: "id \(id)")
                }
            } else {
                addedTokens.append(token)
            }
        }
    }
}

extension AddedToken {
    /// The object by which `tokenizer.json` and `tokenizer_config.json` describe an added token.
    init(json: JSONValue, id: Int32, file: String) throws(TokenizerError) {
        guard let content = json["content"]?.string else {
            throw .inconsistent(field: "\(file) added token \(id)", expected: "content", found: json.summary)
        }
        let isSpecial = json["special"]?.bool ?? false
        self.init(content, id: id, isSpecial: isSpecial)
        stripsLeft = json["lstrip"]?.bool ?? false
        stripsRight = json["rstrip"]?.bool ?? false
        isNormalized = json["normalized"]?.bool ?? !isSpecial
        if json["single_word"]?.bool == true {
            throw .unsupported(
                file: file, field: "added token \(content) single_word", expected: "false", found: "true")
        }
    }
}

/// The files of one directory.
private struct TokenizerFiles {
    let directory: URL

    func readIfPresent(_ name: String) throws(TokenizerError) -> [UInt8]? {
        let file = directory.appendingPathComponent(name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        do {
            return [UInt8](try Data(contentsOf: file))
        } catch {
            throw .unreadable(file: name, reason: "\(error)")
        }
    }
}

extension [UInt8] {
    /// Parses the bytes with `body`, which must consume all of them.
    func scan<Result>(
        as file: String, _ body: (inout JSONScanner) throws(TokenizerError) -> Result
    ) throws(TokenizerError) -> Result {
        try withUnsafeBufferPointer { text throws(TokenizerError) in
            var scanner = try JSONScanner(text, file: file)
            let result = try body(&scanner)
            try scanner.expectEnd()
            return result
        }
    }

    func jsonValue(in file: String) throws(TokenizerError) -> JSONValue {
        try scan(as: file) { scanner throws(TokenizerError) in try scanner.readValue() }
    }
}
