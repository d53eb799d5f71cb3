enum TemplateToken: Equatable, Sendable {
    case data(String)
    case variableBegin, variableEnd, blockBegin, blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case float(Double)
    case symbol(String)
    case end

    var description: String {
        switch self {
        case .data: "template text"
        case .variableBegin: "'{{'"
        case .variableEnd: "'}}'"
        case .blockBegin: "'{%'"
        case .blockEnd: "'%}'"
        case .name(let name): "'\(name)'"
        case .string: "a string"
        case .integer(let value): "'\(value)'"
        case .float(let value): "'\(value)'"
        case .symbol(let symbol): "'\(symbol)'"
        case .end: "the end of the template"
        }
    }
}

struct LocatedToken: Sendable {
    let token: TemplateToken
    let line: Int
}

/// Cuts a template into tokens, with `trim_blocks` and `lstrip_blocks` on as Transformers sets them.
struct TemplateLexer {
    private let text: [Unicode.Scalar]
    private var position = 0
    private var line = 1
    /// Whether what precedes `position` ended a line (or is the beginning): lstrip_blocks looks at it.
    private var atLineStart = true
    private var tokens: [LocatedToken] = []

    init(_ source: String) throws(TemplateError) {
        guard source.utf8.count <= TemplateLimits.sourceBytes else {
            throw TemplateError(.limit, line: 1, "the template has more than \(TemplateLimits.sourceBytes) bytes")
        }
        var scalars: [Unicode.Scalar] = []
        var afterReturn = false
        for scalar in source.unicodeScalars {
            if scalar == "\r" { scalars.append("\n") } else if scalar != "\n" || !afterReturn { scalars.append(scalar) }
            afterReturn = scalar == "\r"
        }
        // keep_trailing_newline is off: one newline at the end does not count.
        if scalars.last == "\n" { scalars.removeLast() }
        text = scalars
    }

    static func tokens(_ source: String) throws(TemplateError) -> [LocatedToken] {
        var lexer = try TemplateLexer(source)
        while lexer.position < lexer.text.count { try lexer.nextSection() }
        lexer.add(.end)
        return lexer.tokens
    }

    // MARK: Text

    private func failure(_ message: String) -> TemplateError { TemplateError(.syntax, line: line, message) }

    private mutating func add(_ token: TemplateToken) { tokens.append(LocatedToken(token: token, line: line)) }

    private func has(_ string: StaticString, at place: Int) -> Bool {
        string.withUTF8Buffer { bytes in
            place + bytes.count <= text.count
                && bytes.indices.allSatisfy { text[place + $0].value == UInt32(bytes[$0]) }
        }
    }

    private mutating func advance(to end: Int) {
        for index in position..<end where text[index] == "\n" { line += 1 }
        if end > position { atLineStart = text[end - 1] == "\n" }
        position = end
    }

    private func skippingSpace(_ start: Int) -> Int {
        var end = start
        while end < text.count, text[end].isPythonSpace { end += 1 }
        return end
    }

    /// Text up to the next tag, then that tag.
    private mutating func nextSection() throws(TemplateError) {
        var start = position
        while start < text.count, !(has("{{", at: start) || has("{%", at: start) || has("{#", at: start)) { start += 1 }
        if start == text.count {
            addData(position..<start)
            return advance(to: start)
        }
        let sign = start + 2 < text.count ? text[start + 2] : " "
        let isVariable = text[start + 1] == "{"
        addData(stripped(position..<start, sign: sign, isVariable: isVariable))
        let contents = start + (sign == "-" || sign == "+" ? 3 : 2)
        advance(to: contents)
        switch text[start + 1] {
        case "{": try tag(.variableBegin, .variableEnd)
        case "%": if try !raw(contents) { try tag(.blockBegin, .blockEnd) }
        default: try comment()
        }
    }

    private mutating func addData(_ range: Range<Int>) {
        if range.isEmpty { return }
        var string = String.UnicodeScalarView()
        string.append(contentsOf: text[range])
        add(.data(String(string)))
    }

