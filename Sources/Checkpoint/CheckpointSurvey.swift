import Foundation

/// Looks through a directory for `CheckpointReport`, going on after every error.
struct CheckpointSurvey {
    let directory: CheckpointDirectory
    var files: [CheckpointReport.File] = []
    var missingFiles: [CheckpointReport.MissingFile] = []
    var problems: [String] = []
    /// What could be opened.
    var index: ShardIndex?
    var config: ModelConfig?
    var generation: GenerationConfig?

    init(directory: CheckpointDirectory) { self.directory = directory }

    // MARK: - Files

    /// Files of which one set is enough, the usual one first.
    private struct Need {
        let alternatives: [[String]]
        let purpose: String
        let isRequired: Bool
    }

    private static let needs = [
        Need(alternatives: [["config.json"]], purpose: "the shape of the model", isRequired: true),
        Need(
            alternatives: [["tokenizer.json"], ["vocab.json", "merges.txt"]], purpose: "the vocabulary",
            isRequired: true),
        Need(alternatives: [["tokenizer_config.json"]], purpose: "special tokens, chat template", isRequired: false),
        Need(
            alternatives: [["chat_template.json"], ["chat_template.jinja"], ["tokenizer_config.json"]],
            purpose: "chat template with pictures", isRequired: false),
        Need(alternatives: [["preprocessor_config.json"]], purpose: "limits of picture sizes", isRequired: false),
        Need(
            alternatives: [["generation_config.json"]], purpose: "how to sample by default, and where answers end",
            isRequired: false),
    ]

    mutating func listFiles() {
        for need in Self.needs {
            for name in need.alternatives.joined() where directory.contains(name) { add(name) }
            if !need.alternatives.contains(where: { $0.allSatisfy(directory.contains) }) {
                missingFiles.append(
                    .init(
                        name: need.alternatives.map { $0.joined(separator: " and ") }.joined(separator: ", or "),
                        purpose: need.purpose, isRequired: need.isRequired))
            }
        }
    }

    private mutating func add(_ name: String) {
        guard !files.contains(where: { $0.name == name }) else { return }
        let attributes = try? FileManager.default.attributesOfItem(
            atPath: URL(fileURLWithPath: directory.path(of: name)).resolvingSymlinksInPath().path)
        files.append(.init(name: name, bytes: (attributes?[.size] as? NSNumber)?.intValue ?? 0))
    }

    // MARK: - Weights

    mutating func openWeights() {
        var open: [SafetensorsFile] = []
        if directory.contains(ShardIndex.singleFile) {
            open = [openFile(ShardIndex.singleFile)].compactMap { $0 }
        } else if directory.contains(ShardIndex.indexFile) {
            add(ShardIndex.indexFile)
            for shard in shards() { openShard(shard, into: &open) }
        } else {
            missingFiles.append(
                .init(
                    name: "\(ShardIndex.singleFile), or \(ShardIndex.indexFile) and its files",
                    purpose: "the weights", isRequired: true))
            return
        }
        do throws(CheckpointError) {
            index = try ShardIndex(directory: directory.path, files: open)
        } catch {
            problems.append("\(error)")
        }
    }

    private mutating func shards() -> [WeightMap.Shard] {
        do throws(CheckpointError) {
            let file = directory.path(of: ShardIndex.indexFile)
            return try WeightMap(parsing: FileListing.read(file), file: file).shards
        } catch {
            problems.append("\(error)")
            return []
        }
    }

    private mutating func openShard(_ shard: WeightMap.Shard, into open: inout [SafetensorsFile]) {
        guard directory.contains(shard.name) else {
            missingFiles.append(
                .init(name: shard.name, purpose: "\(shard.tensors.count) tensors", isRequired: true))
            return
        }
        guard let file = openFile(shard.name) else { return }
        open.append(file)
        let absent = shard.tensors.filter { file.header.entries[$0] == nil }
        if let first = absent.first {
            problems.append(
                "\(directory.path(of: ShardIndex.indexFile)): \(absent.count) tensors are not in \(shard.name), "
                    + "which is said to hold them: \(CheckpointError.printable(first))…")
        }
    }

    private mutating func openFile(_ name: String) -> SafetensorsFile? {
        add(name)
        do throws(CheckpointError) {
            return try SafetensorsFile(path: directory.path(of: name))
        } catch {
            problems.append("\(error)")
            return nil
        }
    }

    // MARK: - Configurations

    mutating func readConfigurations() {
        do throws(CheckpointError) {
            if directory.contains(CheckpointDirectory.configFile) {
                config = try directory.modelConfig(weights: index)
            }
        } catch {
            problems.append("\(error)")
        }
        do throws(CheckpointError) {
            if directory.contains(CheckpointDirectory.generationConfigFile) {
                generation = try directory.generationConfig()
            }
        } catch {
            problems.append("\(error)")
        }
    }
}
