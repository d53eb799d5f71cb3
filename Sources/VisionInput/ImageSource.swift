package import Foundation

/// Where a picture comes from.
package enum ImageSource: Sendable {
    case path(String)
    /// A file that must lie in one of these directories, links followed.
    case confined(String, within: [String])
    /// The bytes of a picture file. `name` stands for it in errors.
    case data(Data, name: String = "image data")
    /// A picture that is decoded already.
    case pixels(RGBImage, name: String = "pixels")

    /// How errors call it.
    package var name: String {
        switch self {
        case .path(let path), .confined(let path, _): path
        case .data(_, let name), .pixels(_, let name): name
        }
    }

    /// The file's bytes.
    ///
    /// - Throws: `VisionInputError` where the file is missing, not a regular file, unreadable, empty or too large.
    package func bytes(limits: DecodeLimits) throws(VisionInputError) -> Data {
        let data =
            switch self {
            case .path(let path): try LocalFile(path: path).read(limit: limits.maxBytes)
            case .confined(let path, let roots):
                try LocalFile(path: path, within: roots).read(limit: limits.maxBytes)
            case .data(let data, _): data
            case .pixels: Data()
            }
        guard !data.isEmpty else { throw VisionInputError(source: name, .emptyFile) }
        guard data.count <= limits.maxBytes else {
            throw VisionInputError(source: name, .tooManyBytes(found: data.count, limit: limits.maxBytes))
        }
        return data
    }
}

/// What a picture may cost before it is refused, looked at before any pixel is decoded.
package struct DecodeLimits: Sendable, Equatable {
    /// Pixels of the picture as stored. The default is where Pillow raises its decompression bomb error.
    package var maxPixels: Int
    /// Bytes of the file.
    package var maxBytes: Int
    /// Whether SVG and PDF are read.
    package var allowsDocuments = true

    package init(maxPixels: Int = 178_956_970, maxBytes: Int = 256 << 20) {
        self.maxPixels = maxPixels
        self.maxBytes = maxBytes
    }
}
