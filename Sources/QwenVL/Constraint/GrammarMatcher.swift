/// Follows a grammar byte by byte. What it finds out it remembers, so that after a while each byte costs one look-up.
///
/// A *node* is a place in the grammar with what is to follow it; a *state* is the set of nodes that can be next.
final class GrammarMatcher {
    typealias State = Int32
    /// No document begins like this.
    static let dead: State = -1
    private static let unknown: State = -2
    /// Rules inside rules; JSON takes some three for each level of nesting. Bounds memory against endless brackets.
    private static let maximumDepth = 256

    private struct Node: Hashable {
        let position: Int
        /// What follows at the end of the alternative; -1: nothing.
        let parent: Int32
    }
    private struct StateEntry {
        let nodes: [Int32]
        /// Whether the document may end here.
        let isAccepting: Bool
        var next: [State]
    }

    private let grammar: Grammar
    private var nodes: [Node] = []
    private var depths: [Int] = []
    private var nodeIDs: [Node: Int32] = [:]
    private var states: [StateEntry] = []
    private var stateIDs: [[Int32]: State] = [:]
    /// Where every document begins.
    private(set) var initial: State = GrammarMatcher.dead

    init(_ grammar: Grammar) {
        self.grammar = grammar
        var found = Found()
        expand(rule: grammar.start, parent: -1, depth: 0, into: &found)
        initial = state(found)
    }

    /// The state after a byte.
    func step(_ state: State, _ byte: UInt8) -> State {
        let known = states[Int(state)].next[Int(byte)]
        if known != Self.unknown { return known }
        var found = Found()
        for id in states[Int(state)].nodes {
            let node = nodes[Int(id)]
            guard case .bytes(let set) = grammar.elements[node.position], set.contains(byte) else { continue }
            resolve(position: node.position + 1, parent: node.parent, depth: depths[Int(id)], into: &found)
        }
        let next = self.state(found)
        states[Int(state)].next[Int(byte)] = next
        return next
    }

    /// Whether the document may end here.
    func isAccepting(_ state: State) -> Bool { state >= 0 && states[Int(state)].isAccepting }
    /// Whether it must: nothing can follow.
    func isComplete(_ state: State) -> Bool { isAccepting(state) && states[Int(state)].nodes.isEmpty }

    // MARK: Places

    private struct Found {
        var nodes: Set<Int32> = []
        var isAccepting = false
    }

    private func state(_ found: Found) -> State {
        if found.nodes.isEmpty, !found.isAccepting { return Self.dead }
        // Whether it accepts is part of what a state is.
        let key = found.nodes.sorted() + (found.isAccepting ? [-1] : [])
        if let known = stateIDs[key] { return known }
        let id = State(states.count)
        states.append(
            StateEntry(
                nodes: found.nodes.sorted(), isAccepting: found.isAccepting,
                next: [State](repeating: Self.unknown, count: 256)))
        stateIDs[key] = id
        return id
    }

    private func node(_ node: Node, depth: Int) -> Int32 {
        if let known = nodeIDs[node] { return known }
        let id = Int32(nodes.count)
        nodes.append(node)
        depths.append(depth)
        nodeIDs[node] = id
        return id
    }

    private func expand(rule: Int, parent: Int32, depth: Int, into found: inout Found) {
        guard depth <= Self.maximumDepth else { return }
        for start in grammar.alternatives[rule] { resolve(position: start, parent: parent, depth: depth, into: &found) }
    }

    /// Finds the byte sets that can be next from a position on.
    private func resolve(position: Int, parent: Int32, depth: Int, into found: inout Found) {
        switch grammar.elements[position] {
        case .bytes: found.nodes.insert(node(Node(position: position, parent: parent), depth: depth))
        case .end:
            guard parent >= 0 else {
                found.isAccepting = true
                return
            }
            let outer = nodes[Int(parent)]
            resolve(position: outer.position, parent: outer.parent, depth: depths[Int(parent)], into: &found)
        case .rule(let rule):
            // A rule at the end of an alternative takes its place: repetition does not nest.
            if grammar.elements[position + 1] == .end {
                expand(rule: rule, parent: parent, depth: depth, into: &found)
            } else {
                let rest = node(Node(position: position + 1, parent: parent), depth: depth)
                expand(rule: rule, parent: rest, depth: depth + 1, into: &found)
            }
        }
    }
}
