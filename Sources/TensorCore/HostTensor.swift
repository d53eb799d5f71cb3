/// A tensor as a checkpoint stores it: read-only bytes in host memory, usually mapped from a file.
package struct HostTensor: Sendable {
    /// The tensor's name in the checkpoint: for messages.
    package let name: String
    package let dtype: DType
    package let shape: Shape
    /// What keeps the bytes alive.
    package let owner: any AnyObject & Sendable
    /// `shape.count * dtype.size` bytes; not necessarily aligned.
    nonisolated(unsafe) package let bytes: UnsafeRawBufferPointer

    package init(
        name: String, dtype: DType, shape: Shape, owner: any AnyObject & Sendable, bytes: UnsafeRawBufferPointer
    ) {
        precondition(bytes.count == shape.count * dtype.size, "\(name): bytes do not match the shape")
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.owner = owner
        self.bytes = bytes
    }
}
