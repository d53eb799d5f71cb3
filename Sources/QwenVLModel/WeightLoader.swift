import Checkpoint
import TensorCore

/// Reads weights at one place of the checkpoint and hands them to the backend.
struct WeightLoader {
    enum Bias { case present, absent }

    let reader: WeightReader
    let backend: any Backend
    let format: WeightFormat
    let meter: LoadMeter

    subscript(_ name: String) -> WeightLoader {
        WeightLoader(reader: reader[name], backend: backend, format: format, meter: meter)
    }
    subscript(_ index: Int) -> WeightLoader {
        WeightLoader(reader: reader[index], backend: backend, format: format, meter: meter)
    }

    func tensor(_ name: String, shape: Shape) throws -> HostTensor { try reader.tensor(name, shape: shape) }

    /// Makes a module at this place and lets go of the file's pages that it was packed from.
    func module<Module>(_ make: (WeightLoader) throws -> Module) rethrows -> Module {
        let module = try make(self)
        reader.advise(.dontNeed)
        return module
    }

    func norm(_ name: String, count: Int) throws -> Tensor {
        backend.makeVector(try reader[name].vector("weight", count: count))
    }

    func linear(_ name: String, rows: Int, columns: Int, bias: Bias) throws -> any Weight {
        let matrix = try reader.matrix(name, rows: rows, columns: columns)
        let biases = bias == .present ? [try reader[name].vector("bias", count: rows)] : []
        return try pack(WeightSource([matrix], biases: biases))
    }

    /// Several matrices with biases over the same input, as one.
    func stackedLinear(_ parts: [(name: String, rows: Int)], columns: Int) throws -> any Weight {
        let matrices = try parts.map { try reader.matrix($0.name, rows: $0.rows, columns: columns) }
        let biases = try parts.map { try reader[$0.name].vector("bias", count: $0.rows) }
        return try pack(WeightSource(matrices, biases: biases))
    }

    /// A convolution whose stride is its kernel: a matrix over the kernel's elements.
    func convolution(_ name: String, rows: Int, kernel: [Int]) throws -> any Weight {
        let matrix = try reader.convolution(name, rows: rows, kernel: kernel)
        return try pack(WeightSource([matrix]))
    }

    /// `lm_head`, or the embedding table where the two are tied.
    func head(tiedTo table: HostTensor?, config: ModelConfig.Text) throws -> any Weight {
        let rows = config.vocabularySize
        guard let table else { return try linear("lm_head", rows: rows, columns: config.hiddenSize, bias: .absent) }
        // Some files hold the tied head a second time; the table counts, as in the reference.
        _ = try reader.optionalMatrix("lm_head", rows: rows, columns: config.hiddenSize)
        return try pack(WeightSource([table]))
    }

    private func pack(_ source: WeightSource) throws -> any Weight {
        let weight = try backend.makeWeight(source, format: format)
        meter.add(source.matrices.reduce(0) { $0 + $1.bytes.count })
        return weight
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
