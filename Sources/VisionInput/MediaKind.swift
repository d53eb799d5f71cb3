package import Foundation

/// What a file holds, told from its first bytes, never from its name.
package enum MediaKind: Sendable, Equatable {
    case jpeg, png, webp, gif, bmp, tiff, heic, avif, svg, pdf
    /// A moving picture; the name of its container.
    case video(String)
    /// Recognised, and not decoded.
    case other(String)
    case unknown

    /// How errors call it.
    package var name: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .gif: "GIF"
        case .bmp: "BMP"
        case .tiff: "TIFF"
        case .heic: "HEIC"
        case .avif: "AVIF"
        case .svg: "SVG"
        case .pdf: "PDF"
        case .video(let name), .other(let name): name
        case .unknown: "an unknown kind of file"
        }
    }

    /// Drawn when it is read, at any resolution: the parsers are the largest.
    package var isDocument: Bool { self == .svg || self == .pdf }

    package init(sniffing data: Data) {
        let head = [UInt8](data.prefix(512))
        func has(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
            head.count >= offset + bytes.count && head[offset..<offset + bytes.count].elementsEqual(bytes)
        }
        func has(_ text: String, at offset: Int = 0) -> Bool { has([UInt8](text.utf8), at: offset) }

        if has([0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if has([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if has("RIFF"), has("WEBP", at: 8) {
            self = .webp
        } else if let kind = Self.signatures.first(where: { has($0.bytes, at: $0.offset) })?.kind {
            self = kind
        } else if has("ftyp", at: 4) {
            self = Self.isoMedia(brands: head)
        } else if let text = Self.text(head) {
            self = text
        } else {
            self = .unknown
        }
    }

    private static let signatures: [(kind: MediaKind, bytes: [UInt8], offset: Int)] = [
        (.gif, [UInt8]("GIF8".utf8), 0),
        (.bmp, [UInt8]("BM".utf8), 0),
        (.tiff, [0x49, 0x49, 0x2A, 0x00], 0),
        (.tiff, [0x4D, 0x4D, 0x00, 0x2A], 0),
        (.tiff, [0x49, 0x49, 0x2B, 0x00], 0),
        (.tiff, [0x4D, 0x4D, 0x00, 0x2B], 0),
        (.pdf, [UInt8]("%PDF-".utf8), 0),
        (.other("JPEG XL"), [0xFF, 0x0A], 0),
        (.other("JPEG XL"), [0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20], 0),
        (.other("JPEG 2000"), [0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20], 0),
        (.other("JPEG 2000"), [0xFF, 0x4F, 0xFF, 0x51], 0),
        (.other("ICO"), [0, 0, 1, 0], 0),
        (.other("Photoshop document"), [UInt8]("8BPS".utf8), 0),
        (.video("AVI video"), [UInt8]("AVI ".utf8), 8),
        (.other("WAVE audio"), [UInt8]("WAVE".utf8), 8),
        (.video("Matroska or WebM video"), [0x1A, 0x45, 0xDF, 0xA3], 0),
        (.video("FLV video"), [UInt8]("FLV".utf8), 0),
        (.video("MPEG video"), [0, 0, 1, 0xBA], 0),
        (.video("Ogg"), [UInt8]("OggS".utf8), 0),
        (.other("ZIP archive"), [0x50, 0x4B, 0x03, 0x04], 0),
        (.other("gzip data"), [0x1F, 0x8B], 0),
    ]

    /// By the main brand; where that one is HEIF's common one, by the compatible brands after it.
    private static func isoMedia(brands head: [UInt8]) -> MediaKind {
        let length = head.count >= 4 ? Int(head[2]) << 8 | Int(head[3]) : 0
        let brands = stride(from: 8, to: min(head.count, max(length, 12)) - 3, by: 4).filter { $0 != 12 }
            .map { String(decoding: head[$0..<$0 + 4], as: UTF8.self) }
        switch brands.first {
        case "avif", "avis": return .avif
        case "heic", "heix", "hevc", "hevx", "heim", "heis": return .heic
        case "mif1", "msf1", "miaf": return brands.contains("avif") || brands.contains("avis") ? .avif : .heic
        default: return .video("MP4 or QuickTime video")
        }
    }

    private static func text(_ head: [UInt8]) -> MediaKind? {
        guard !head.isEmpty, !head.contains(where: { $0 < 9 || (14..<32).contains($0) || $0 == 127 }) else {
            return nil
        }
        let text = String(decoding: head, as: UTF8.self).lowercased()
        if text.contains("<svg") { return .svg }
        if text.contains("<html") || text.contains("<!doctype html") { return .other("HTML") }
        // Beyond ASCII only whole UTF-8 is text; the cut at 512 bytes may split the last character.
        guard head.allSatisfy({ $0 < 128 }) || String(validating: head.dropLast(3), as: UTF8.self) != nil else {
            return nil
        }
        return .other("text")
    }
}
