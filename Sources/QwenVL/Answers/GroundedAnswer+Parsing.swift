import ChatTemplate

extension GroundedAnswer {
    /// Reads an answer. Whatever it says beside places, times and actions is passed over.
    /// - Parameter picture: the picture that the answer is about. With it, places outside are moved to its edge, and
    ///   all of them are told in its own pixels as well.
    public init(parsing answer: String, picture: PictureReport? = nil) {
        var reader = Reader(picture: picture)
        let rest = reader.readCalls(answer)
        reader.readValues(rest)
        reader.readPointTags(rest)
        reader.readDocument(rest)
        if reader.answer.isEmpty { reader.readSpans(rest) }
        self = reader.answer
        repairs = Repair.allCases.filter(reader.repairs.contains)
    }
}

/// Collects what an answer names, form by form.
private struct Reader {
    let picture: PictureReport?
    var answer = GroundedAnswer()
    var repairs: Set<GroundedAnswer.Repair> = []

    init(picture: PictureReport?) { self.picture = picture }

    // MARK: JSON

    mutating func readValues(_ text: String) {
        let (values, mended) = LenientJSON.values(in: text)
        let before = answer
        for value in values { read(value) }
        // Brackets in prose that name nothing need no mention.
        if answer != before { repairs.formUnion(mended) }
    }

    private mutating func read(_ value: TemplateValue) {
        switch value {
        case .list(let items): for item in items { read(item) }
        case .mapping(let members):
            if !readPlace(value), !readEvent(value) { for (_, member) in members { read(member) } }
        default: break
        }
    }

    private mutating func readPlace(_ value: TemplateValue) -> Bool {
        let label = value.text("label") ?? value.text("sub_label")
        if let place = value["bbox_2d"] ?? value["bbox"] {
            for numbers in place.lists where numbers.count == 4 {
                addBox(numbers, label: label, text: value.text("text_content"))
            }
            return true
        }
        if let place = value["point_2d"] ?? value["point"] {
            for numbers in place.lists where numbers.count == 2 { addPoint(numbers, label: label) }
            return true
        }
        return false
    }

    private mutating func readEvent(_ value: TemplateValue) -> Bool {
        guard let start = (value["start_time"] ?? value["start"])?.seconds else { return false }
        answer.events.append(
            .init(
                start: start, end: (value["end_time"] ?? value["end"])?.seconds,
                description: value.text("description") ?? value.text("event") ?? value.text("label")))
        return true
    }

    // MARK: Places

    private mutating func addBox(_ edges: [Double], label: String?, text: String?, element: String? = nil) {
        if edges[0] > edges[2] || edges[1] > edges[3] { repairs.insert(.swappedCorners) }
        var box = PixelBox(left: edges[0], top: edges[1], right: edges[2], bottom: edges[3])
        if let picture, box.clamped(to: picture.processed) != box {
            box = box.clamped(to: picture.processed)
            repairs.insert(.outsidePicture)
        }
        answer.boxes.append(
            .init(
                seen: box, original: picture.map { box.scaled(by: $0.scale) }, label: label, text: text,
                element: element))
    }

    private mutating func place(_ numbers: [Double]) -> (seen: PixelPoint, original: PixelPoint?) {
        var point = PixelPoint(x: numbers[0], y: numbers[1])
        if let picture, point.clamped(to: picture.processed) != point {
            point = point.clamped(to: picture.processed)
            repairs.insert(.outsidePicture)
        }
        return (point, picture.map { point.scaled(by: $0.scale) })
    }

    private mutating func addPoint(_ numbers: [Double], label: String?) {
        let (seen, original) = place(numbers)
        answer.points.append(.init(seen: seen, original: original, label: label))
    }

    /// `<points x1="10" y1="20" x2="30" y2="40" alt="cups">cups</points>`
    mutating func readPointTags(_ text: String) {
        for match in text.matches(of: #/<points?\b(?<attributes>[^<>]*)>(?<text>[^<]*)/#) {
            let attributes = Self.attributes(match.attributes)
            let inside = match.text.trimmingSpace
            let label = attributes["alt"] ?? (inside.isEmpty ? nil : inside)
            for suffix in [""] + (1...64).map(String.init) {
                guard let x = attributes["x" + suffix].flatMap(Double.init),
                    let y = attributes["y" + suffix].flatMap(Double.init)
                else { continue }
                addPoint([x, y], label: label)
            }
        }
    }

