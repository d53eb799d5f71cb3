/// Takes tool calls out of an answer while it is written.
///
/// What lies between `<tool_call>` and `</tool_call>` and is no call stays text: nothing of an answer is lost.
public struct ToolCallParser: Sendable {
    /// What a piece of an answer turned out to be.
    public enum Element: Sendable, Equatable {
        /// Text of the answer.
        case text(String)
        /// A whole call.
        case call(ToolCall)
    }

    /// What is not decided yet: white space or the beginning of a tag outside a call, everything inside one.
    private var held = ""
    private var isInside = false

    /// Before the first piece.
    public init() {}

    /// A whole answer, taken apart.
    public static func parse(_ text: String) -> (content: String, calls: [ToolCall]) {
        var parser = ToolCallParser()
        var (content, calls) = ("", [ToolCall]())
        for element in parser.push(text) + parser.finish() {
            switch element {
            case .text(let text): content += text
            case .call(let call): calls.append(call)
            }
        }
        return (content, calls)
    }

    /// Takes the next piece of the answer.
    public mutating func push(_ piece: String) -> [Element] {
        held += piece
        var elements: [Element] = []
        while true {
            guard let tag = held.firstRange(of: isInside ? ToolCall.end : ToolCall.begin) else { break }
            let before = held[..<tag.lowerBound]
            if isInside {
                if let call = ToolCall(parsing: before) {
                    elements.append(.call(call))
                } else {
                    elements.append(.text(ToolCall.begin + before + ToolCall.end))
                }
            } else {
                // The line break before a call belongs to its form.
                let text = String(before.trimmingSuffix(while: \.isWhitespace))
                if !text.isEmpty { elements.append(.text(text)) }
            }
            held = String(held[tag.upperBound...])
            isInside.toggle()
        }
        if !isInside {
            let text = String(held.prefix(held.count - undecidedLength))
            held.removeFirst(text.count)
            if !text.isEmpty { elements.append(.text(text)) }
        }
        return elements
    }

    /// At the end of the answer: what was held back. A call that has no end but is whole counts.
    public mutating func finish() -> [Element] {
        defer { held = "" }
        guard isInside else { return held.isEmpty ? [] : [.text(held)] }
        isInside = false
        if let call = ToolCall(parsing: held) { return [.call(call)] }
        return [.text(ToolCall.begin + held)]
    }

    /// How many characters at the end may be white space before a call, or the beginning of its tag.
    private var undecidedLength: Int {
        var length = 0
        for count in 1..<ToolCall.begin.count where held.hasSuffix(ToolCall.begin.prefix(count)) { length = count }
        let rest = held.dropLast(length)
        return length + rest.reversed().prefix(while: \.isWhitespace).count
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while holds: (Character) -> Bool) -> Substring {
        var end = endIndex
        while end > startIndex, holds(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}
