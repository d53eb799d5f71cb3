import Foundation

/// A model directory in the layout of the Hugging Face hub.
package struct CheckpointDirectory: Sendable {
    package let path: String

    /// - Throws: `CheckpointError.unreadable` when there is no such directory.
    package init(_ path: String) throws(CheckpointError) {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw .unreadable(file: path, reason: "there is no such directory")
        }
        guard isDirectory.boolValue else { throw .unreadable(file: path, reason: "is not a directory") }
        self.path = path
    }

    package func path(of name: String) -> String { FileListing.path(path, name) }
    package func contains(_ name: String) -> Bool { FileListing.exists(path, name) }

    /// The bytes of a small file.
    /// - Throws: `CheckpointError.missingFile` or `.unreadable`.
    package func read(_ name: String, neededFor reason: String) throws(CheckpointError) -> [UInt8] {
        guard contains(name) else { throw .missingFile(directory: path, name: name, reason: reason) }
        return try FileListing.read(path(of: name))
    }

    /// The tensors, mapped.
    package func weights() throws(CheckpointError) -> ShardIndex { try ShardIndex(directory: path) }

    /// `config.json`. With the weights at hand, widths that the file lacks are taken from them.
    package func modelConfig(weights: ShardIndex? = nil) throws(CheckpointError) -> ModelConfig {
        let bytes = try read(Self.configFile, neededFor: "it holds the shape of the model")
        return try ModelConfig(
            parsing: bytes, file: path(of: Self.configFile), shapes: weights?.shapes ?? [:])
    }

    /// `generation_config.json`; without one, every default is nil.
    package func generationConfig() throws(CheckpointError) -> GenerationConfig {
        guard contains(Self.generationConfigFile) else { return GenerationConfig() }
        let file = path(of: Self.generationConfigFile)
        return try GenerationConfig(parsing: FileListing.read(file), file: file)
    }

    package static let configFile = "config.json"
    package static let generationConfigFile = "generation_config.json"
}
