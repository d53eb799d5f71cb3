package import Foundation
package import QwenVL

/// The files of an uncompressed tar archive (POSIX ustar), each a slice of the archive's bytes.
package struct TarArchive: Sendable {
    private let bytes: Data
    private var places: [String: Range<Int>] = [:]

    /// - Parameter name: what errors call the archive.
    package init(_ bytes: Data, named name: String) throws(InputError) {
        self.bytes = bytes
        var start = bytes.startIndex
        while start + 512 <= bytes.endIndex {
            let header = bytes[start..<start + 512]
            if header.allSatisfy({ $0 == 0 }) { return }
            let entry = Self.text(header, 0, 100)
            let prefix = Self.text(header, 345, 155)
            guard Self.text(header, 257, 5) == "ustar", let size = Int(Self.text(header, 124, 12), radix: 8), size >= 0
            else {
                throw InputError(
                    field: name, expected: "a tar archive", found: "no header at byte \(start - bytes.startIndex)")
            }
            let content = start + 512
            guard size <= bytes.endIndex - content else {
                throw InputError(
                    field: "\(name), \(entry)", expected: "\(size) bytes", found: "\(bytes.endIndex - content)")
            }
            // "0" or NUL: a regular file. Folders and links hold no bytes.
            if [0, UInt8(ascii: "0")].contains(header[start + 156]) {
                places[prefix.isEmpty ? entry : "\(prefix)/\(entry)"] = content..<content + size
            }
            start = content + (size + 511) / 512 * 512
        }
        throw InputError(field: name, expected: "a tar archive with its end", found: "\(bytes.count) bytes without one")
    }

    /// The file of that name.
    package subscript(name: String) -> Data? { places[name].map { Data(bytes[$0]) } }

    private static func text(_ header: Data, _ offset: Int, _ count: Int) -> String {
        let field = header[header.startIndex + offset..<header.startIndex + offset + count]
        let text = String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
        return text.trimmingCharacters(in: .whitespaces)
    }
}
