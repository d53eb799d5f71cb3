package import Foundation

/// What a URL gave.
package enum FetchedBody: Sendable {
    case data(Data)
    case file(SpooledFile)
}

/// A file without a name, which is gone with the last who holds it.
package final class SpooledFile: Sendable {
    package let descriptor: Int32
    package let size: Int

    init(descriptor: Int32, size: Int) {
        self.descriptor = descriptor
        self.size = size
    }

    deinit { close(descriptor) }
}

/// Takes a body piece by piece; what grows beyond memory goes to a temporary file.
struct BodyCollector: ~Copyable {
    private let limit: Int
    private let memoryLimit: Int
    private var data = Data()
    private var descriptor: Int32 = -1
    private var count = 0

    init(limit: Int, memoryLimit: Int) {
        self.limit = limit
        self.memoryLimit = memoryLimit
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    mutating func append(_ piece: Data) throws {
        count += piece.count
        guard count <= limit else {
            throw FetchError.refused("expected at most \(limit) bytes, found more")
        }
        if descriptor < 0, count > memoryLimit {
            descriptor = try Self.makeFile()
            try write(data)
            data = Data()
        }
        if descriptor >= 0 { try write(piece) } else { data.append(piece) }
    }

    mutating func finish() throws -> FetchedBody {
        guard descriptor >= 0 else { return .data(data) }
        let file = SpooledFile(descriptor: descriptor, size: count)
        descriptor = -1
        return .file(file)
    }

    private static func makeFile() throws -> Int32 {
        let pattern = FileManager.default.temporaryDirectory.appending(path: "qwenvl-XXXXXX").path
        var name = Array(pattern.utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else {
            throw FetchError.unavailable("no temporary file: \(String(cString: strerror(errno)))")
        }
        unlink(name)
        return descriptor
    }

    private func write(_ piece: Data) throws {
        var rest = piece[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                throw FetchError.unavailable(
                    "the temporary file cannot be written: \(String(cString: strerror(errno)))")
            }
            rest = rest.dropFirst(written)
        }
    }
}
