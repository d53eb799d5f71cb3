package import Foundation

/// A regular file, held open: what was looked at is what is read, whatever happens to its name meanwhile.
package final class LocalFile: Sendable {
    /// The name it was asked for by.
    package let path: String
    /// Bytes when it was opened.
    package let size: Int
    package let descriptor: Int32

    /// - Parameter roots: directories of which one must hold the file once symbolic links are followed; nil for any.
    /// - Throws: `VisionInputError` where there is no such file, it is none that can be read whole, or it lies elsewhere.
    package init(path: String, within roots: [String]? = nil) throws(VisionInputError) {
        // Without O_NONBLOCK, opening a pipe waits for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw VisionInputError(source: path, Self.openingFailure) }
        self.path = path
        self.descriptor = descriptor
        do {
            if let roots, !Self.lies(descriptor, within: roots) { throw VisionInputError.Reason.outsideRoots }
            size = try Self.regularSize(descriptor)
        } catch let reason as VisionInputError.Reason {
            close(descriptor)
            throw VisionInputError(source: path, reason)
        } catch {
            close(descriptor)
            throw VisionInputError(source: path, .unreadable(reason: "\(error)"))
        }
    }

    deinit { close(descriptor) }

    private static var openingFailure: VisionInputError.Reason {
        let code = errno
        return code == ENOENT || code == ENOTDIR ? .fileNotFound : .unreadable(reason: String(cString: strerror(code)))
    }

    private static func regularSize(_ descriptor: Int32) throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw VisionInputError.Reason.unreadable(reason: String(cString: strerror(errno)))
        }
        // A pipe or a device could block or never end.
        switch status.st_mode & S_IFMT {
        case S_IFREG: return Int(status.st_size)
        case S_IFDIR: throw VisionInputError.Reason.notARegularFile(found: "a directory")
        default: throw VisionInputError.Reason.notARegularFile(found: "a device or pipe")
        }
    }

    /// By the name that the kernel knows the open file by, so that no link can be swapped between look and use.
    private static func lies(_ descriptor: Int32, within roots: [String]) -> Bool {
        #if os(Linux)
            let name = realName("/proc/self/fd/\(descriptor)")
        #else
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            guard fcntl(descriptor, F_GETPATH, &buffer) == 0 else { return false }
            let name: String? = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #endif
        guard let name else { return false }
        return roots.contains { root in
            guard let root = realName(root) else { return false }
            return root == "/" || name.hasPrefix(root + "/")
        }
    }

    private static func realName(_ path: String) -> String? {
        guard let name = realpath(path, nil) else { return nil }
        defer { free(name) }
        return String(cString: name)
    }

    /// The whole file.
    package func read(limit: Int) throws(VisionInputError) -> Data {
        // Looked at before reading, so that a huge file costs nothing.
        guard size <= limit else { throw VisionInputError(source: path, .tooManyBytes(found: size, limit: limit)) }
        var data = Data(count: size)
        var done = 0
        while done < size {
            let count = data.withUnsafeMutableBytes { bytes in
                pread(descriptor, bytes.baseAddress.map { $0 + done }, size - done, off_t(done))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw VisionInputError(source: path, .unreadable(reason: String(cString: strerror(errno))))
            }
            // The file has been cut meanwhile.
            if count == 0 { return data.prefix(done) }
            done += count
        }
        return data
    }
}
