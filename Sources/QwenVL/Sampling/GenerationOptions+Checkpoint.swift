import ChatTemplate

extension GenerationOptions {
    /// Reads the defaults from the text of a checkpoint's `generation_config.json`.
    ///
    /// Absent fields stay nil, except `do_sample`, which Transformers takes as false.
    /// - Throws: ``InputError`` naming the field.
    package init(generationConfig json: some Sequence<UInt8>) throws(InputError) {
        let file = "generation_config.json"
        let config = JSONField(try TemplateValue.parse(json, named: file), path: file)
        _ = try config.object()
        self.init()
        doSample = try config.optional("do_sample")?.boolean() ?? false
        temperature = try config.optional("temperature")?.number()
        topK = try config.optional("top_k")?.integer(in: 0...Int.max, "an integer of at least 0")
        topP = try config.optional("top_p")?.number()
        minP = try config.optional("min_p")?.number()
        repetitionPenalty = try config.optional("repetition_penalty")?.number()
        maxTokens = try config.optional("max_new_tokens")?.positiveInteger()
        if let field = config.optional("eos_token_id") {
            endOfSequenceIDs = try Self.tokenIDs(field)
        }
        do {
            try validate()
        } catch {
            throw InputError(field: "\(file).\(error.field)", expected: error.expected, found: error.found)
        }
    }

    private static func tokenIDs(_ field: JSONField) throws(InputError) -> [Int] {
        guard case .list = field.value else {
            return [try field.integer(in: 0...Int(Int32.max), "a token id or a list of them")]
        }
        var ids: [Int] = []
        for element in try field.elements() { ids.append(try element.integer(in: 0...Int(Int32.max), "a token id")) }
        return ids
    }
}
