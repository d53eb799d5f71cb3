/// Input that cannot be used: which field, what was expected there, what was found.
///
/// The field is a path such as `messages[2].content[0].min_pixels`.
public struct InputError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of the offending field.
    public let field: String
    /// What the field may hold.
    public let expected: String
    /// What it held, shortened.
    public let found: String

    /// An error about one field.
    public init(field: String, expected: String, found: String) {
        self.field = field
        self.expected = expected
        self.found = found
    }

    /// For example `messages[2].content[0].min_pixels: expected a positive integer, found "x"`.
    public var description: String { "\(field): expected \(expected), found \(found)" }
}
