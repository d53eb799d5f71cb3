import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file mapped into memory, read-only. Pages come in when they are touched, and the system may drop them again.
/// As with every mapping, the file must not be shortened meanwhile: touching bytes that are gone kills the process.
package final class MappedFile: Sendable {
    package let path: String
    nonisolated(unsafe) package let bytes: UnsafeRawBufferPointer
    private let isMapped: Bool

    /// How pages are about to be used; the system may take the hint or leave it.
    package enum Advice: Sendable {
        /// From front to back, once: read far ahead.
        case sequential
        /// Soon: begin to read.
        case willNeed
        /// Not any more: the pages may go. Their content stays that of the file.
        case dontNeed
        case normal
        /// Read again and again: on large pages, where the system has them for files.
        case largePages
    }

    /// - Throws: `CheckpointError.unreadable` when it is no regular file, or cannot be opened or mapped.
    package init(path: String) throws(CheckpointError) {
        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure(path, "cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure(path, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .unreadable(file: path, reason: "is not a regular file")
        }
        self.path = path
        let size = Int(status.st_size)
        guard size > 0 else {  // a mapping cannot be empty
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            isMapped = false
            return
        }
        guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw Self.failure(path, "cannot be mapped")
        }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
        isMapped = true
    }

    /// A stand-in for a file that is in memory already; the bytes are copied.
    package init(contents: [UInt8], name: String) {
        path = name
        isMapped = false
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: contents.count, alignment: 1)
        copy.copyBytes(from: contents)
        bytes = UnsafeRawBufferPointer(copy)
    }

    deinit {
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        } else if bytes.baseAddress != nil {
            bytes.deallocate()
        }
    }

    #if os(Linux)
        private var largePages: Int32 { Int32(MADV_HUGEPAGE) }
    #else
        private var largePages: Int32 { MADV_NORMAL }
    #endif

    private static func failure(_ path: String, _ what: String) -> CheckpointError {
        .unreadable(file: path, reason: "\(what): \(String(cString: strerror(errno)))")
    }

    /// Tells the system what is planned for a range of the file.
    package func advise(_ advice: Advice, _ range: Range<Int>) {
        guard isMapped, let start = bytes.baseAddress else { return }
        let range = range.clamped(to: 0..<bytes.count)
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        // Neighbours share the pages at both ends: take those in when reading, leave them when dropping.
        let lower = advice == .dontNeed ? (range.lowerBound + page - 1) / page * page : range.lowerBound / page * page
        let upper = advice == .dontNeed ? range.upperBound / page * page : range.upperBound
        guard lower < upper else { return }
        let value =
            switch advice {
            case .sequential: MADV_SEQUENTIAL
            case .willNeed: MADV_WILLNEED
            case .dontNeed: MADV_DONTNEED
            case .normal: MADV_NORMAL
            case .largePages: largePages
            }
        _ = madvise(UnsafeMutableRawPointer(mutating: start + lower), upper - lower, value)
    }
}
