package import Foundation

/// Where a picture comes from.
package enum ImageSource: Sendable {
    case path(String)
    /// The bytes of a picture file. `name` stands for it in errors.
    case data(Data, name: String = "image data")

    /// How errors call it.
    package var name: String {
        switch self {
        case .path(let path): path
        case .data(_, let name): name
        }
    }

    /// The file's bytes.
    ///
    /// - Throws: `VisionInputError` where the file is missing, not a regular file, unreadable, empty or too large.
    package func bytes(limits: DecodeLimits) throws(VisionInputError) -> Data {
        let data =
            switch self {
            case .path(let path): try Self.read(path, limits: limits)
            case .data(let data, _): data
            }
        guard !data.isEmpty else { throw VisionInputError(source: name, .emptyFile) }
        guard data.count <= limits.maxBytes else {
            throw VisionInputError(source: name, .tooManyBytes(found: data.count, limit: limits.maxBytes))
        }
        return data
    }

    private static func read(_ path: String, limits: DecodeLimits) throws(VisionInputError) -> Data {
        let attributes: [FileAttributeKey: Any]
        do {
            let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            attributes = try FileManager.default.attributesOfItem(atPath: target)
        } catch {
            guard FileManager.default.fileExists(atPath: path) else {
                throw VisionInputError(source: path, .fileNotFound)
            }
            throw VisionInputError(source: path, .unreadable(reason: String(describing: error)))
        }
        // A pipe or a device could block or never end.
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            let type = attributes[.type] as? FileAttributeType == .typeDirectory ? "a directory" : "a device or pipe"
            throw VisionInputError(source: path, .notARegularFile(found: type))
        }
        // Looked at before reading, so that a huge file costs nothing.
        if let size = attributes[.size] as? Int, size > limits.maxBytes {
            throw VisionInputError(source: path, .tooManyBytes(found: size, limit: limits.maxBytes))
        }
        do {
            return try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw VisionInputError(source: path, .unreadable(reason: String(describing: error)))
        }
    }
}

/// What a picture may cost before it is refused, looked at before any pixel is decoded.
package struct DecodeLimits: Sendable, Equatable {
    /// Pixels of the picture as stored. The default is where Pillow raises its decompression bomb error.
    package var maxPixels: Int
    /// Bytes of the file.
    package var maxBytes: Int

    package init(maxPixels: Int = 178_956_970, maxBytes: Int = 256 << 20) {
        self.maxPixels = maxPixels
        self.maxBytes = maxBytes
    }
}
