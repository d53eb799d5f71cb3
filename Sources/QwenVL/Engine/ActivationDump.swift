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
        { [self] name, tensor in tensors.append((name, [tensor.rows, tensor.columns], backend.read(tensor))) }
    }
}
