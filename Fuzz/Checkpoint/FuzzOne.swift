import Checkpoint
import TensorCore

/// Feeds one input to a reader and checks what it lets through. The first byte picks the reader, the rest is its file.
/// Whatever the bytes, a reader either throws a `CheckpointError` or returns something that holds what it promises;
/// anything else traps here, in the reader, or in the address sanitizer.
func fuzzOne(_ input: [UInt8]) {
    guard let kind = input.first else { return }
    let content = Array(input.dropFirst())
    switch kind % 6 {
    case 0: try? readFile(content)
    case 1: try? readFile(wholeFile(header: content))
    case 2: try? readConfig(content, shapes: [:])
    case 3: try? readConfigWithShapes(content)
    case 4: try? readIndex(content)
    default: _ = try? GenerationConfig(parsing: content, file: "generation_config.json")
    }
}

/// Offsets beyond this are left to fail: a fuzzer needs no large files.
private let maximumData = 1 << 16

/// The header made a file: its length before it, and as much data behind it as its offsets speak of.
private func wholeFile(header: [UInt8]) -> [UInt8] {
    var end = 0
    if case .object(let members)? = try? JSON(parsing: header, file: "header") {
        for case .object(let tensor) in members.values {
            if case .array(let offsets)? = tensor["data_offsets"], case .integer(let last)? = offsets.last {
                end = max(end, min(last, maximumData))
            }
        }
    }
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    return length + header + [UInt8](repeating: 0x5A, count: end)
}

private func readFile(_ bytes: [UInt8]) throws {
    let file = try SafetensorsFile(contents: MappedFile(contents: bytes, name: "model.safetensors"))
    var total = 0
    for (name, entry) in file.header.entries {
        let data = try file.bytes(of: name)
        precondition(entry.name == name && data.count == entry.range.count)
        precondition(entry.type.byteCount(entry.shape.dimensions) == data.count)
        // The ends are enough for the sanitizer to notice a view that is off.
        precondition(data.isEmpty || Int(data[0]) + Int(data[data.count - 1]) >= 0)
        file.advise(.willNeed, tensor: name)
        total += data.count
    }
    precondition(total <= bytes.count)
    try readWeights(ShardIndex(directory: "directory", files: [file]))
}

/// Every tensor can be read once, and then the account is even.
private func readWeights(_ index: ShardIndex) throws {
    let root = WeightReader(index)
    var refused = 0
    for (name, location) in index.tensors.sorted(by: { $0.key < $1.key })
    where !TensorNames.isDerived(name) {
        var cursor = root
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        for part in parts.dropLast() { cursor = cursor[String(part)] }
        let last = String(parts.last ?? "")
        if location.entry.type.dtype != nil {
            let tensor = try cursor.tensor(last, shape: location.entry.shape)
            precondition(tensor.bytes.count == location.entry.range.count)
            precondition(!root.unread.contains(name))
        } else {
            refused += 1
        }
        precondition((try? cursor.tensor(last, shape: location.entry.shape)) == nil)
        precondition((try? cursor.tensor(last, shape: Shape(location.entry.shape.dimensions + [1]))) == nil)
    }
    precondition(root.unread.count == refused)
    precondition(((try? root.finish()) != nil) == root.unread.isEmpty)
}

private func readConfig(_ bytes: [UInt8], shapes: [String: Shape]) throws {
    let config = try ModelConfig(parsing: bytes, file: "config.json", shapes: shapes)
    let text = config.text
    let vision = config.vision
    precondition(text.heads % text.keyValueHeads == 0 && text.headSize % 2 == 0)
    precondition(text.rope.sections.reduce(0, +) * 2 == text.headSize)
    precondition(text.contextLength >= text.maximumPositions)
    precondition(vision.headSize % 4 == 0 && vision.headSize * vision.heads == vision.hiddenSize)
    precondition(vision.windowCells * vision.patchSize * vision.mergeSize == vision.windowSize)
    precondition(vision.fullAttentionBlocks.allSatisfy { (0..<vision.depth).contains($0) })
    precondition(vision.outHiddenSize == text.hiddenSize)
    if text.layers + vision.depth <= 64 {
        var bytes = 0
        for (_, shape) in config.expectedTensors { bytes += shape.count * 4 }
        precondition(bytes > 0)
    }
}

/// The file's first line as a header whose shapes complete the configuration that follows.
private func readConfigWithShapes(_ bytes: [UInt8]) throws {
    let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return }
    let file = try SafetensorsFile(
        contents: MappedFile(contents: wholeFile(header: Array(parts[0])), name: "model.safetensors"))
    let index = try ShardIndex(directory: "directory", files: [file])
    try readConfig(Array(parts[1]), shapes: index.shapes)
}

private func readIndex(_ bytes: [UInt8]) throws {
    let map = try WeightMap(parsing: bytes, file: ShardIndex.indexFile)
    precondition(
        map.shards.allSatisfy { !$0.name.contains("/") && $0.name.hasSuffix(".safetensors") && !$0.tensors.isEmpty })
    let index = try ShardIndex(directory: "directory", map: map) { (name) throws(CheckpointError) in
        guard name.utf8.count % 7 != 0 else {
            throw .missingFile(directory: "directory", name: name, reason: "left out on purpose")
        }
        // A shard that holds what it should, so that the checks behind the first one are reached.
        let tensors = map.shards.first { $0.name == name }?.tensors ?? []
        var names: [String] = []
        for tensor in tensors where !tensor.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }) {
            names.append("\"\(tensor)\":{\"dtype\":\"BF16\",\"shape\":[0],\"data_offsets\":[0,0]}")
        }
        return try SafetensorsFile(
            contents: MappedFile(
                contents: wholeFile(header: Array("{\(names.joined(separator: ","))}".utf8)), name: name))
    }
    try readWeights(index)
}
