package import TensorCore

/// All tensors of a checkpoint, over one file or many, by their official names.
package struct ShardIndex: Sendable {
    /// Where a tensor is.
    package struct Location: Sendable {
        package let file: SafetensorsFile
        /// Holds the name that the file uses.
        package let entry: SafetensorsHeader.Entry
    }

    package let directory: String
    /// The open files, in the order of their names.
    package let files: [SafetensorsFile]
    /// By official name.
    package let tensors: [String: Location]

    package static let singleFile = "model.safetensors"
    package static let indexFile = "model.safetensors.index.json"

    /// Opens `model.safetensors` if it is there, otherwise the shards that `model.safetensors.index.json` names.
    /// - Throws: `CheckpointError`, when neither is there, a shard is missing or invalid, a tensor is not where the
    ///   index says, or two tensors have the same name.
    package init(directory: String) throws(CheckpointError) {
        if FileListing.exists(directory, Self.singleFile) {
            let file = try SafetensorsFile(path: FileListing.path(directory, Self.singleFile))
            try self.init(directory: directory, files: [file])
            return
        }
        guard FileListing.exists(directory, Self.indexFile) else {
            throw .missingFile(
                directory: directory, name: Self.singleFile,
                reason: "neither it nor \(Self.indexFile) is there")
        }
        let indexPath = FileListing.path(directory, Self.indexFile)
        let map = try WeightMap(parsing: FileListing.read(indexPath), file: indexPath)
        try self.init(directory: directory, map: map) { (name) throws(CheckpointError) in
            guard FileListing.exists(directory, name) else {
                throw .missingFile(directory: directory, name: name, reason: "\(Self.indexFile) names it")
            }
            return try SafetensorsFile(path: FileListing.path(directory, name))
        }
    }

    /// The shards of a parsed index, opened by `open`.
    package init(
        directory: String, map: WeightMap, open: (String) throws(CheckpointError) -> SafetensorsFile
    ) throws(CheckpointError) {
        var files: [SafetensorsFile] = []
        for shard in map.shards {
            let file = try open(shard.name)
            for tensor in shard.tensors where file.header.entries[tensor] == nil {
                throw .invalidField(
                    file: map.file, field: "weight_map.\(tensor)", expected: "a shard that holds the tensor",
                    found: "\(shard.name), which does not")
            }
            files.append(file)
        }
        try self.init(directory: directory, files: files)
    }

    /// Every tensor of these files, those too that no index names.
    package init(directory: String, files: [SafetensorsFile]) throws(CheckpointError) {
        var tensors: [String: Location] = [:]
        for file in files {
            for entry in file.header.entries.values {
                let name = TensorNames.canonical(entry.name)
                if let other = tensors.updateValue(Location(file: file, entry: entry), forKey: name) {
                    throw .duplicateTensor(name: name, files: [other.file.path, file.path].sorted())
                }
            }
        }
        self.directory = directory
        self.files = files
        self.tensors = tensors
    }

    /// The tensors' shapes, by official name.
    package var shapes: [String: Shape] { tensors.mapValues(\.entry.shape) }

    /// Tells the system how all weights are about to be used.
    package func advise(_ advice: MappedFile.Advice) {
        for file in files { file.contents.advise(advice, 0..<file.contents.bytes.count) }
    }
}

/// The content of `model.safetensors.index.json`.
package struct WeightMap: Sendable {
    package struct Shard: Sendable {
        package let name: String
        /// As the file names them.
        package let tensors: [String]
    }

    package let file: String
    package let shards: [Shard]

    /// - Throws: `CheckpointError.malformedJSON`; `.invalidField`, also when a shard's name is not a plain file name.
    package init(parsing bytes: [UInt8], file: String) throws(CheckpointError) {
        let json = try JSON(parsing: bytes, file: file)
        guard case .object(let root) = json, case .object(let map)? = root["weight_map"] else {
            throw .invalidField(
                file: file, field: "weight_map", expected: "an object of tensor names and file names",
                found: "nothing of the kind")
        }
        guard !map.isEmpty else {
            throw .invalidField(file: file, field: "weight_map", expected: "at least one tensor", found: "none")
        }
        var tensors: [String: [String]] = [:]
        for (tensor, value) in map.sorted(by: { $0.key < $1.key }) {
            guard case .string(let shard) = value, Self.isPlainFileName(shard) else {
                throw .invalidField(
                    file: file, field: "weight_map.\(tensor)",
                    expected: "the name of a .safetensors file in the same directory", found: value.summary)
            }
            tensors[shard, default: []].append(tensor)
        }
        self.file = file
        shards = tensors.sorted { $0.key < $1.key }.map { Shard(name: $0.key, tensors: $0.value) }
    }

    /// A name that cannot lead out of the directory.
    private static func isPlainFileName(_ name: String) -> Bool {
        name.hasSuffix(".safetensors") && !name.hasPrefix(".") && name.utf8.count <= 255
            && !name.unicodeScalars.contains { $0 == "/" || $0 == "\\" || $0.value < 32 }
    }
}
