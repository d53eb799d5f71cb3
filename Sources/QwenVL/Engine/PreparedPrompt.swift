import Checkpoint
import QwenTokenizer
import QwenVLModel

/// A conversation made ready: rendered, its pictures decoded, split into tokens. It may be asked any number of times.
public struct PreparedPrompt: Sendable {
    let prompt: Prompt

    init(_ prompt: Prompt) { self.prompt = prompt }

    /// The tokens that the model will read.
    public var tokenIDs: [Int] { prompt.tokens.map(Int.init) }
    /// How many they are.
    public var tokenCount: Int { prompt.tokens.count }
    /// The pictures and videos, in order.
    public var pictures: [PictureReport] { prompt.media.map(\.report) }
}

extension Processor {
    /// Renders a conversation, decodes its pictures and splits it into tokens.
    /// - Parameter tools: the functions that the model may call, each in OpenAI's form
    ///   (`{"type": "function", "function": …}`).
    /// - Throws: ``QwenVLError``.
    public func prepare(_ messages: [ChatMessage], tools: [JSONValue] = []) async throws -> PreparedPrompt {
        do {
            return PreparedPrompt(try await prompt(messages, tools: tools))
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// Plain text to be continued, as it stands.
    /// - Throws: ``InputError`` for a text that contains a picture's placeholder, or nothing.
    public func prepare(text: String) throws -> PreparedPrompt {
        for token in [Self.imageToken, Self.videoToken] where text.contains(token) {
            throw InputError(
                field: "prompt", expected: "text without \(token), which stands for a picture or video", found: token)
        }
        return try prepare(tokenIDs: tokenizer.encode(text).map(Int.init))
    }

    /// Tokens to be continued, as they stand.
    /// - Throws: ``InputError`` for ids that are no tokens, or stand for pictures.
    public func prepare(tokenIDs: [Int]) throws -> PreparedPrompt {
        if tokenIDs.isEmpty { throw InputError(field: "prompt", expected: "at least one token", found: "none") }
        for (index, id) in tokenIDs.enumerated() {
            guard (0..<config.text.vocabularySize).contains(id), id != config.tokens.image, id != config.tokens.video
            else {
                throw InputError(
                    field: "prompt[\(index)]",
                    expected: "a token id below \(config.text.vocabularySize) that stands for no picture",
                    found: "\(id)")
            }
        }
        var prompt = Prompt()
        prompt.tokens = tokenIDs.map { Int32(truncatingIfNeeded: $0) }
        prompt.spans = [.text(count: tokenIDs.count)]
        return PreparedPrompt(prompt)
    }

    /// The token ids of a text, control tokens that it spells out among them.
    public func tokenIDs(of text: String) -> [Int] { tokenizer.encode(text).map(Int.init) }

    /// The text of tokens; bytes that are no whole character become U+FFFD.
    /// - Throws: ``InputError`` for an id that is no token.
    public func text(ofTokens ids: [Int]) throws -> String {
        for (index, id) in ids.enumerated() where !tokenizer.contains(Int32(clamping: id)) {
            throw InputError(field: "tokens[\(index)]", expected: "a token id", found: "\(id)")
        }
        do {
            return try tokenizer.decode(ids.map { Int32(clamping: $0) })
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    /// The bytes that one token contributes to text; none for ids beyond the tokenizer's.
    public func bytes(ofToken id: Int) -> [UInt8] {
        let id = Int32(clamping: id)
        return tokenizer.contains(id) ? (try? tokenizer.bytes(of: id)) ?? [] : []
    }

    /// The tokens that prompt and answer can have together, by the model's positions.
    public var contextLength: Int { config.text.contextLength }
}
