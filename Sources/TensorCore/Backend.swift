/// The operations this architecture is made of, coarse enough that a call's cost does not matter.
///
/// One thread at a time uses a backend (the engine's compute thread). Operations return new tensors unless their
/// name says that they change one. Sizes that do not fit each other are programming errors and trap.
package protocol Backend: AnyObject, Sendable {
    /// For reports: "CPU avx512bf16, 2 threads".
    var name: String { get }

    // MARK: Memory

    /// Memory for [rows, columns]; its contents are undefined.
    func makeTensor(rows: Int, columns: Int) -> Tensor
    /// Copies host values, [rows, columns].
    func makeTensor(_ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int) -> Tensor
    /// Copies a tensor's values to the host, row by row.
    func read(_ tensor: Tensor) -> [Float]

    // MARK: Weights

    func makeWeight(_ source: WeightSource, format: WeightFormat) throws -> any Weight
    /// A vector as one row in float32 (norm weights).
    func makeVector(_ source: HostTensor) -> Tensor
    /// A quantised weight whose bytes are used where they lie.
    func makeWeight(_ packed: PackedBytes, rows: Int, columns: Int, biases: [HostTensor], format: WeightFormat) throws
        -> any Weight
    /// The packed bytes of a quantised weight, and its bias as float32.
    func withPacked(_ weight: any Weight, _ body: (UnsafeRawBufferPointer, UnsafeBufferPointer<Float>?) throws -> Void)
        rethrows
    /// A table in 8 bits, looked up where it lies.
    func makeEmbeddingTable(_ packed: PackedBytes, rows: Int, columns: Int) -> any EmbeddingTable
    /// Rows of a table in 8 bits.
    func packTable(_ source: HostTensor, rows: Range<Int>) -> [UInt8]
    /// - Parameter rounding: `int8` looks rows up as if they were kept in 8 bits.
    func makeEmbeddingTable(_ source: HostTensor, rounding: EmbeddingRounding) -> any EmbeddingTable
    /// A weight of random values as large as trained ones: for measuring shapes without a checkpoint.
    func makeRandomWeight(rows: Int, columns: Int, hasBias: Bool, format: WeightFormat, seed: UInt64) throws
        -> any Weight
    /// Likewise a table; rows repeat after some thousand.
    func makeRandomEmbeddingTable(rows: Int, columns: Int) -> any EmbeddingTable

    // MARK: Operations on rows

    /// Row i of the result is row ids[i] of the table.
    func embed(_ ids: [Int32], _ table: any EmbeddingTable) -> Tensor
    /// x Wᵀ + bias
    func linear(_ x: Tensor, _ weight: any Weight) -> Tensor
    /// residual += x Wᵀ + bias
    func addLinear(_ x: Tensor, _ weight: any Weight, to residual: Tensor)
    /// gelu(x Wᵀ + bias), exact
    func linearGELU(_ x: Tensor, _ weight: any Weight) -> Tensor
    /// silu(x Gᵀ + gate bias) * (x Uᵀ + up bias)
    func swiGLU(_ x: Tensor, gate: any Weight, up: any Weight) -> Tensor
    func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float) -> Tensor
    /// Rotates every head of x in place (x holds whole heads side by side).
    func rotate(_ x: Tensor, headSize: Int, by table: RotaryTable)
    /// Row i of the result is row index[i] of x.
    func gatherRows(_ x: Tensor, _ index: [Int32]) -> Tensor
    /// Row index[i] of target becomes row i of x.
    func scatterRows(_ x: Tensor, _ index: [Int32], into target: Tensor)

    // MARK: Side by side

    /// Into how many parts a step of so many rows is best cut, each going through all its operations on a thread of its
    /// own: 1 where the threads share every operation, as they must when `weightBytes` do not stay in a cache.
    func lanes(rows: Int, weightBytes: Int) -> Int
    /// Runs the parts at the same time, each with a backend that is its own while it runs.
    func inLanes(_ count: Int, _ body: @Sendable (_ part: Int, _ backend: any Backend) -> Void)

    // MARK: Attention

    /// Bidirectional attention within segments; segment s spans rows segments[s] ..< segments[s + 1].
    /// - Parameter qkv: [rows, 3 * heads.width]: queries, keys, values.
    func segmentAttention(qkv: Tensor, heads: HeadLayout, segments: [Int32], format: AttentionFormat) -> Tensor

    /// Tokens in a block of a KV cache.
    var kvBlockTokens: Int { get }
    /// Address space for `blockCount` blocks; memory is taken as blocks are first written.
    func makeKVCache(_ shape: KVCacheShape, blockCount: Int) throws -> any KVCache
    /// Block `target` becomes what `source` is, in all layers.
    func copyBlock(of cache: any KVCache, from source: Int32, to target: Int32)
    /// Stores keys and values of new tokens, [rows, kvHeads * headSize] each.
    func append(keys: Tensor, values: Tensor, to cache: any KVCache, layer: Int, sequences: [SequenceSpan])
    /// Causal attention of the new tokens over everything their sequences have in the cache, themselves included.
    func cachedAttention(
        queries: Tensor, heads: HeadLayout, cache: any KVCache, layer: Int, sequences: [SequenceSpan]
    ) -> Tensor

    /// Hints that work starts or pauses: workers of an active backend wait in a spin.
    func setActive(_ active: Bool)
}
