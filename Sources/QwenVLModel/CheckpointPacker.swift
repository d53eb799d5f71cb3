package import Checkpoint
package import TensorCore

/// Writes a checkpoint's tensors quantised, in the layout that they are used in (docs/formats.md). One matrix after
/// another is read, packed and written, so memory holds one of them at a time.
package struct CheckpointPacker {
    private let config: ModelConfig
    private let packing: ModelConfig.Packing
    private let reader: WeightReader
    private let index: ShardIndex
    private let backend: any Backend

    /// - Parameter config: the source's.
    package init(config: ModelConfig, packing: ModelConfig.Packing, index: ShardIndex, backend: any Backend) {
        (self.config, self.packing, self.index, self.backend) = (config, packing, index, backend)
        reader = WeightReader(index)
    }

    /// - Parameter progress: bytes written, of how many.
    /// - Throws: `CheckpointError`, for the source as for the result.
    package func write(to path: String, progress: @escaping (_ done: Int, _ total: Int) -> Void) throws {
        let declarations = try self.declarations
        let total = declarations.reduce(0) { $0 + ($1.type.byteCount($1.shape.dimensions) ?? 0) }
        let meter = LoadMeter(total: total, report: progress)
        let writer = try SafetensorsWriter(
            path: path, tensors: declarations, metadata: ["format": ModelConfig.Packing.method], order: .declared)
        let table = try table()
        for tensor in declarations {
            if tensor.name == Self.packedTable, let table {
                try writeTable(table, to: writer, meter: meter)
            } else if tensor.name.hasSuffix(Self.suffix) {
                try writeMatrix(tensor, table: table, to: writer, meter: meter)
            } else if !isBiasOfPacked(tensor.name) {
                let source = try reader.tensor(tensor.name, shape: tensor.shape)
                try writer.append(source.bytes, to: tensor.name)
                meter.add(source.bytes.count)
            }
        }
        // A tied head that the files hold besides is the table once more.
        if config.text.tiesWordEmbeddings, packing.text.isQuantized {
            _ = try reader.optionalMatrix("lm_head", rows: config.text.vocabularySize, columns: config.text.hiddenSize)
        }
        try reader.finish()
        try writer.finish()
        meter.finish()
    }

    private static let suffix = ".packed"
    private static let packedTable = "model.embed_tokens.packed"

    /// What the file holds: packed matrices first, each from a 64-byte line on.
    private var declarations: [SafetensorsWriter.Declaration] {
        get throws {
            var stored = config
            stored.packing = packing
            let tensors = try stored.storedTensors.map { tensor in
                let type: ElementType =
                    tensor.name.hasSuffix(Self.suffix)
                    ? .uint8
                    : isBiasOfPacked(tensor.name) ? .float32 : try sourceType(tensor.name, shape: tensor.shape)
                return SafetensorsWriter.Declaration(name: tensor.name, type: type, shape: tensor.shape)
            }
            let (packed, others) = (tensors.filter { $0.type == .uint8 }, tensors.filter { $0.type != .uint8 })
            return packed.filter { $0.name != Self.packedTable } + packed.filter { $0.name == Self.packedTable }
                + others.filter { $0.type == .float32 } + others.filter { $0.type != .float32 }
        }
    }

    /// Biases of packed matrices are written with them, in float32.
    private func isBiasOfPacked(_ name: String) -> Bool {
        name.hasSuffix(".bias") && (name.hasPrefix("visual.") ? packing.vision : packing.text).isQuantized
    }

    private func sourceType(_ name: String, shape: Shape) throws -> ElementType {
        guard let location = index.tensors[name] else {
            throw CheckpointError.missingTensor(name: name, expected: shape, nearest: [])
        }
        return location.entry.type
    }

    /// The embedding table, where it is to be packed.
    private func table() throws -> HostTensor? {
        guard packing.text.isQuantized else { return nil }
        return try reader.tensor(
            "model.embed_tokens.weight", shape: [config.text.vocabularySize, config.text.hiddenSize])
    }

    private func writeTable(_ table: HostTensor, to writer: SafetensorsWriter, meter: LoadMeter) throws {
        let rows = table.shape.dimensions[0]
        for first in stride(from: 0, to: rows, by: Self.tableRows) {
            let bytes = backend.packTable(table, rows: first..<min(first + Self.tableRows, rows))
            try bytes.withUnsafeBytes { try writer.append($0, to: Self.packedTable) }
            meter.add(bytes.count)
        }
    }

    /// Some 16 MiB of float32 at a time.
    private static let tableRows = 2048

    private func writeMatrix(
        _ tensor: SafetensorsWriter.Declaration, table: HostTensor?, to writer: SafetensorsWriter, meter: LoadMeter
    ) throws {
        let name = String(tensor.name.dropLast(Self.suffix.count))
        let source = try source(of: name, table: table)
        let format = name.hasPrefix("visual.") ? packing.vision : packing.text
        let weight = try backend.makeWeight(source, format: format)
        try backend.withPacked(weight) { bytes, bias in
            try writer.append(bytes, to: tensor.name)
            meter.add(bytes.count)
            if let bias { try writer.append(UnsafeRawBufferPointer(bias), to: name + ".bias") }
        }
        if !name.hasSuffix(Self.stacked) { reader[name].advise(.dontNeed) }
    }

    private static let stacked = "qkv_proj"

    private func source(of name: String, table: HostTensor?) throws -> WeightSource {
        let text = config.text
        if name == "lm_head", text.tiesWordEmbeddings, let table { return WeightSource([table]) }
        guard name.hasSuffix("." + Self.stacked) else { return try WeightSource([matrix(name)], biases: bias(name)) }
        let place = name.dropLast(Self.stacked.count)
        let parts = ["q_proj", "k_proj", "v_proj"].map { String(place) + $0 }
        return WeightSource(try parts.map { try matrix($0) }, biases: try parts.flatMap { try bias($0) })
    }

    private func matrix(_ name: String) throws -> HostTensor {
        let tensor = try reader.tensor(name + ".weight", shape: expected(name + ".weight"))
        return HostTensor(
            name: tensor.name, dtype: tensor.dtype,
            shape: [tensor.shape.dimensions[0], tensor.shape.count / max(1, tensor.shape.dimensions[0])],
            owner: tensor.owner, bytes: tensor.bytes)
    }

    private func bias(_ name: String) throws -> [HostTensor] {
        guard expectedShapes[name + ".bias"] != nil else { return [] }
        return [try reader.tensor(name + ".bias", shape: expected(name + ".bias"))]
    }

    private func expected(_ name: String) throws -> Shape {
        guard let shape = expectedShapes[name] else {
            throw CheckpointError.missingTensor(name: name, expected: nil, nearest: [])
        }
        return shape
    }

    private var expectedShapes: [String: Shape] {
        Dictionary(config.expectedTensors.map { ($0.name, $0.shape) }) { first, _ in first }
    }
}
