package import Checkpoint
package import TensorCore

/// Reads weights at one place of the checkpoint and hands them to the backend.
struct WeightLoader {
    enum Bias { case present, absent }

    let reader: WeightReader
    let backend: any Backend
    let format: WeightFormat

    subscript(_ name: String) -> WeightLoader {
        WeightLoader(reader: reader[name], backend: backend, format: format)
    }
    subscript(_ index: Int) -> WeightLoader {
        WeightLoader(reader: reader[index], backend: backend, format: format)
    }

    func tensor(_ name: String, shape: Shape) throws -> HostTensor { try reader.tensor(name, shape: shape) }

    func norm(_ name: String, count: Int) throws -> Tensor {
        backend.makeVector(try reader[name].vector("weight", count: count))
    }

    func linear(_ name: String, rows: Int, columns: Int, bias: Bias) throws -> any Weight {
        let matrix = try reader.matrix(name, rows: rows, columns: columns)
        let biases = bias == .present ? [try reader[name].vector("bias", count: rows)] : []
        return try backend.makeWeight(WeightSource([matrix], biases: biases), format: format)
    }

    /// Several matrices with biases over the same input, as one.
    func stackedLinear(_ parts: [(name: String, rows: Int)], columns: Int) throws -> any Weight {
        let matrices = try parts.map { try reader.matrix($0.name, rows: $0.rows, columns: columns) }
        let biases = try parts.map { try reader[$0.name].vector("bias", count: $0.rows) }
        return try backend.makeWeight(WeightSource(matrices, biases: biases), format: format)
    }

    /// A convolution whose stride is its kernel: a matrix over the kernel's elements.
    func convolution(_ name: String, rows: Int, kernel: [Int]) throws -> any Weight {
        let matrix = try reader.convolution(name, rows: rows, kernel: kernel)
        return try backend.makeWeight(WeightSource([matrix]), format: format)
    }

    /// `lm_head`, or the embedding table where the two are tied.
    func head(tiedTo table: HostTensor?, config: ModelConfig.Text) throws -> any Weight {
        let rows = config.vocabularySize
        guard let table else { return try linear("lm_head", rows: rows, columns: config.hiddenSize, bias: .absent) }
        // Some files hold the tied head a second time; the table counts, as in the reference.
        _ = try reader.optionalMatrix("lm_head", rows: rows, columns: config.hiddenSize)
        return try backend.makeWeight(WeightSource([table]), format: format)
    }
}
