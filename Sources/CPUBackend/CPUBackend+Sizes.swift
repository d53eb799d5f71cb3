import CKernels
package import TensorCore

/// How much memory things will take, before they are made.
extension CPUBackend {
    /// Bytes of a packed weight, [rows, columns].
    package func weightBytes(rows: Int, columns: Int, format: WeightFormat) -> Int {
        qv_matrix_bytes(kernels, format.kernelFormat, Int64(rows), Int64(columns))
    }

    /// Bytes of one block of a KV cache over all layers.
    package func cacheBlockBytes(_ shape: KVCacheShape) -> Int {
        shape.layers
            * qv_kv_block_bytes(
                kernels, shape.format.kernelFormat, shape.storage.kernelStorage, Int32(shape.kvHeads),
                Int32(shape.headSize))
    }
}
