/// What an answer says about places in a picture and moments of a video, as values.
///
/// It reads all forms in which the official models write them: JSON with `bbox_2d` or `point_2d`, fenced or not; text
/// spotting (`text_content`); the document form with `data-bbox`; `<points …>`; events with `start_time` and
/// `end_time`, or `… happens in 64.0 - 72.0 seconds`; and the calls of `computer_use` and `mobile_use`.
///
/// The model counts pixels of the picture as it saw it, after resizing. With the picture's report at hand every place
/// comes in pixels of the picture as it was given too:
/// ```swift
/// let completion = try await engine.reply(to: [.user(.image(path: "desk.jpg"), .text("Detect all cups."))])
/// for item in completion.grounding.boxes { print(item.label ?? "", item.original ?? item.seen) }
/// ```
/// The JSON that it encodes to is stable.
public struct GroundedAnswer: Sendable, Hashable, Codable {
    /// A rectangle that the answer names.
    public struct Box: Sendable, Hashable, Codable {
        /// In pixels of the picture as the model saw it.
        public var seen: PixelBox
        /// In pixels of the picture as it was given; nil when that is not known.
        public var original: PixelBox?
        /// What lies there.
        public var label: String?
        /// What is written there: `text_content`, or the text of a document's element.
        public var text: String?
        /// The document's element: h2, p, table…
        public var element: String?

        /// A rectangle.
        public init(
            seen: PixelBox, original: PixelBox? = nil, label: String? = nil, text: String? = nil, element: String? = nil
        ) {
            self.seen = seen
            self.original = original
            self.label = label
            self.text = text
            self.element = element
        }
    }

    /// A point that the answer names.
    public struct Point: Sendable, Hashable, Codable {
        /// In pixels of the picture as the model saw it.
        public var seen: PixelPoint
        /// In pixels of the picture as it was given; nil when that is not known.
        public var original: PixelPoint?
        /// What lies there.
        public var label: String?

        /// A point.
        public init(seen: PixelPoint, original: PixelPoint? = nil, label: String? = nil) {
            self.seen = seen
            self.original = original
            self.label = label
        }
    }

    /// A time that the answer names, in seconds.
    public struct Event: Sendable, Hashable, Codable {
        /// When it begins.
        public var start: Double
        /// When it ends; nil for a moment.
        public var end: Double?
        /// What happens.
        public var description: String?

        /// A time.
        public init(start: Double, end: Double? = nil, description: String? = nil) {
            self.start = start
            self.end = end
            self.description = description
        }
    }

    /// What had to be mended to read the answer.
    public enum Repair: String, Sendable, Hashable, Codable, CaseIterable {
        /// A comma before a closing bracket.
        case trailingComma = "trailing_comma"
        /// No comma between two elements.
        case missingComma = "missing_comma"
        /// Strings in single quotes.
        case singleQuotes = "single_quotes"
        /// The answer ends within the JSON; what was whole is kept.
        case cutOff = "cut_off"
        /// A box whose right edge came before its left, or its lower before its upper.
        case swappedCorners = "swapped_corners"
        /// A place outside the picture, moved to its edge.
        case outsidePicture = "outside_picture"
    }

    /// Rectangles, in the order of the answer.
    public var boxes: [Box] = []
    /// Points, in the order of the answer.
    public var points: [Point] = []
    /// Times, in the order of the answer.
    public var events: [Event] = []
    /// Calls of the tools that work a screen.
    public var actions: [ScreenAction] = []
    /// What was mended, without repetition.
    public var repairs: [Repair] = []

    /// Whether the answer names no place, no time and no action.
    public var isEmpty: Bool { boxes.isEmpty && points.isEmpty && events.isEmpty && actions.isEmpty }
}

/// One action on a screen, as `computer_use` and `mobile_use` name them.
public struct ScreenAction: Sendable, Hashable, Codable {
    /// The tool: `computer_use`, `mobile_use`.
    public var tool: String
    /// What to do: `left_click`, `type`, `key`, `scroll`, `swipe`, `terminate`…
    public var action: String
    /// Where, in pixels of the picture as the model saw it.
    public var seen: PixelPoint?
    /// Where, in pixels of the picture as it was given; nil when that is not known.
    public var original: PixelPoint?
    /// Where a swipe ends, in pixels of the picture as the model saw it.
    public var seenEnd: PixelPoint?
    /// Where a swipe ends, in pixels of the picture as it was given.
    public var originalEnd: PixelPoint?
    /// What to type, or which app to open.
    public var text: String?
    /// Keys to press together.
    public var keys: [String]?
    /// The button of a phone.
    public var button: String?
    /// How far to scroll; up is positive.
    public var pixels: Double?
    /// Seconds to wait or to hold.
    public var time: Double?
    /// How a task ended: success, failure.
    public var status: String?

    /// An action whose other fields are set afterwards.
    public init(tool: String, action: String) {
        self.tool = tool
        self.action = action
    }

    private enum CodingKeys: String, CodingKey {
        case tool, action, seen, original
        case seenEnd = "seen_end"
        case originalEnd = "original_end"
        case text, keys, button, pixels, time, status
    }
}

extension Completion {
    /// The places, times and actions that the answer names. Places are brought to the first picture's own pixels;
    /// an answer does not tell which of several pictures it means.
    public var grounding: GroundedAnswer { GroundedAnswer(parsing: text, picture: pictures.first) }
}
