/// What `loop` names inside of a loop. Elements are filtered as late as Jinja filters them: when they are needed.
final class LoopState {
    typealias Filter = (RuntimeValue) throws(TemplateError) -> Bool

    private let source: [RuntimeValue]
    private var position = 0
    private var filter: Filter?
    /// Elements that passed the filter before their turn.
    private var waiting: [RuntimeValue] = []
    private var waitingStart = 0
    private(set) var index0 = -1
    private(set) var previous: RuntimeValue?
    private(set) var element: RuntimeValue?
    /// What `loop.changed` was last called with.
    var lastSeen: [RuntimeValue]?

    init(_ source: [RuntimeValue], filter: Filter?) {
        self.source = source
        self.filter = filter
    }

    private func fetch() throws(TemplateError) -> RuntimeValue? {
        while position < source.count {
            let candidate = source[position]
            position += 1
            guard let filter else { return candidate }
            if try filter(candidate) { return candidate }
        }
        filter = nil
        return nil
    }

    func advance() throws(TemplateError) -> RuntimeValue? {
        guard let next = try next() else { return nil }
        waitingStart += 1
        if waitingStart == waiting.count { (waiting, waitingStart) = ([], 0) }
        previous = element
        element = next
        index0 += 1
        return next
    }

    func finish() {
        filter = nil
        position = source.count
    }

    private func next() throws(TemplateError) -> RuntimeValue? {
        if waitingStart == waiting.count, let fetched = try fetch() { waiting.append(fetched) }
        return waitingStart < waiting.count ? waiting[waitingStart] : nil
    }

    private func length() throws(TemplateError) -> Int {
        if filter == nil { return index0 + 1 + waiting.count - waitingStart + source.count - position }
        while let fetched = try fetch() { waiting.append(fetched) }
        return index0 + 1 + waiting.count - waitingStart
    }

    /// The attribute of that name; nil when there is none.
    func attribute(_ name: String) throws(TemplateError) -> RuntimeValue? {
        switch name {
        case "index": return .integer(index0 + 1)
        case "index0": return .integer(index0)
        case "revindex": return .integer(try length() - index0)
        case "revindex0": return .integer(try length() - index0 - 1)
        case "first": return .boolean(index0 == 0)
        case "last": return .boolean(try next() == nil)
        case "length": return .integer(try length())
        case "depth": return .integer(1)
        case "depth0": return .integer(0)
        case "previtem": return previous ?? .undefined("there is no previous item")
        case "nextitem": return try next() ?? .undefined("there is no next item")
        case "cycle", "changed": return .method(.loop(self), name)
        default: return nil
        }
    }
}
