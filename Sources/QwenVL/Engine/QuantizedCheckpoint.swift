import CPUBackend
import Checkpoint
import Foundation
import QwenVLModel
import TensorCore

/// Quantises checkpoints on disk.
public enum QuantizedCheckpoint {
    /// What to make, and how.
    public struct Options: Sendable {
        /// The language model's format. `float32` and `bfloat16` leave it as it is.
        public var weights: EngineOptions.Weights = .int4
        /// The vision tower's format. `float32` and `bfloat16` leave it as it is.
        public var visionWeights: EngineOptions.Weights = .int8
        /// Threads; nil for one per physical core.
        public var threads: Int?

        /// The defaults: 4 bits for the language model, 8 for the vision tower.
        public init() {}
    }

    /// Writes a directory that ``Engine`` loads at once: its weights are packed already, and are used where they lie in
    /// the file.
    /// - Parameters:
    ///   - source: a checkpoint directory with weights in float32, bfloat16 or float16.
    ///   - target: a directory that is not there yet, or is empty.
    ///   - progress: bytes written, of how many.
    /// - Throws: ``QwenVLError``.
    public static func write(
        _ source: String, to target: String, options: Options = Options(),
        progress: (@Sendable (LoadProgress) -> Void)? = nil
    ) async throws {
        let thread = ComputeThread(name: "qwenvl quantize")
        defer { thread.stop() }
        do {
            try await Writer(thread: thread).write(source, to: target, options: options, progress: progress)
        } catch {
            throw QwenVLError.wrapping(error)
        }
    }

    private actor Writer {
        private let thread: ComputeThread
        nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

        init(thread: ComputeThread) { self.thread = thread }

        func write(
            _ path: String, to target: String, options: Options, progress: (@Sendable (LoadProgress) -> Void)?
        ) throws {
            let packing = ModelConfig.Packing(text: options.weights.format, vision: options.visionWeights.format)
            guard packing.text.isQuantized || packing.vision.isQuantized else {
                throw QwenVLError.unsupported(
                    field: "weights", reason: "expected int8 or int4 for one half of the model, found neither")
            }
            let directory = try CheckpointDirectory(path)
            let index = try directory.weights()
            let config = try directory.modelConfig(weights: index)
            guard config.packing == nil else {
                throw QwenVLError.checkpoint("\(path) is quantised already: start from the original weights")
            }
            try Self.prepare(target)
            var engineOptions = EngineOptions()
            engineOptions.threads = options.threads
            let backend = try makeBackend(engineOptions)
            backend.setActive(true)
            defer { backend.setActive(false) }
            // The configuration comes last: without it, a directory is no checkpoint.
            try CheckpointPacker(config: config, packing: packing, index: index, backend: backend)
                .write(to: target + "/" + ShardIndex.singleFile) { done, total in
                    progress?(LoadProgress(bytesDone: done, bytesTotal: total))
                }
            try Self.copyFiles(from: path, to: target)
            try Self.writeConfig(directory, to: target, packing: packing)
            try Self.verify(target, config: config, packing: packing)
        }

        private static func prepare(_ target: String) throws {
            do {
                try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
                guard try FileManager.default.contentsOfDirectory(atPath: target).isEmpty else {
                    throw QwenVLError.unsupported(
                        field: target, reason: "expected an empty directory, found files in it")
                }
            } catch let error as CocoaError {
                throw QwenVLError.unsupported(field: target, reason: error.localizedDescription)
            }
        }

        /// The tokenizer's files, templates, limits and what people may want to read.
        private static func copyFiles(from source: String, to target: String) throws {
            let left = [CheckpointDirectory.configFile, ShardIndex.indexFile]
            for name in try FileManager.default.contentsOfDirectory(atPath: source).sorted() {
                let isWanted =
                    ["json", "jinja", "txt", "md"].contains { name.hasSuffix("." + $0) } || name == "LICENSE"
                guard isWanted, !left.contains(name) else { continue }
                let file = URL(fileURLWithPath: source + "/" + name).resolvingSymlinksInPath()
                try FileManager.default.copyItem(atPath: file.path, toPath: target + "/" + name)
            }
        }

        /// The source's text with one field more: numbers stay as they were written.
        private static func writeConfig(
            _ directory: CheckpointDirectory, to target: String, packing: ModelConfig.Packing
        ) throws {
            let bytes = try directory.read(CheckpointDirectory.configFile, neededFor: "it holds the shape of the model")
            guard let brace = bytes.firstIndex(of: UInt8(ascii: "{")) else {
                throw QwenVLError.checkpoint("\(directory.path): config.json holds no object")
            }
            let field =
                "\n  \"quantization_config\": {\"quant_method\": \"\(ModelConfig.Packing.method)\", "
                + "\"version\": \(ModelConfig.Packing.version), \"text\": \"\(packing.text.rawValue)\", "
                + "\"vision\": \"\(packing.vision.rawValue)\"},"
            var data = Data(bytes[...brace])
            data.append(Data(field.utf8))
            data.append(Data(bytes[(brace + 1)...]))
            try data.write(to: URL(fileURLWithPath: target + "/" + CheckpointDirectory.configFile))
        }

        /// What the source's configuration left to its tensors' shapes must not have been lost.
        private static func verify(_ target: String, config: ModelConfig, packing: ModelConfig.Packing) throws {
            var expected = config
            expected.packing = packing
            let directory = try CheckpointDirectory(target)
            guard try directory.modelConfig(weights: directory.weights()) == expected else {
                throw QwenVLError.checkpoint(
                    "\(target): config.json does not state the whole shape of the model; complete the source's first")
            }
        }
    }
}
