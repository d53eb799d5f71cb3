package import ChatTemplate

/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks. Chat templates print it as it stands.
    public struct Role: Sendable, Hashable, RawRepresentable, ExpressibleByStringLiteral {
        /// The name in JSON and in the prompt.
        public let rawValue: String
        /// A role of any name.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// A role of any name.
        public init(stringLiteral value: String) { rawValue = value }
        /// Instructions.
        public static let system: Role = "system"
        /// The user.
        public static let user: Role = "user"
        /// The model.
        public static let assistant: Role = "assistant"
        /// The result of a tool call.
        public static let tool: Role = "tool"
    }

    /// What is said. A template can tell a string from a list of parts, so both exist.
    public enum Content: Sendable, Equatable {
        /// No `content` field (an assistant's turn that only calls tools).
        case absent
        /// `"content": null`.
        case null
        /// A string.
        case text(String)
        /// Text, pictures and videos in order.
        case parts([ContentPart])
    }

    /// Who speaks.
    public var role: Role
    /// What is said.
    public var content: Content
    /// Further fields (`tool_calls`, `tool_call_id`, `name`, `reasoning_content`…), passed to the template as they are.
    public var extra: [String: JSONValue] {
        didSet {
            extraOrder =
                extraOrder.filter { extra[$0] != nil } + extra.keys.filter { !extraOrder.contains($0) }.sorted()
        }
    }
    private var extraOrder: [String]

    /// A message.
    public init(role: Role, content: Content, extra: [String: JSONValue] = [:]) {
        self.role = role
        self.content = content
        self.extra = extra
        extraOrder = extra.keys.sorted()
    }

    /// Equal whatever the order of the further fields.
    public static func == (left: ChatMessage, right: ChatMessage) -> Bool {
        left.role == right.role && left.content == right.content && left.extra == right.extra
    }

    /// The parts of the message; a string is one part of text.
    public var parts: [ContentPart] {
        switch content {
        case .absent, .null: []
        case .text(let text): [.text(text)]
        case .parts(let parts): parts
        }
    }

    /// The text of the message, without pictures and videos.
    public var text: String {
        parts.map { if case .text(let text) = $0 { text } else { "" } }.joined()
    }
}

extension ChatMessage {
    /// The user's text.
    public static func user(_ text: String) -> ChatMessage { ChatMessage(role: .user, content: .text(text)) }
    /// The user's pictures, videos and text, in order.
    public static func user(_ parts: ContentPart...) -> ChatMessage { ChatMessage(role: .user, content: .parts(parts)) }
    /// The user's pictures, videos and text, in order.
    public static func user(_ parts: [ContentPart]) -> ChatMessage { ChatMessage(role: .user, content: .parts(parts)) }
    /// Instructions.
    public static func system(_ text: String) -> ChatMessage { ChatMessage(role: .system, content: .text(text)) }
    /// What the model said.
    public static func assistant(_ text: String) -> ChatMessage { ChatMessage(role: .assistant, content: .text(text)) }
    /// The result of a tool call.
    public static func tool(_ text: String) -> ChatMessage { ChatMessage(role: .tool, content: .text(text)) }
}

// MARK: JSON

extension ChatMessage {
    /// Reads a message in the form of the model card.
    /// - Throws: ``InputError`` naming the field.
    package init(_ field: JSONField) throws(InputError) {
        let object = try field.object("a message (an object with role and content)")
        let role = try field.required("role", "a string")
        let name = try role.string()
        if name.isEmpty { throw role.failure(expected: "the name of a role") }
        self.init(role: Role(rawValue: name), content: try Content(field))
        for (key, value) in object where key != "role" && key != "content" {
            extraOrder.append(key)
            extra[key] = JSONValue(value)
        }
        if content == .absent, extra.isEmpty {
            _ = try field.required("content", "a string or a list of parts")
        }
    }

    /// Reads one conversation (a list of messages) or several (a list of lists) from JSON.
    ///
    /// An object with a `messages` field counts as that field's conversation.
    /// - Throws: ``InputError`` naming the field, for example
    ///   `messages[2].content[0].min_pixels: expected a positive integer, found "x"`.
    public static func conversations(json: some Sequence<UInt8>) throws(InputError) -> [[ChatMessage]] {
        try conversations(JSONField(TemplateValue.parse(json, named: "messages"), path: ""))
    }

    /// Reads one conversation or several from JSON text.
    public static func conversations(json: String) throws(InputError) -> [[ChatMessage]] {
        try conversations(json: json.utf8)
    }

    package static func conversations(_ document: JSONField) throws(InputError) -> [[ChatMessage]] {
        if case .mapping = document.value {
            return [try conversation(document.required("messages", "a list of messages"))]
        }
        if case .list(let items) = document.value, case .list? = items.first {
            var result: [[ChatMessage]] = []
            for field in try JSONField(document.value, path: "conversations").elements() {
                result.append(try conversation(field))
            }
            return result
        }
        return [try conversation(JSONField(document.value, path: "messages"))]
    }

    package static func conversation(_ field: JSONField) throws(InputError) -> [ChatMessage] {
        let elements = try field.elements("a list of messages")
        if elements.isEmpty { throw field.failure(expected: "at least one message") }
        var messages: [ChatMessage] = []
        for element in elements { messages.append(try ChatMessage(element)) }
        return messages
    }

    /// The message as chat templates know it.
    package var templateValue: TemplateValue { value(part: \.templateValue) }

    /// The message in the form of the model card.
    package var json: TemplateValue { value(part: \.json) }

    private func value(part: (ContentPart) -> TemplateValue) -> TemplateValue {
        var members: [(String, TemplateValue)] = [("role", .string(role.rawValue))]
        switch content {
        case .absent: break
        case .null: members.append(("content", .null))
        case .text(let text): members.append(("content", .string(text)))
        case .parts(let parts): members.append(("content", .list(parts.map(part))))
        }
        for key in extraOrder {
            if let value = extra[key] { members.append((key, value.value)) }
        }
        return .mapping(members)
    }
}

extension ChatMessage.Content {
    fileprivate init(_ message: JSONField) throws(InputError) {
        guard let field = message.optional("content") else {
            self = message.value["content"] == nil ? .absent : .null
            return
        }
        switch field.value {
        case .string(let text): self = .text(text)
        case .list:
            var parts: [ContentPart] = []
            for element in try field.elements() { parts.append(try ContentPart(element)) }
            self = .parts(parts)
        default: throw field.failure(expected: "a string or a list of parts")
        }
    }
}

extension ChatMessage: Codable {
    /// Reads a message in the form of the model card.
    /// - Throws: ``InputError`` naming the field.
    public init(from decoder: any Decoder) throws {
        try self.init(JSONField(TemplateValue(from: decoder), path: Self.path(decoder.codingPath)))
    }

    /// Writes the message in the form of the model card.
    public func encode(to encoder: any Encoder) throws { try value(part: \.json).encode(to: encoder) }

    private static func path(_ keys: [any CodingKey]) -> String {
        let path = keys.reduce("") { path, key in
            if let index = key.intValue { return "\(path)[\(index)]" }
            return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)"
        }
        return path.isEmpty ? "message" : path.hasPrefix("[") ? "messages" + path : path
    }
}
