/// The two namings of Qwen2.5-VL's tensors, and likeness between names.
package enum TensorNames {
    /// The name as the official checkpoints have it (`model.layers…`, `visual…`, `lm_head…`). Files written by
    /// later releases of Transformers say `model.language_model.layers…` and `model.visual…`.
    package static func canonical(_ name: String) -> String {
        for (newer, official) in [("model.language_model.", "model."), ("model.visual.", "visual.")]
        where name.hasPrefix(newer) {
            return official + name.dropFirst(newer.count)
        }
        return name
    }

    /// Buffers that old releases saved, and that the model computes for itself.
    package static func isDerived(_ name: String) -> Bool {
        name.hasSuffix(".rotary_emb.inv_freq") || name.hasSuffix(".rotary_pos_emb.inv_freq")
    }

    /// Up to three of the names, the most alike first; none that has little in common.
    static func nearest(to name: String, among names: some Sequence<String>) -> [String] {
        let target = Array(name.utf8.prefix(maximumLength))
        return names.prefix(maximumNames)
            .map { (name: $0, distance: distance(target, Array($0.utf8.prefix(maximumLength)))) }
            .filter { $0.distance <= max(2, target.count / 3) }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(3)
            .map(\.name)
    }

    // A message is worth a few milliseconds, not seconds; the 72B model has 1,400 names of up to 50 characters.
    private static let maximumLength = 128
    private static let maximumNames = 5000

    /// Levenshtein's distance.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let substituted = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