    /// The text before a tag, less what the tag strips.
    private func stripped(_ range: Range<Int>, sign: Unicode.Scalar, isVariable: Bool) -> Range<Int> {
        var end = range.upperBound
        if sign == "-" {
            while end > range.lowerBound, text[end - 1].isPythonSpace { end -= 1 }
        } else if sign != "+", !isVariable {
            var start = end
            while start > range.lowerBound, text[start - 1] != "\n", text[start - 1].isPythonSpace { start -= 1 }
            let startsLine = start == range.lowerBound ? atLineStart : text[start - 1] == "\n"
            if startsLine { end = start }
        }
        return range.lowerBound..<end
    }

    /// The position after a closing tag at `place`, whose length is `mark` without its sign; nil when there is none.
    private func closing(_ mark: StaticString, at place: Int, trims: Bool) -> Int? {
        if has(mark, at: place) {
            let end = place + 2
            return trims && end < text.count && text[end] == "\n" ? end + 1 : end
        }
        guard place < text.count, has(mark, at: place + 1) else { return nil }
        if text[place] == "-" { return skippingSpace(place + 3) }
        return text[place] == "+" && trims ? place + 3 : nil
    }

    private mutating func comment() throws(TemplateError) {
        var place = position
        while place < text.count {
            if let end = closing("#}", at: place, trims: true) { return advance(to: end) }
            place += 1
        }
        throw failure("a comment is not closed")
    }

    /// `{% raw %}…{% endraw %}`, when that is what begins at `contents`.
    private mutating func raw(_ contents: Int) throws(TemplateError) -> Bool {
        let name = skippingSpace(contents)
        guard has("raw", at: name) else { return false }
        let close = skippingSpace(name + 3)
        guard has("%}", at: close) || has("-%}", at: close) else { return false }
        advance(to: has("%}", at: close) ? close + 2 : skippingSpace(close + 3))
        for start in position..<text.count where has("{%", at: start) {
            let sign = start + 2 < text.count ? text[start + 2] : " "
            let name = skippingSpace(start + (sign == "-" || sign == "+" ? 3 : 2))
            guard has("endraw", at: name), let end = closing("%}", at: skippingSpace(name + 6), trims: true) else {
                continue
            }
            addData(stripped(position..<start, sign: sign, isVariable: false))
            advance(to: end)
            return true
        }
        throw failure("'raw' is not closed")
    }

    // MARK: Inside of tags

    private mutating func tag(_ begin: TemplateToken, _ end: TemplateToken) throws(TemplateError) {
        add(begin)
        var brackets: [Unicode.Scalar] = []
        while true {
            advance(to: skippingSpace(position))
            guard position < text.count else { throw failure("\(begin.description) is not closed") }
            if brackets.isEmpty {
                let close =
                    end == .blockEnd
                    ? closing("%}", at: position, trims: true) : closing("}}", at: position, trims: false)
                if let close {
                    add(end)
                    return advance(to: close)
                }
            }
            try expressionToken(&brackets)
        }
    }

    private mutating func expressionToken(_ brackets: inout [Unicode.Scalar]) throws(TemplateError) {
        let scalar = text[position]
        if scalar.isDigit {
            try number()
        } else if scalar == "'" || scalar == "\"" {
            try string(quote: scalar)
        } else if scalar == "_" || scalar.properties.isXIDStart {
            name()
        } else {
            try symbol(&brackets)
        }
    }

    private func word(from start: Int, while holds: (Unicode.Scalar) -> Bool) -> String {
        var end = start
        while end < text.count, holds(text[end]) { end += 1 }
        return String(String.UnicodeScalarView(text[start..<end]))
    }

    private mutating func name() {
        let name = word(from: position) { $0.properties.isXIDContinue }
        add(.name(name))
        advance(to: position + name.unicodeScalars.count)
    }

