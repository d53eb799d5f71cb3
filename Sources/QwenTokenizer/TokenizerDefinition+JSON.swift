extension TokenizerDefinition {
    static let jsonFile = "tokenizer.json"

    /// Reads `tokenizer.json`. Anything in it that would make ids or text differ from what the Qwen2 tokenizer gives
    /// is an error that names it.
    init(tokenizerJSON bytes: [UInt8]) throws(TokenizerError) {
        self.init()
        var found: Set<String> = []
        try bytes.scan(as: Self.jsonFile) { scanner throws(TokenizerError) in
            try scanner.readObject { scanner, key throws(TokenizerError) in
                found.insert(key)
                switch key {
                case "model": try readModel(&scanner)
                case "added_tokens": try readAddedTokens(&scanner)
                case "normalizer": try Self.checkNormalizer(scanner.readValue())
                case "pre_tokenizer": try Self.checkPreTokenizer(scanner.readValue())
                case "post_processor": try Self.checkPostProcessor(scanner.readValue())
                case "decoder": try Self.check(scanner.readValue(), is: "ByteLevel", "decoder")
                default: _ = try scanner.readValue()
                }
            }
        }
        for key in ["model", "normalizer", "pre_tokenizer", "decoder"] where !found.contains(key) {
            throw Self.unsupported(key, expected: "an object", found: nil)
        }
    }

    private mutating func readModel(_ scanner: inout JSONScanner) throws(TokenizerError) {
        var type: String? = nil
        var found: Set<String> = []
        try scanner.readObject { scanner, key throws(TokenizerError) in
            found.insert(key)
            switch key {
            case "vocab": try readVocabulary(&scanner)
            case "merges": try readMerges(&scanner)
            case "type": type = try scanner.readValue().string
            case "ignore_merges": ignoresMerges = try scanner.readValue().bool ?? false
            case "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix":
                let value = try scanner.readValue()
                guard value == .null || value == .string("") || value == .number(0) else {
                    throw Self.unsupported("model.\(key)", expected: "null", found: value)
                }
            // byte_fallback and fuse_unk act on characters without a token; every byte has one here.
            default: _ = try scanner.readValue()
            }
        }
        if let type, type != "BPE" {
            throw Self.unsupported("model.type", expected: "BPE", found: .string(type))
        }
        for key in ["vocab", "merges"] where !found.contains(key) {
            throw Self.unsupported("model.\(key)", expected: "a BPE model", found: nil)
        }
    }

    /// {"token": id, …}
    mutating func readVocabulary(_ scanner: inout JSONScanner) throws(TokenizerError) {
        try scanner.expect("{")
        while try scanner.hasElement(before: "}", isFirst: ids.isEmpty) {
            try tokens.append { bytes throws(TokenizerError) in try scanner.readString(into: &bytes) }
            try scanner.expect(":")
            ids.append(try scanner.readID())
        }
    }

    /// ["a b", …] or [["a", "b"], …]
    private mutating func readMerges(_ scanner: inout JSONScanner) throws(TokenizerError) {
        try scanner.expect("[")
        var pair: [UInt8] = []
        while try scanner.hasElement(before: "]", isFirst: mergeHalves.count == 0) {
            if try scanner.peek() == UInt8(ascii: "[") {
                try scanner.expect("[")
                try mergeHalves.append { bytes throws(TokenizerError) in try scanner.readString(into: &bytes) }
                try scanner.expect(",")
                try mergeHalves.append { bytes throws(TokenizerError) in try scanner.readString(into: &bytes) }
                try scanner.expect("]")
            } else {
                pair.removeAll(keepingCapacity: true)
                try scanner.readString(into: &pair)
                guard let space = pair.firstIndex(of: 0x20), pair.lastIndex(of: 0x20) == space else {
                    throw scanner.malformed("a merge of two tokens")
                }
                pair.withUnsafeBufferPointer {
                    mergeHalves.append(UnsafeBufferPointer(rebasing: $0[..<space]))
                    mergeHalves.append(UnsafeBufferPointer(rebasing: $0[(space + 1)...]))
                }
            }
        }
    }

    private mutating func readAddedTokens(_ scanner: inout JSONScanner) throws(TokenizerError) {
        guard case .array(let elements) = try scanner.readValue() else {
            throw scanner.malformed("added_tokens as an array")
        }
        for element in elements {
            guard case .number(let number)? = element["id"], let id = Int32(exactly: number) else {
                throw Self.unsupported("added_tokens", expected: "an id for each", found: element)
            }
            addedTokens.append(try AddedToken(json: element, id: id, file: Self.jsonFile))
        }
    }

    // MARK: Parts that must be Qwen2's

    private static func unsupported(_ field: String, expected: String, found: JSONValue?) -> TokenizerError {
        .unsupported(file: jsonFile, field: field, expected: expected, found: found?.summary ?? "nothing")
    }

    private static func check(
        _ value: JSONValue, is type: String, _ field: String
    ) throws(TokenizerError) {
        guard value["type"]?.string == type else { throw unsupported(field, expected: type, found: value) }
    }

    private static func checkNormalizer(_ value: JSONValue) throws(TokenizerError) {
        try check(value, is: "NFC", "normalizer")
    }

    private static func checkPreTokenizer(_ value: JSONValue) throws(TokenizerError) {
        try check(value, is: "Sequence", "pre_tokenizer")
        guard case .array(let parts)? = value["pretokenizers"], parts.count == 2 else {
            throw unsupported("pre_tokenizer.pretokenizers", expected: "Split and ByteLevel", found: value)
        }
        let (split, byteLevel) = (parts[0], parts[1])
        try check(split, is: "Split", "pre_tokenizer.pretokenizers[0]")
        let pattern = split["pattern"]?["Regex"]
        guard pattern?.string == PreTokenizer.pattern else {
            throw unsupported("pre_tokenizer pattern", expected: PreTokenizer.pattern, found: pattern)
        }
        guard split["behavior"]?.string == "Isolated", split["invert"]?.bool != true else {
            throw unsupported("pre_tokenizer behavior", expected: "Isolated, not inverted", found: split["behavior"])
        }
        try check(byteLevel, is: "ByteLevel", "pre_tokenizer.pretokenizers[1]")
        // The reference takes an absent flag as true.
        for flag in ["add_prefix_space", "use_regex"] where byteLevel[flag]?.bool ?? true {
            throw unsupported("pre_tokenizer ByteLevel \(flag)", expected: "false", found: byteLevel[flag])
        }
    }

    /// `ByteLevel` only moves offsets, which are not computed here.
    private static func checkPostProcessor(_ value: JSONValue) throws(TokenizerError) {
        if value != .null { try check(value, is: "ByteLevel", "post_processor") }
    }
}