    /// The document form: `<h2 data-bbox="10 20 110 40">Title</h2>`.
    mutating func readDocument(_ text: String) {
        // Elements that nothing closes from here on: looking again for each would take the square of the length.
        var unclosed: Set<Substring> = []
        for match in text.matches(of: #/<(?<name>[A-Za-z][A-Za-z0-9]*)\b(?<attributes>[^<>]*\bdata-bbox\b[^<>]*)>/#) {
            guard let place = Self.attributes(match.attributes)["data-bbox"] else { continue }
            let edges = place.split(whereSeparator: { $0 == " " || $0 == "," }).compactMap { Double($0) }
            guard edges.count == 4, edges.allSatisfy(\.isFinite) else { continue }
            let rest = text[match.range.upperBound...]
            let end = unclosed.contains(match.name) ? nil : rest.firstRange(of: "</\(match.name)>")
            if end == nil { unclosed.insert(match.name) }
            let inside = end.map { rest[..<$0.lowerBound] } ?? ""
            let words = inside.replacing(#/<[^>]*>/#, with: " ").split(whereSeparator: \.isWhitespace)
            addBox(
                edges, label: nil, text: words.isEmpty ? nil : words.joined(separator: " "),
                element: match.name.lowercased())
        }
    }

    private static func attributes(_ text: Substring) -> [String: String] {
        var attributes: [String: String] = [:]
        for match in text.matches(of: #/(?<name>[A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"(?<value>[^"]*)"|(?<bare>[^\s"]+))/#)
        {
            attributes[String(match.name)] = String(match.value ?? match.bare ?? "")
        }
        return attributes
    }

    // MARK: Times

    /// `The given query happens in 64.0 - 72.0 seconds.`, `At 3.5 seconds.`
    mutating func readSpans(_ text: String) {
        let span = #/(?:^|[\s(])(?<start>\d+(?:\.\d+)?)(?:\s*(?:-|–|to)\s*(?<end>\d+(?:\.\d+)?))?\s*(?:seconds?|s)\b/#
        for match in text.matches(of: span) {
            guard let start = Double(match.start) else { continue }
            answer.events.append(.init(start: start, end: match.end.flatMap { Double($0) }, description: nil))
        }
    }

    // MARK: Actions

    /// - Returns: the answer without the calls.
    mutating func readCalls(_ text: String) -> String {
        var rest = ""
        var remaining = text[...]
        while let begin = remaining.firstRange(of: "<tool_call>") {
            rest += remaining[..<begin.lowerBound]
            let end = remaining[begin.upperBound...].firstRange(of: "</tool_call>")
            let body = remaining[begin.upperBound..<(end?.lowerBound ?? remaining.endIndex)]
            let (values, mended) = LenientJSON.values(in: body)
            if let call = values.first, read(call: call) { repairs.formUnion(mended) }
            remaining = end.map { remaining[$0.upperBound...] } ?? ""
        }
        return rest + remaining
    }

    private mutating func read(call: TemplateValue) -> Bool {
        guard let tool = call.text("name"), let arguments = call["arguments"], let action = arguments.text("action")
        else { return false }
        var result = ScreenAction(tool: tool, action: action)
        if let numbers = arguments["coordinate"]?.numbers, numbers.count == 2 {
            (result.seen, result.original) = place(numbers)
        }
        if let numbers = arguments["coordinate2"]?.numbers, numbers.count == 2 {
            (result.seenEnd, result.originalEnd) = place(numbers)
        }
        result.text = arguments.text("text")
        result.button = arguments.text("button")
        result.status = arguments.text("status")
        result.pixels = arguments["pixels"]?.number
        result.time = arguments["time"]?.number
        if case .list(let keys)? = arguments["keys"] {
            result.keys = keys.compactMap { if case .string(let key) = $0 { key } else { nil } }
        } else if let key = arguments.text("keys") {
            result.keys = [key]
        }
        answer.actions.append(result)
        return true
    }
}

extension StringProtocol {
    fileprivate var trimmingSpace: String {
        let trimmed = drop(while: \.isWhitespace)
        return String(trimmed.reversed().drop(while: \.isWhitespace).reversed())
    }
}

extension TemplateValue {
    fileprivate func text(_ key: String) -> String? {
        if case .string(let text)? = self[key] { text } else { nil }
    }

    fileprivate var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value) where value.isFinite: value
        case .string(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        default: nil
        }
    }

    /// The numbers of a list of nothing else.
    fileprivate var numbers: [Double]? {
        guard case .list(let items) = self else { return nil }
        let numbers = items.compactMap(\.number)
        return numbers.count == items.count ? numbers : nil
    }

    /// A list of numbers, or several of them in a list.
    fileprivate var lists: [[Double]] {
        if let numbers, !numbers.isEmpty { return [numbers] }
        if case .list(let items) = self { return items.compactMap(\.numbers) }
        return []
    }

    /// A time in seconds: a number, or hours, minutes and seconds between colons.
    fileprivate var seconds: Double? {
        if let number, number >= 0 { return number }
        guard case .string(let text) = self else { return nil }
        let parts = text.split(separator: ":").map { Double($0) }
        guard (2...3).contains(parts.count) else { return nil }
        var seconds = 0.0
        for part in parts {
            guard let part, part >= 0, part.isFinite else { return nil }
            seconds = seconds * 60 + part
        }
        return seconds
    }
}
