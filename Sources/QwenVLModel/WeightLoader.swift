import Checkpoint
import TensorCore

/// Reads weights at one place of the checkpoint and hands them to the backend.
struct WeightLoader {
    enum Bias { case present, absent }

    /// Where weights come from.
    enum Source {
        case checkpoint(WeightReader)
        /// Made up: for measuring shapes.
        case random(RandomSeeds)

        subscript(_ name: String) -> Source {
            if case .checkpoint(let reader) = self { .checkpoint(reader[name]) } else { self }
        }
    }

    let source: Source
    /// Whether this half's matrices lie in the checkpoint as they are used, so that its pages are needed on.
    var isPacked = false
    let backend: any Backend
    var format: WeightFormat
    let meter: LoadMeter

    subscript(_ name: String) -> WeightLoader {
        var loader = WeightLoader(source: source[name], backend: backend, format: format, meter: meter)
        loader.isPacked = isPacked
        return loader
    }
    subscript(_ index: Int) -> WeightLoader { self[String(index)] }

    /// Makes a module at this place and lets go of the file's pages that it was packed from.
    func module<Module>(_ make: (WeightLoader) throws -> Module) rethrows -> Module {
        let module = try make(self)
        if case .checkpoint(let reader) = source, !isPacked { reader.advise(.dontNeed) }
        return module
    }

    func norm(_ name: String, count: Int) throws -> Tensor {
        switch source {
        case .checkpoint(let reader): backend.makeVector(try reader[name].vector("weight", count: count))
        case .random:
            [Float](repeating: 1, count: count).withUnsafeBufferPointer {
                backend.makeTensor($0, rows: 1, columns: count)
            }
        }
    }

    func linear(_ name: String, rows: Int, columns: Int, bias: Bias) throws -> any Weight {
        switch source {
        case .checkpoint(let reader) where isPacked:
            return try packed(reader, name, rows: rows, columns: columns, bias: bias)
        case .checkpoint(let reader):
            let matrix = try reader.matrix(name, rows: rows, columns: columns)
            let biases = bias == .present ? [try reader[name].vector("bias", count: rows)] : []
            return try pack(WeightSource([matrix], biases: biases))
        case .random(let seeds): return try random(seeds, rows: rows, columns: columns, bias: bias)
        }
    }

    /// Several matrices with biases over the same input, as one.
    /// - Parameter name: what the whole is called in a packed checkpoint.
    func stackedLinear(_ name: String, of parts: [(name: String, rows: Int)], columns: Int) throws -> any Weight {
        switch source {
        case .checkpoint(let reader) where isPacked:
            let rows = parts.reduce(0) { $0 + $1.rows }
            return try packed(reader, name, rows: rows, columns: columns, bias: .present)
        case .checkpoint(let reader):
            let matrices = try parts.map { try reader.matrix($0.name, rows: $0.rows, columns: columns) }
            let biases = try parts.map { try reader[$0.name].vector("bias", count: $0.rows) }
            return try pack(WeightSource(matrices, biases: biases))
        case .random(let seeds):
            return try random(seeds, rows: parts.reduce(0) { $0 + $1.rows }, columns: columns, bias: .present)
        }
    }

    /// A convolution whose stride is its kernel: a matrix over the kernel's elements.
    func convolution(_ name: String, rows: Int, kernel: [Int]) throws -> any Weight {
        switch source {
        case .checkpoint(let reader) where isPacked:
            return try packed(reader, name, rows: rows, columns: kernel.reduce(1, *), bias: .absent)
        case .checkpoint(let reader):
            return try pack(WeightSource([try reader.convolution(name, rows: rows, kernel: kernel)]))
        case .random(let seeds):
            return try random(seeds, rows: rows, columns: kernel.reduce(1, *), bias: .absent)
        }
    }

    /// A table of embeddings, and what a head that is tied to it is packed from.
    func embedding(_ name: String, rows: Int, columns: Int) throws -> (table: any EmbeddingTable, source: HostTensor?) {
        switch source {
        case .checkpoint(let reader) where isPacked:
            let table = try reader.packed(name + ".packed", shape: PackedLayout.table(rows: rows, columns: columns))
            return (backend.makeEmbeddingTable(table, rows: rows, columns: columns), nil)
        case .checkpoint(let reader):
            let table = try reader[name].tensor("weight", shape: [rows, columns])
            return (backend.makeEmbeddingTable(table, rounding: format.isQuantized ? .int8 : .none), table)
        case .random: return (backend.makeRandomEmbeddingTable(rows: rows, columns: columns), nil)
        }
    }

    /// `lm_head`, or the embedding table where the two are tied.
    func head(tiedTo table: HostTensor?, config: ModelConfig.Text) throws -> any Weight {
        let rows = config.vocabularySize
        guard let table, case .checkpoint(let reader) = source else {
            return try linear("lm_head", rows: rows, columns: config.hiddenSize, bias: .absent)
        }
        // Some files hold the tied head a second time; the table counts, as in the reference.
        _ = try reader.optionalMatrix("lm_head", rows: rows, columns: config.hiddenSize)
        return try pack(WeightSource([table]))
    }

    private func packed(
        _ reader: WeightReader, _ name: String, rows: Int, columns: Int, bias: Bias
    ) throws -> any Weight {
        guard let shape = PackedLayout.matrix(rows: rows, columns: columns, format: format) else {
            preconditionFailure("\(format.rawValue) matrices are not kept packed")
        }
        let bytes = try reader.packed(name + ".packed", shape: shape)
        let biases = bias == .present ? [try reader[name].vector("bias", count: rows)] : []
        meter.add(bytes.bytes.count)
        return try backend.makeWeight(bytes, rows: rows, columns: columns, biases: biases, format: format)
    }

    private func pack(_ source: WeightSource) throws -> any Weight {
        let weight = try backend.makeWeight(source, format: format)
        meter.add(source.matrices.reduce(0) { $0 + $1.bytes.count })
        return weight
    }

    private func random(_ seeds: RandomSeeds, rows: Int, columns: Int, bias: Bias) throws -> any Weight {
        let weight = try backend.makeRandomWeight(
            rows: rows, columns: columns, hasBias: bias == .present, format: format, seed: seeds.next())
        meter.add(weight.byteCount)
        return weight
    }
}

/// A seed for each random matrix, the same in every run.
final class RandomSeeds {
    private var last: UInt64 = 0

    func next() -> UInt64 {
        last += 1
        return last
    }
}

/// Counts bytes of weights as they are packed.
final class LoadMeter {
    private let total: Int
    private let report: (_ done: Int, _ total: Int) -> Void
    private var done = 0

    init(total: Int, report: @escaping (_ done: Int, _ total: Int) -> Void) {
        self.total = total
        self.report = report
    }

    func add(_ bytes: Int) {
        // A tied table is read as embedding and packed as head; the rest is vectors, too small to count.
        done = min(done + bytes, total)
        report(done, total)
    }

    func finish() { report(total, total) }
}
