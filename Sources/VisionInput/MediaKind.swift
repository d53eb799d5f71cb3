package import Foundation

/// What a file holds, told from its first bytes, never from its name.
package enum MediaKind: Sendable, Equatable {
    case jpeg, png, webp
    /// Recognised, and not (yet) decoded.
    case other(String)
    case unknown

    /// How errors call it.
    package var name: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .other(let name): name
        case .unknown: "an unknown kind of file"
        }
    }

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
        } else if let name = Self.signatures.first(where: { has($0.bytes, at: $0.offset) })?.name {
            self = .other(name)
        } else if has("ftyp", at: 4) {
            self = .other(Self.isoMedia(brand: head.count >= 12 ? String(decoding: head[8..<12], as: UTF8.self) : ""))
        } else if let text = Self.text(head) {
            self = .other(text)
        } else {
            self = .unknown
        }
    }

    private static let signatures: [(name: String, bytes: [UInt8], offset: Int)] = [
        ("GIF", [UInt8]("GIF8".utf8), 0),
        ("BMP", [UInt8]("BM".utf8), 0),
        ("TIFF", [0x49, 0x49, 0x2A, 0x00], 0),
        ("TIFF", [0x4D, 0x4D, 0x00, 0x2A], 0),
        ("BigTIFF", [0x49, 0x49, 0x2B, 0x00], 0),
        ("PDF", [UInt8]("%PDF-".utf8), 0),
        ("JPEG XL", [0xFF, 0x0A], 0),
        ("JPEG XL", [0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20], 0),
        ("JPEG 2000", [0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20], 0),
        ("JPEG 2000", [0xFF, 0x4F, 0xFF, 0x51], 0),
        ("ICO", [0, 0, 1, 0], 0),
        ("Photoshop document", [UInt8]("8BPS".utf8), 0),
        ("AVI video", [UInt8]("AVI ".utf8), 8),
        ("WAVE audio", [UInt8]("WAVE".utf8), 8),
        ("Matroska or WebM video", [0x1A, 0x45, 0xDF, 0xA3], 0),
        ("Ogg", [UInt8]("OggS".utf8), 0),
        ("ZIP archive", [0x50, 0x4B, 0x03, 0x04], 0),
        ("gzip data", [0x1F, 0x8B], 0),
    ]

    private static func isoMedia(brand: String) -> String {
        switch brand {
        case "avif", "avis": "AVIF"
        case "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1": "HEIF"
        default: "MP4 or QuickTime video"
        }
    }

    private static func text(_ head: [UInt8]) -> String? {
        guard !head.isEmpty, !head.contains(where: { $0 < 9 || (14..<32).contains($0) || $0 == 127 }) else {
            return nil
        }
        let text = String(decoding: head, as: UTF8.self).lowercased()
        if text.contains("<svg") { return "SVG" }
        if text.contains("<html") || text.contains("<!doctype html") { return "HTML" }
        // Beyond ASCII only whole UTF-8 is text; the cut at 512 bytes may split the last character.
        guard head.allSatisfy({ $0 < 128 }) || String(validating: head.dropLast(3), as: UTF8.self) != nil else {
            return nil
        }
        return "text"
    }
}
