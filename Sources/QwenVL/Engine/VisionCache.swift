import TensorCore

/// Vision results by content, the one unused longest leaving first.
struct VisionCache {
    private struct Entry {
        let embeddings: Tensor
        var lastUse: UInt64
    }

    let byteLimit: Int
    private var entries: [PatchKey: Entry] = [:]
    private(set) var byteCount = 0
    private var clock: UInt64 = 0

    var count: Int { entries.count }

    init(byteLimit: Int) { self.byteLimit = byteLimit }

    subscript(key: PatchKey) -> Tensor? {
        mutating get {
            clock += 1
            entries[key]?.lastUse = clock
            return entries[key]?.embeddings
        }
    }

    mutating func insert(_ embeddings: Tensor, for key: PatchKey) {
        let size = embeddings.storage.byteCount
        guard size <= byteLimit, entries[key] == nil else { return }
        while byteCount + size > byteLimit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            byteCount -= oldest.value.embeddings.storage.byteCount
            entries[oldest.key] = nil
        }
        clock += 1
        entries[key] = Entry(embeddings: embeddings, lastUse: clock)
        byteCount += size
    }
}
