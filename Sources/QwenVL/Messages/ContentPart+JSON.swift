import ChatTemplate

extension ContentPart {
    /// Reads a part in the form of the model card, or of OpenAI's API.
    ///
    /// Without a `type` the field that is there decides, as in qwen-vl-utils. Unknown fields are ignored.
    /// - Throws: ``InputError`` naming the field.
    package init(_ field: JSONField) throws(InputError) {
        if case .string(let text) = field.value {
            self = .text(text)
            return
        }
        _ = try field.object("a string or an object")
        let type = field.optional("type")
        let name = if let type { try type.string() } else { try Self.impliedType(of: field) }
        switch name {
        case "text", "input_text": self = .text(try field.required("text", "a string").string())
        case "image", "image_url", "input_image": self = .image(try ImagePart(field))
        case "video", "video_url": self = .video(try VideoPart(field))
        default:
            throw (type ?? field).failure(expected: "\"text\", \"image\", \"image_url\", \"video\" or \"video_url\"")
        }
    }

    private static func impliedType(of field: JSONField) throws(InputError) -> String {
        for key in ["image", "image_url", "video", "video_url", "text"] where field.optional(key) != nil { return key }
        throw InputError(
            field: field.path, expected: "a \"type\", or one of text, image, image_url, video",
            found: "an object with none of them")
    }

    /// The part in the form of the model card.
    var json: TemplateValue {
        switch self {
        case .text(let text): ["type": "text", "text": .string(text)]
        case .image(let part): part.json
        case .video(let part): part.json
        }
    }
}

/// The source under one of the keys: a string, or OpenAI's object with a `url`.
private func mediaField(of field: JSONField, _ keys: [String]) throws(InputError) -> JSONField {
    for key in keys {
        guard let member = field.optional(key) else { continue }
        if case .mapping = member.value { return try member.required("url", "a URL or a data URI") }
        return member
    }
    return try field.required(keys[0], "a path, a URL or a data URI")
}

extension ImagePart {
    init(_ field: JSONField) throws(InputError) {
        self.init(try MediaSource(mediaField(of: field, ["image", "image_url"])))
        minPixels = try field.optional("min_pixels")?.positiveInteger()
        maxPixels = try field.optional("max_pixels")?.positiveInteger()
        resizedHeight = try field.optional("resized_height")?.positiveInteger()
        resizedWidth = try field.optional("resized_width")?.positiveInteger()
        detail = try (field.optional("image_url")?.optional("detail") ?? field.optional("detail"))?.string()
        pages = try field.optional("pages").map { (pages) throws(InputError) in
            if case .string(let text) = pages.value, let ranges = PageRanges.parse(text) { return ranges }
            let page = try pages.integer(in: 1...PageRanges.largest, "pages such as 3 or \"1-4,7\"")
            return [page...page]
        }
        if let resolution = field.optional("dpi") {
            let value = try resolution.number("a resolution from 1 to 2400")
            guard (1...2400).contains(value) else { throw resolution.failure(expected: "a resolution from 1 to 2400") }
            dpi = value
        }
        try field.checkOrder("min_pixels", minPixels, "max_pixels", maxPixels)
    }

    var json: TemplateValue {
        var members: [(String, TemplateValue)] = [("type", "image"), ("image", .string(source.text))]
        if let pages { members.append(("pages", .string(PageRanges.text(pages)))) }
        members.add("dpi", dpi)
        members.add("min_pixels", minPixels)
        members.add("max_pixels", maxPixels)
        members.add("resized_height", resizedHeight)
        members.add("resized_width", resizedWidth)
        if let detail { members.append(("detail", .string(detail))) }
        return .mapping(members)
    }
}

/// Pages as people write them: "3", "1-4,7".
package enum PageRanges {
    static let largest = 1 << 30

    /// nil where the text says something else.
    package static func parse(_ text: String) -> [ClosedRange<Int>]? {
        var ranges: [ClosedRange<Int>] = []
        for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = piece.split(separator: "-", omittingEmptySubsequences: false).map {
                Int($0.filter { $0 != " " })
            }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first >= 1,
                last >= first, last <= largest
            else { return nil }
            ranges.append(first...last)
        }
        return ranges
    }

    static func text(_ ranges: [ClosedRange<Int>]) -> String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}

extension VideoPart {
    init(_ field: JSONField) throws(InputError) {
        let media = try mediaField(of: field, ["video", "video_url"])
        if case .list = media.value {
            var frames: [MediaSource] = []
            for frame in try media.elements() { frames.append(try MediaSource(frame)) }
            if frames.isEmpty { throw media.failure(expected: "a path, a URL, or at least one frame") }
            self.init(.frames(frames))
        } else {
            self.init(.file(try MediaSource(media)))
        }
        try readSampling(field)
        try readSizes(field)
    }

    private mutating func readSampling(_ field: JSONField) throws(InputError) {
        if let rate = field.optional("fps") {
            let value = try rate.number("a positive number")
            guard value > 0 else { throw rate.failure(expected: "a positive number") }
            fps = value
        }
        frameCount = try field.optional("nframes")?.positiveInteger()
        if fps != nil, frameCount != nil {
            throw InputError(field: field.path, expected: "either fps or nframes", found: "both")
        }
        minFrames = try field.optional("min_frames")?.positiveInteger()
        maxFrames = try field.optional("max_frames")?.positiveInteger()
        start = try field.optional("video_start")?.number("seconds")
        end = try field.optional("video_end")?.number("seconds")
        try field.checkOrder("min_frames", minFrames, "max_frames", maxFrames)
        if let start, let end, start >= end {
            throw InputError(
                field: "\(field.path).video_end", expected: "more than video_start (\(start))", found: "\(end)")
        }
    }

    private mutating func readSizes(_ field: JSONField) throws(InputError) {
        minPixels = try field.optional("min_pixels")?.positiveInteger()
        maxPixels = try field.optional("max_pixels")?.positiveInteger()
        totalPixels = try field.optional("total_pixels")?.positiveInteger()
        resizedHeight = try field.optional("resized_height")?.positiveInteger()
        resizedWidth = try field.optional("resized_width")?.positiveInteger()
        try field.checkOrder("min_pixels", minPixels, "max_pixels", maxPixels)
    }

    var json: TemplateValue {
        var members: [(String, TemplateValue)] = [("type", "video"), ("video", source.value(\.text))]
        members.add("fps", fps)
        members.add("nframes", frameCount)
        members.add("min_frames", minFrames)
        members.add("max_frames", maxFrames)
        members.add("min_pixels", minPixels)
        members.add("max_pixels", maxPixels)
        members.add("total_pixels", totalPixels)
        members.add("resized_height", resizedHeight)
        members.add("resized_width", resizedWidth)
        members.add("video_start", start)
        members.add("video_end", end)
        return .mapping(members)
    }
}

extension JSONField {
    fileprivate func checkOrder(_ low: String, _ least: Int?, _ high: String, _ most: Int?) throws(InputError) {
        guard let least, let most, least > most else { return }
        throw InputError(field: "\(path).\(high)", expected: "at least \(low) (\(least))", found: "\(most)")
    }
}

extension [(String, TemplateValue)] {
    fileprivate mutating func add(_ key: String, _ value: Int?) {
        if let value { append((key, .integer(value))) }
    }
    fileprivate mutating func add(_ key: String, _ value: Double?) {
        if let value { append((key, .double(value))) }
    }
}
