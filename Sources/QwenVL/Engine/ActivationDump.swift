import Checkpoint
import Foundation
import QwenVLModel
import TensorCore

/// Collects the activations of one pass and writes them as a safetensors file: what a comparison of layers needs.
final class ActivationDump {
    private let path: String
    private let backend: any Backend
    private var tensors: [(name: String, shape: [Int], values: [Float])] = []

    init(path: String, backend: any Backend) {
        self.path = path
        self.backend = backend
    }

    var trace: ActivationTrace {
        { [self] name, tensor in add(name, tensor) }
    }

    /// Rows of a name that comes again (a second picture) go below the first's.
    private func add(_ name: String, _ tensor: Tensor) {
        guard let place = tensors.firstIndex(where: { $0.name == name }) else {
            tensors.append((name, [tensor.rows, tensor.columns], backend.read(tensor)))
            return
        }
        tensors[place].shape[0] += tensor.rows
        tensors[place].values += backend.read(tensor)
    }

    func write() throws {
        let writer = try SafetensorsWriter(
            path: path,
            tensors: tensors.map {
                SafetensorsWriter.Declaration(name: $0.name, type: .float32, shape: Shape($0.shape))
            })
        for tensor in tensors { try writer.append(tensor.values, to: tensor.name) }
        try writer.finish()
    }
}
