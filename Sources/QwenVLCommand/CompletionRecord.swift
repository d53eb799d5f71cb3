import QwenVL

/// One answer in the command's JSON.
struct CompletionRecord: Encodable {
    struct Usage: Encodable {
        let prompt_tokens: Int
        let completion_tokens: Int
        let cached_tokens: Int
    }
    struct Token: Encodable {
        let id: Int
        let token: String
        let logprob: Float
    }
    struct Logprob: Encodable {
        let id: Int
        let token: String
        let logprob: Float
        let top: [Token]
    }

    let text: String
    let token_ids: [Int]
    let prompt_token_ids: [Int]
    let finish_reason: String
    let usage: Usage
    let logprobs: [Logprob]?
    let timings: Timings
    let pictures: [PictureReport]
    /// Boxes, points, times and actions that the answer names; nil where it names none.
    let grounding: GroundedAnswer?

    init(_ completion: Completion, engine: Engine) {
        text = completion.text
        token_ids = completion.tokenIDs
        prompt_token_ids = completion.promptTokenIDs
        finish_reason = completion.finishReason.rawValue
        usage = Usage(
            prompt_tokens: completion.usage.promptTokens, completion_tokens: completion.usage.completionTokens,
            cached_tokens: completion.usage.cachedTokens)
        logprobs = completion.logprobs?.map { entry in
            Logprob(
                id: entry.id, token: engine.processor.text(ofToken: entry.id), logprob: entry.logprob,
                top: entry.top.map {
                    Token(id: $0.id, token: engine.processor.text(ofToken: $0.id), logprob: $0.logprob)
                })
        }
        timings = completion.timings
        pictures = completion.pictures
        let grounding = completion.grounding
        self.grounding = grounding.isEmpty ? nil : grounding
    }
}
