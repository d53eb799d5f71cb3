/// Something that answers conversations: an ``Engine`` in this process, or a server that runs one.
public protocol ChatModel: Sendable {
    /// Answers one conversation, piece by piece. Ending the iteration ends the work.
    /// - Parameters:
    ///   - tools: the functions that the model may call, each in OpenAI's form (`{"type": "function", "function": …}`).
    ///   - options: what is nil is left to the model.
    /// - Returns: progress, pieces of text, and at the end the whole; throws ``QwenVLError``.
    func stream(
        _ messages: [ChatMessage], tools: [JSONValue], options: GenerationOptions
    ) -> AsyncThrowingStream<GenerationEvent, any Error>
}

extension ChatModel {
    /// Answers one conversation, piece by piece. Ending the iteration ends the work.
    public func stream(
        _ messages: [ChatMessage], options: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<GenerationEvent, any Error> {
        stream(messages, tools: [], options: options)
    }

    /// Answers one conversation.
    /// - Throws: ``QwenVLError``; `CancellationError` when the task is cancelled.
    public func reply(
        to messages: [ChatMessage], tools: [JSONValue] = [], options: GenerationOptions = GenerationOptions()
    ) async throws -> Completion {
        for try await event in stream(messages, tools: tools, options: options) {
            if case .finished(let completion) = event { return completion }
        }
        throw CancellationError()
    }
}
