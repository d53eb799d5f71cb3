package import Foundation

/// Where a video's bytes are; held open as long as it lives.
package struct VideoSource: Sendable {
    enum Storage: Sendable {
        case memory(MemoryBlock)
        case file(descriptor: Int32, size: Int, owner: any Sendable)
    }

    let storage: Storage
    /// How errors call it.
    package let name: String

    package init(_ data: Data, name: String = "video data") {
        storage = .memory(MemoryBlock(data))
        self.name = name
    }

    package init(_ file: LocalFile) {
        storage = .file(descriptor: file.descriptor, size: file.size, owner: file)
        name = file.path
    }

    /// - Parameter owner: keeps the descriptor open.
    package init(descriptor: Int32, size: Int, owner: any Sendable, name: String) {
        storage = .file(descriptor: descriptor, size: size, owner: owner)
        self.name = name
    }

    package var size: Int {
        switch storage {
        case .memory(let bytes): bytes.count
        case .file(_, let size, _): size
        }
    }

    /// The first bytes, which tell what it is.
    package var head: Data {
        switch storage {
        case .memory(let bytes): return Data(bytes.contents.prefix(512))
        case .file(let descriptor, _, _):
            var head = Data(count: 512)
            let count = head.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
            return head.prefix(max(0, count))
        }
    }

    /// SHA-256 of all bytes.
    package func contentHash() throws(VisionInputError.Reason) -> ContentHash {
        switch storage {
        case .memory(let bytes): return ContentHash(bytes.contents)
        case .file(let descriptor, let size, _):
            var hash = ContentHash.Running()
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            var position = 0
            while position < size {
                let count = buffer.withUnsafeMutableBytes {
                    pread(descriptor, $0.baseAddress, $0.count, off_t(position))
                }
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw .unreadable(reason: String(cString: strerror(errno))) }
                if count == 0 { break }
                buffer.withUnsafeBytes { hash.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                position += count
            }
            return hash.finish()
        }
    }
}

/// Bytes at a fixed address, which FFmpeg keeps: one copy for all that open the video.
final class MemoryBlock: @unchecked Sendable {
    // Sendable: written once, before anyone else sees it.
    let contents: UnsafeRawBufferPointer

    init(_ data: Data) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 16)
        data.withUnsafeBytes { block.copyMemory(from: $0) }
        contents = UnsafeRawBufferPointer(block)
    }

    deinit { contents.deallocate() }

    var count: Int { contents.count }
    var start: UnsafePointer<UInt8>? { contents.assumingMemoryBound(to: UInt8.self).baseAddress }
}

/// What a video may cost before it is refused.
package struct VideoLimits: Sendable, Equatable {
    package var maxBytes = 64 << 30
    /// Pixels of a frame as stored.
    package var maxPixels = 178_956_970
    /// Seconds that it lasts.
    package var maxDuration = 24 * 3600.0
    /// Frames that are sampled.
    package var maxFrames = 4096
    /// Frames in the file: what 24 hours have at 120 a second.
    package var maxStoredFrames = 10_368_000
    /// Seconds that the decoder may work without giving a frame, or for opening and indexing.
    package var timeout = 60.0
    /// Threads that decode one video.
    package var threads = max(1, min(4, ProcessInfo.processInfo.activeProcessorCount))

    package init() {}
}
