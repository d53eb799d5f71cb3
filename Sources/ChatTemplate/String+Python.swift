// Python's `str` methods, on code points.

extension String {
    init(scalars: some Sequence<Unicode.Scalar>) {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        self = String(view)
    }

    /// Without the given characters (white space when nil) at the ends.
    func stripped(_ characters: Set<Unicode.Scalar>?, left: Bool, right: Bool) -> String {
        func goes(_ scalar: Unicode.Scalar) -> Bool { characters?.contains(scalar) ?? scalar.isPythonSpace }
        var rest = unicodeScalars[...]
        if left { rest = rest.drop(while: goes) }
        if right {
            while let last = rest.last, goes(last) { rest.removeLast() }
        }
        return String(rest)
    }

    /// `split()` without a separator: runs of white space separate.
    func words(limit: Int, fromRight: Bool) -> [String] {
        let scalars = Array(unicodeScalars)
        var words: [Range<Int>] = []
        var start: Int?
        for index in 0...scalars.count {
            let isSpace = index == scalars.count || scalars[index].isPythonSpace
            if isSpace, let begin = start {
                words.append(begin..<index)
                start = nil
            } else if !isSpace, start == nil {
                start = index
            }
        }
        if limit >= 0, words.count > limit {
            // What is left over keeps its white space at the outer end.
            let rest = words.count - limit
            words =
                fromRight
                ? [0..<words[rest - 1].upperBound] + words[rest...]
                : words[..<limit] + [words[limit].lowerBound..<scalars.count]
        }
        return words.map { String(scalars: scalars[$0]) }
    }

    func pythonLines(keepingEnds: Bool) -> [String] {
        let breaks: Set<UInt32> = [0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029]
        let scalars = Array(unicodeScalars)
        var lines: [String] = []
        var start = 0
        var index = 0
        while index < scalars.count {
            guard breaks.contains(scalars[index].value) else {
                index += 1
                continue
            }
            let isPair = scalars[index] == "\r" && index + 1 < scalars.count && scalars[index + 1] == "\n"
            let end = index + (isPair ? 2 : 1)
            lines.append(String(scalars: scalars[start..<(keepingEnds ? end : index)]))
            start = end
            index = end
        }
        if start < scalars.count { lines.append(String(scalars: scalars[start...])) }
        return lines
    }

    var pythonUppercased: String { unicodeScalars.map(\.properties.uppercaseMapping).joined() }

    var pythonLowercased: String {
        if !unicodeScalars.contains("Σ") { return unicodeScalars.map(\.properties.lowercaseMapping).joined() }
        let scalars = Array(unicodeScalars)
        return scalars.indices.map { scalars[$0].lowered(at: $0, in: scalars) }.joined()
    }

    var pythonCapitalized: String {
        let scalars = Array(unicodeScalars)
        return scalars.indices.map { index in
            index == 0 ? scalars[0].properties.titlecaseMapping : scalars[index].lowered(at: index, in: scalars)
        }.joined()
    }

    /// Letters after letters in lower case, others in title case.
    var pythonTitlecased: String {
        let scalars = Array(unicodeScalars)
        var result = ""
        var afterCased = false
        for (index, scalar) in scalars.enumerated() {
            result += afterCased ? scalar.lowered(at: index, in: scalars) : scalar.properties.titlecaseMapping
            afterCased = scalar.properties.isCased
        }
        return result
    }

    /// Whether there are cased characters, all of the given case.
    func isUniformlyCased(upper: Bool) -> Bool {
        var hasCased = false
        for properties in unicodeScalars.lazy.map(\.properties) {
            let isTitle = properties.generalCategory == .titlecaseLetter
            if (upper ? properties.isLowercase : properties.isUppercase) || isTitle { return false }
            hasCased = hasCased || (upper ? properties.isUppercase : properties.isLowercase)
        }
        return hasCased
    }
}

extension Unicode.Scalar {
    /// Lower case, with the Greek final sigma at the end of a word.
    fileprivate func lowered(at index: Int, in scalars: [Unicode.Scalar]) -> String {
        guard self == "Σ" else { return properties.lowercaseMapping }
        let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
        let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
        let endsWord = (before?.properties.isCased ?? false) && !(after?.properties.isCased ?? false)
        return endsWord ? "ς" : "σ"
    }

    var isPythonDigit: Bool { properties.numericType == .decimal || properties.numericType == .digit }

    var isPythonLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}
