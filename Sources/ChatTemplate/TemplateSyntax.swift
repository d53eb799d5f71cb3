/// An expression of the template language, with the line it begins on.
struct Expression: Sendable {
    let line: Int
    let kind: Kind

    indirect enum Kind: Sendable {
        case literal(TemplateValue)
        case name(String)
        case list([Expression])
        case tuple([Expression])
        case dictionary([(key: Expression, value: Expression)])
        case attribute(Expression, String)
        case item(Expression, Expression)
        case slice(Expression, SliceBounds)
        case call(Expression, Arguments)
        case filter(Expression, String, Arguments)
        case test(Expression, String, Arguments)
        case not(Expression)
        case negative(Expression)
        case positive(Expression)
        // Chains are flat, so that a long one does not nest deeply.
        case and([Expression])
        case or([Expression])
        case concatenation([Expression])
        case arithmetic(Expression, [(ArithmeticOperator, Expression)])
        case comparison(Expression, [(ComparisonOperator, Expression)])
        case conditional(test: Expression, then: Expression, otherwise: Expression?)
        /// The rendered body of a block that filters are applied to.
        case body
    }
}

struct SliceBounds: Sendable {
    let start: Expression?
    let stop: Expression?
    let step: Expression?
}

struct Arguments: Sendable {
    var positional: [Expression] = []
    var named: [(name: String, value: Expression)] = []
}

enum ArithmeticOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
}

enum ComparisonOperator: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case contained = "in"
    case notContained = "not in"
}

/// Where a value is assigned to.
indirect enum AssignmentTarget: Sendable {
    case name(String)
    /// An attribute of a namespace.
    case attribute(of: String, String)
    case tuple([AssignmentTarget])
}

struct Statement: Sendable {
    let line: Int
    let kind: Kind

    indirect enum Kind: Sendable {
        case text(String)
        case output(Expression)
        case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
        case loop(LoopStatement)
        case set(AssignmentTarget, Expression)
        /// The rendered body, through filters where there are any.
        case setBlock(AssignmentTarget, filters: Expression, body: [Statement])
        case macro(MacroDefinition)
        case with([(AssignmentTarget, Expression)], body: [Statement])
        case filterBlock(filters: Expression, body: [Statement])
        /// A scope of its own, printed as it stands (Transformers' `generation`).
        case scope([Statement])
        case breakLoop
        case continueLoop
    }
}

struct LoopStatement: Sendable {
    let target: AssignmentTarget
    let iterable: Expression
    let test: Expression?
    let body: [Statement]
    let otherwise: [Statement]
}

struct MacroDefinition: Sendable {
    let name: String
    let parameters: [(name: String, fallback: Expression?)]
    let body: [Statement]
}
