/// The defaults for generating that a checkpoint brings in `generation_config.json`. What it does not say is nil.
package struct GenerationConfig: Sendable, Equatable, Codable {
    package var doSample: Bool?
    package var temperature: Double?
    package var topK: Int?
    package var topP: Double?
    package var minP: Double?
    package var repetitionPenalty: Double?
    /// The ids that end an answer; the file has one or a list.
    package var eosTokenIDs: [Int]?
    package var padTokenID: Int?
    package var bosTokenID: Int?
    package var maximumNewTokens: Int?

    package init() {}

    /// - Throws: `CheckpointError.malformedJSON` or `.invalidField`.
    package init(parsing bytes: [UInt8], file: String) throws(CheckpointError) {
        let fields = try ConfigFields(parsing: bytes, file: file)
        let ids = 0...Int(Int32.max)
        doSample = try fields.bool("do_sample")
        temperature = try fields.number("temperature", in: 0...1e6)
        topK = try fields.integer("top_k", in: ids)
        topP = try fields.number("top_p", in: 0...1)
        minP = try fields.number("min_p", in: 0...1)
        repetitionPenalty = try fields.number("repetition_penalty", in: 1e-6...1e6)
        if case .array? = try fields.value("eos_token_id") {
            eosTokenIDs = try fields.integers("eos_token_id", in: ids)
        } else {
            eosTokenIDs = try fields.integer("eos_token_id", in: ids).map { [$0] }
        }
        padTokenID = try fields.integer("pad_token_id", in: ids)
        bosTokenID = try fields.integer("bos_token_id", in: ids)
        maximumNewTokens = try fields.integer("max_new_tokens", in: 1...Int(Int32.max))
    }
}