    private mutating func number() throws(TemplateError) {
        let start = position
        var end = start
        func digits() -> Bool {
            let first = end
            while end < text.count, text[end].isDigit || (text[end] == "_" && end > first) { end += 1 }
            return end > first
        }
        _ = digits()
        var isFloat = false
        // After a dot a number is an index ("a.0.1"), never a fraction.
        if start == 0 || text[start - 1] != "." {
            let whole = end
            if end + 1 < text.count, text[end] == ".", text[end + 1].isDigit {
                end += 1
                isFloat = digits()
            }
            let mantissa = end
            if end < text.count, text[end] == "e" || text[end] == "E" {
                end += 1
                if end < text.count, text[end] == "+" || text[end] == "-" { end += 1 }
                if digits() { isFloat = true } else { end = mantissa }
            }
            if !isFloat { end = whole }
        }
        var literal = String(String.UnicodeScalarView(text[start..<end]))
        literal.removeAll { $0 == "_" }
        if isFloat, let value = Double(literal) {
            add(.float(value))
        } else if !isFloat, let value = Int(literal), literal == "0" || literal.first != "0" {
            add(.integer(value))
        } else {
            throw failure("'\(literal)' is not a number in decimal notation, or too large a one")
        }
        advance(to: end)
    }

    private mutating func symbol(_ brackets: inout [Unicode.Scalar]) throws(TemplateError) {
        let pairs: [StaticString] = ["//", "**", "==", "!=", ">=", "<="]
        let length = pairs.contains { has($0, at: position) } ? 2 : 1
        let symbol = String(String.UnicodeScalarView(text[position..<position + length]))
        guard length == 2 || "+-/*%~[](){}><=.:|,;".contains(symbol) else {
            throw failure("unexpected character '\(symbol)'")
        }
        switch symbol {
        case "(": brackets.append(")")
        case "[": brackets.append("]")
        case "{": brackets.append("}")
        case ")", "]", "}":
            guard let expected = brackets.popLast() else { throw failure("unexpected '\(symbol)'") }
            if Character(expected) != Character(symbol) {
                throw failure("unexpected '\(symbol)', expected '\(expected)'")
            }
        default: break
        }
        add(.symbol(symbol))
        advance(to: position + length)
    }
}

// MARK: String literals

extension TemplateLexer {
    private mutating func string(quote: Unicode.Scalar) throws(TemplateError) {
        var value = String.UnicodeScalarView()
        var place = position + 1
        while place < text.count, text[place] != quote {
            if text[place] == "\\", place + 1 < text.count {
                place = try escape(at: place + 1, into: &value)
            } else {
                value.append(text[place])
                place += 1
            }
        }
        guard place < text.count else { throw failure("a string is not closed") }
        add(.string(String(value)))
        advance(to: place + 1)
    }

    /// Python's escapes; an unknown one stands for itself, backslash included. Returns the position after it.
    private func escape(
        at place: Int, into value: inout String.UnicodeScalarView
    ) throws(TemplateError) -> Int {
        let simple: [Unicode.Scalar: Unicode.Scalar] = [
            "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}",
            "f": "\u{c}", "v": "\u{b}",
        ]
        let letter = text[place]
        if let scalar = simple[letter] {
            value.append(scalar)
            return place + 1
        }
        switch letter {
        case "\n": return place + 1
        case "x": return try code(at: place + 1, digits: 2, radix: 16, into: &value)
        case "u": return try code(at: place + 1, digits: 4, radix: 16, into: &value)
        case "U": return try code(at: place + 1, digits: 8, radix: 16, into: &value)
        case "N": throw failure("\\N{…} in a string is not supported")
        case "0"..."7":
            var count = 1
            while count < 3, place + count < text.count, ("0"..."7").contains(text[place + count]) { count += 1 }
            return try code(at: place, digits: count, radix: 8, into: &value)
        default:
            value.append("\\")
            value.append(letter)
            return place + 1
        }
    }

    private func code(
        at place: Int, digits: Int, radix: Int, into value: inout String.UnicodeScalarView
    ) throws(TemplateError) -> Int {
        let slice = text[place..<min(place + digits, text.count)]
        guard slice.count == digits, slice.allSatisfy({ $0.properties.isASCIIHexDigit }),
            let number = UInt32(String(String.UnicodeScalarView(slice)), radix: radix),
            let scalar = Unicode.Scalar(number)
        else { throw failure("an escape in a string is not a character") }
        value.append(scalar)
        return place + digits
    }
}

extension Unicode.Scalar {
    var isDigit: Bool { value >= 48 && value <= 57 }
    /// What Python's `str.isspace` holds for: Unicode's white space, and the separators U+001C to U+001F.
    var isPythonSpace: Bool { properties.isWhitespace || (value >= 0x1C && value <= 0x1F) }
}
