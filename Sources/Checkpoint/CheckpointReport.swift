import TensorCore

/// What a model directory holds and lacks, learnt from its configuration and the headers of its weights: no weight is
/// read. Made for incomplete and damaged directories too: what is wrong is reported, not thrown.
package struct CheckpointReport: Sendable, Encodable {
    package let directory: String
    /// Nil when `config.json` is missing or refused; `problems` says why.
    package let model: Model?
    /// Nil when there are no weights at all.
    package let weights: Weights?
    package let memory: Memory?
    package let generation: GenerationConfig?
    /// The files there that a checkpoint is made of, as far as this program uses them.
    package let files: [File]
    package let missingFiles: [MissingFile]
    /// Errors of files, in full sentences.
    package let problems: [String]
    /// Whether the model can be loaded: nothing required is missing, and every tensor is as expected.
    package let isComplete: Bool

    package struct Model: Sendable, Encodable {
        /// "3B", "7B", "32B" or "72B"; nil for other shapes.
        package let sizeClass: String?
        package let textParameters: Int
        package let visionParameters: Int
        /// Tokens, with YaRN if the configuration turns it on.
        package let contextLength: Int
        package let config: ModelConfig

        package var parameters: Int { textParameters + visionParameters }
    }

    package struct Weights: Sendable, Encodable {
        package let types: [TypeCount]
        package let tensors: Int
        package let bytes: Int
        /// How many tensors the configuration calls for; nil without one.
        package let expectedTensors: Int?
        package let missing: [Tensor]
        package let misshapen: [Misfit]
        /// Expected tensors of a type that is no weight's.
        package let mistyped: [Misfit]
        /// Tensors that the model has no place for.
        package let unexpected: [Tensor]
    }

    package struct TypeCount: Sendable, Encodable {
        package let type: ElementType
        package let tensors: Int
        package let bytes: Int
    }

    package struct Tensor: Sendable, Encodable, Equatable {
        package let name: String
        package let shape: [Int]

        package init(name: String, shape: [Int]) {
            self.name = name
            self.shape = shape
        }
    }

    package struct Misfit: Sendable, Encodable, Equatable {
        package let name: String
        package let expected: String
        package let found: String

        package init(name: String, expected: String, found: String) {
            self.name = name
            self.expected = expected
            self.found = found
        }
    }

    /// Bytes. Activations come on top: they depend on the prompt.
    package struct Memory: Sendable, Encodable {
        package let float32Weights: Int
        package let bfloat16Weights: Int
        package let float32CachePer1024Tokens: Int
        package let bfloat16CachePer1024Tokens: Int
    }

    package struct File: Sendable, Encodable {
        package let name: String
        package let bytes: Int
    }

    package struct MissingFile: Sendable, Encodable {
        package let name: String
        package let purpose: String
        package let isRequired: Bool
    }

    package init(inspecting directory: CheckpointDirectory) {
        var survey = CheckpointSurvey(directory: directory)
        survey.listFiles()
        survey.openWeights()
        survey.readConfigurations()
        self.directory = directory.path
        files = survey.files
        missingFiles = survey.missingFiles
        problems = survey.problems
        generation = survey.generation
        let index = survey.index
        let config = survey.config
        model = config.map(Model.init)
        memory = config.map(Memory.init)
        weights = index.map { Weights($0, config: config) }
        isComplete =
            survey.problems.isEmpty && !survey.missingFiles.contains(where: \.isRequired) && model != nil
            && (weights?.fits ?? false)
    }
}

extension CheckpointReport.Model {
    init(_ config: ModelConfig) {
        self.config = config
        textParameters = config.textTensors.reduce(0) { $0 + $1.shape.count }
        visionParameters = config.visionTensors.reduce(0) { $0 + $1.shape.count }
        contextLength = config.text.contextLength
        let official = [
            "3B": (2048, 36), "7B": (3584, 28), "32B": (5120, 64), "72B": (8192, 80),
        ]
        sizeClass = official.first { $0.value == (config.text.hiddenSize, config.text.layers) }?.key
    }
}

extension CheckpointReport.Memory {
    init(_ config: ModelConfig) {
        let parameters = config.expectedTensors.reduce(0) { $0 + $1.shape.count }
        float32Weights = parameters * 4
        bfloat16Weights = parameters * 2
        let text = config.text
        let cached = 2 * text.layers * text.keyValueHeads * text.headSize * 1024
        float32CachePer1024Tokens = cached * 4
        bfloat16CachePer1024Tokens = cached * 2
    }
}

extension CheckpointReport.Weights {
    init(_ index: ShardIndex, config: ModelConfig?) {
        typealias Report = CheckpointReport
        let entries = index.tensors.mapValues(\.entry)
        tensors = entries.count
        bytes = entries.values.reduce(0) { $0 + $1.range.count }
        types = Dictionary(grouping: entries.values, by: \.type)
            .map { Report.TypeCount(type: $0, tensors: $1.count, bytes: $1.reduce(0) { $0 + $1.range.count }) }
            .sorted { ($0.bytes, $0.type.rawValue) > ($1.bytes, $1.type.rawValue) }
        let expected = config?.storedTensors ?? []
        expectedTensors = config == nil ? nil : expected.count
        var missing: [Report.Tensor] = []
        var misshapen: [Report.Misfit] = []
        var mistyped: [Report.Misfit] = []
        // A head that is stored although it is tied to the embedding is read and checked all the same.
        let head = config.map { ("lm_head.weight", Shape([$0.text.vocabularySize, $0.text.hiddenSize])) }
        let tied = (config?.text.tiesWordEmbeddings ?? false) && entries["lm_head.weight"] != nil
        let packed = Set(expected.lazy.map(\.name).filter { $0.hasSuffix(".packed") })
        for (name, shape) in expected + (tied ? [head].compactMap { $0 } : []) {
            guard let entry = entries[name] else {
                missing.append(Report.Tensor(name: name, shape: shape.dimensions))
                continue
            }
            if entry.shape != shape {
                misshapen.append(Report.Misfit(name: name, expected: "\(shape)", found: "\(entry.shape)"))
            }
            if packed.contains(name) {
                if entry.type != .uint8 {
                    mistyped.append(Report.Misfit(name: name, expected: "U8", found: entry.type.rawValue))
                }
            } else if entry.type.dtype == nil {
                mistyped.append(Report.Misfit(name: name, expected: "F32, BF16 or F16", found: entry.type.rawValue))
            }
        }
        self.missing = missing
        self.misshapen = misshapen
        self.mistyped = mistyped
        let known = Set(expected.map(\.name)).union(["lm_head.weight"])
        unexpected =
            config == nil
            ? []
            : entries.filter { !known.contains($0.key) && !TensorNames.isDerived($0.key) }
                .map { Report.Tensor(name: $0.key, shape: $0.value.shape.dimensions) }
                .sorted { $0.name < $1.name }
    }

    /// Whether the model can be built from them.
    var fits: Bool { missing.isEmpty && misshapen.isEmpty && mistyped.isEmpty && unexpected.isEmpty }
}
