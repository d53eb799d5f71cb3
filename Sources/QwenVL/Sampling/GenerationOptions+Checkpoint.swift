package import Checkpoint

extension GenerationOptions {
    /// The defaults of a checkpoint's `generation_config.json`.
    ///
    /// What the file does not say stays nil, except `do_sample`, which Transformers takes as false.
    package init(_ config: GenerationConfig) {
        self.init()
        doSample = config.doSample ?? false
        temperature = config.temperature
        topK = config.topK
        topP = config.topP
        minP = config.minP
        repetitionPenalty = config.repetitionPenalty
        maxTokens = config.maximumNewTokens
        endOfSequenceIDs = config.eosTokenIDs
    }
}
