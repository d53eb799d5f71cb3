import Foundation

/// Paths and small files of a model directory.
enum FileListing {
    static func path(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    /// Whether the name leads to a file (links are followed).
    static func exists(_ directory: String, _ name: String) -> Bool {
        FileManager.default.fileExists(atPath: path(directory, name))
    }

    /// The real index of the 72B model has 120 kB, the largest JSON that is read here.
    static let maximumSize = 64 << 20

    /// The whole of a small file.
    static func read(_ path: String) throws(CheckpointError) -> [UInt8] {
        let file = try MappedFile(path: path)
        guard file.bytes.count <= maximumSize else {
            throw .unreadable(file: path, reason: "\(file.bytes.count) bytes are too many: at most \(maximumSize)")
        }
        return Array(file.bytes)
    }
}
