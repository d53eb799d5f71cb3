import Evaluation
import Foundation
import QwenVL
import Testing

@Suite struct TarArchiveTests {
    /// A header as ustar has it; checksums are not looked at.
    private func header(_ name: String, size: Int, type: Character = "0") -> Data {
        var header = Data(count: 512)
        func write(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        write(name, at: 0)
        write(String(size, radix: 8), at: 124)
        write(String(type), at: 156)
        write("ustar", at: 257)
        return header
    }

    private func entry(_ name: String, _ text: String) -> Data {
        header(name, size: text.utf8.count) + Data(text.utf8) + Data(count: (512 - text.utf8.count % 512) % 512)
    }

    @Test func filesAreFoundByName() throws {
        let bytes =
            header("folder/", size: 0, type: "5") + entry("folder/a.png", "first") + entry("b", "")
            + entry("c", String(repeating: "x", count: 512)) + Data(count: 1024)
        // A slice's indices do not begin at zero.
        let archive = try TarArchive((Data([1, 2, 3]) + bytes).dropFirst(3), named: "media.tar")
        #expect(archive["folder/a.png"] == Data("first".utf8))
        #expect(archive["b"] == Data())
        #expect(archive["c"]?.count == 512)
        #expect(archive["folder/"] == nil)
        #expect(archive["d"] == nil)
    }

    @Test func brokenArchivesAreErrors() {
        let whole = entry("a", "text") + Data(count: 1024)
        for bytes in [Data(), Data(count: 100), Data("no archive at all".utf8) + Data(count: 600), whole.prefix(1024)] {
            #expect(throws: InputError.self) { try TarArchive(bytes, named: "media.tar") }
        }
        #expect(throws: InputError.self) {
            try TarArchive(header("a", size: 4096) + Data(count: 1024), named: "media.tar")
        }
    }
}
