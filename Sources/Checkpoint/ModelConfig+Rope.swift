extension ModelConfig.Rope {
    /// Reads `rope_scaling` (official files) or `rope_parameters` (Transformers 5). The model card shows YaRN's fields
    /// at the top level of the file, so `type` or `rope_type` there is understood as part of them.
    init(_ fields: ConfigFields, root: ConfigFields, headSize: Int) throws(CheckpointError) {
        let rope = try Self.merged(fields, root: root)
        let thetas = [try fields.number("rope_theta", in: thetaRange), try rope.number("rope_theta", in: thetaRange)]
            .compactMap { $0 }
        guard Set(thetas).count <= 1 else {
            throw rope.error("rope_theta", expected: "the same as beside it, \(thetas[0])", found: "\(thetas[1])")
        }
        theta = thetas.first ?? 1e6
        let expected = "three positive integers that sum to half the head size, \(headSize / 2)"
        guard let sections = try rope.integers("mrope_section", in: 1...headSize / 2) else {
            throw rope.error("mrope_section", expected: expected, found: "nothing")
        }
        guard sections.count == 3, sections.reduce(0, +) == headSize / 2 else {
            throw rope.error("mrope_section", expected: expected, found: "\(sections.prefix(8))")
        }
        self.sections = sections
        // Files written by different releases have one key or both; "mrope" and "default" are the same.
        let types = [try rope.string("rope_type"), try rope.string("type")].compactMap { $0 }
            .map { $0 == "mrope" ? "default" : $0 }
        switch Set(types) {
        case [], ["default"]: yarn = nil
        case ["yarn"]: yarn = try ModelConfig.YaRN(rope)
        default:
            throw rope.unsupported(
                "rope_type",
                "expected default, mrope or yarn, found \(types.map(CheckpointError.quoted).joined(separator: " and "))"
            )
        }
    }

    private static func merged(_ fields: ConfigFields, root: ConfigFields) throws(CheckpointError) -> ConfigFields {
        let scaling = try fields.object("rope_scaling")
        let parameters = try fields.object("rope_parameters")
        if let scaling, let parameters, scaling.members != parameters.members {
            throw fields.error(
                "rope_parameters", expected: "the same as rope_scaling beside it, or only one of them",
                found: "something else")
        }
        let inner =
            parameters ?? scaling
            ?? ConfigFields(
                file: fields.file, path: fields.path + "rope_scaling.", members: [:])
        guard root.members["type"] != nil || root.members["rope_type"] != nil else { return inner }
        // Types at the top level replace those inside; other fields must not contradict.
        var members = inner.members.filter { $0.key != "type" && $0.key != "rope_type" }
        for key in snippetKeys {
            guard let value = try root.value(key) else { continue }
            if let other = members.updateValue(value, forKey: key), other != value {
                throw inner.error(
                    key, expected: "the same as at the top level, \(value.summary)", found: other.summary)
            }
        }
        return ConfigFields(file: inner.file, path: inner.path, members: members)
    }

    private static let snippetKeys = [
        "type", "rope_type", "mrope_section", "factor", "original_max_position_embeddings", "beta_fast", "beta_slow",
        "attention_factor",
    ]
}

private let thetaRange = 1.0001...1e12

extension ModelConfig.YaRN {
    fileprivate init(_ rope: ConfigFields) throws(CheckpointError) {
        for key in ["mscale", "mscale_all_dim"] where try rope.value(key) != nil {
            throw rope.unsupported(key, "not supported")
        }
        if try rope.bool("truncate") == false { throw rope.unsupported("truncate", "false is not supported") }
        guard let factor = try rope.number("factor", in: 1...1024) else {
            throw rope.error("factor", expected: "a number of at least 1", found: "nothing")
        }
        let original = try rope.requiredInteger(
            "original_max_position_embeddings", in: ModelConfig.Bounds.positions)
        let betaFast = try rope.number("beta_fast", in: 1e-3...1e6) ?? 32
        let betaSlow = try rope.number("beta_slow", in: 1e-3...1e6) ?? 1
        guard betaFast > betaSlow else {
            throw rope.error("beta_fast", expected: "more than beta_slow, \(betaSlow)", found: "\(betaFast)")
        }
        self.init(
            factor: factor, originalMaximumPositions: original, betaFast: betaFast, betaSlow: betaSlow,
            attentionFactor: try rope.number("attention_factor", in: 1e-3...1e3))
    }
}
