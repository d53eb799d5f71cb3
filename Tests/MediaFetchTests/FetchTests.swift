import Foundation
import MediaFetch
import Testing

@Suite(.serialized) struct FetchTests {
    private static func rules(
        privateAddresses: Bool = true, maxBytes: Int = 1 << 20, maxRedirects: Int = 3, timeout: Double = 20,
        memoryLimit: Int = .max, allowsHost: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> FetchRules {
        FetchRules(
            allowsHost: allowsHost, allowsPrivateAddresses: privateAddresses, maxBytes: maxBytes,
            maxRedirects: maxRedirects, timeout: timeout, memoryLimit: memoryLimit)
    }

    /// Names that answer as they are told, one list after another.
    private actor ScriptedResolver: AddressResolver {
        private var answers: [String: [[String]]]
        private(set) var asked: [String] = []

        init(_ answers: [String: [[String]]]) { self.answers = answers }

        func addresses(of host: String) async throws -> [NetworkAddress] {
            asked.append(host)
            guard let known = answers[host], let first = known.first else {
                throw FetchError.unavailable("the name \(host) does not resolve")
            }
            if known.count > 1 { answers[host] = Array(known.dropFirst()) }
            return first.compactMap { NetworkAddress($0) }
        }
    }

    private static func error(
        _ url: URL, _ rules: FetchRules, resolver: any AddressResolver = SystemResolver()
    ) async -> FetchError? {
        do {
            _ = try await MediaFetcher(resolver: resolver).fetch(url, rules: rules)
            return nil
        } catch {
            return error as? FetchError
        }
    }

    @Test func fetches() async throws {
        let body = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let server = try TestServer { $0 == "/a%20b?x=1" ? TestServer.answer(body: body) : nil }
        guard case .data(let data) = try await MediaFetcher().fetch(server.url("/a%20b?x=1"), rules: Self.rules())
        else {
            Issue.record("a file")
            return
        }
        #expect(data == body)
    }

    @Test func largeBodiesGoToAFile() async throws {
        let body = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let server = try TestServer { _ in TestServer.answer(body: body) }
        guard
            case .file(let file) = try await MediaFetcher().fetch(
                server.url("/"), rules: Self.rules(memoryLimit: 1000))
        else {
            Issue.record("data")
            return
        }
        var read = Data(count: file.size)
        let count = read.withUnsafeMutableBytes { pread(file.descriptor, $0.baseAddress, $0.count, 0) }
        #expect(count == body.count)
        #expect(read == body)
    }

    @Test func redirectsAreFollowedWithinLimits() async throws {
        let server = try TestServer { path in
            switch path {
            case "/0": TestServer.answer("302 Found", headers: ["Location: /1"])
            case "/1": TestServer.answer("301 Moved Permanently", headers: ["Location: 2"])
            case "/2": TestServer.answer(body: Data("here".utf8))
            default: TestServer.answer("307 Temporary Redirect", headers: ["Location: /loop"])
            }
        }
        guard case .data(let data) = try await MediaFetcher().fetch(server.url("/0"), rules: Self.rules()) else {
            return
        }
        #expect(data == Data("here".utf8))
        #expect(await Self.error(server.url("/0"), Self.rules(maxRedirects: 1)) == .refused("more than 1 redirects"))
        #expect(await Self.error(server.url("/loop"), Self.rules()) == .refused("more than 3 redirects"))
    }

    @Test func redirectsToOtherSchemesAreRefused() async throws {
        let server = try TestServer { _ in
            TestServer.answer("302 Found", headers: ["Location: file:///etc/passwd"])
        }
        #expect(
            await Self.error(server.url("/"), Self.rules()) == .refused("only http and https URLs are fetched"))
    }

    @Test func tooManyBytes() async throws {
        let body = Data(count: 5000)
        let server = try TestServer { path in
            if path == "/told" { return TestServer.answer(body: body) }
            return Data("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8) + body
        }
        let rules = Self.rules(maxBytes: 4999)
        #expect(
            await Self.error(server.url("/told"), rules) == .refused("expected at most 4999 bytes, found 5000"))
        #expect(
            await Self.error(server.url("/untold"), rules) == .refused("expected at most 4999 bytes, found more"))
    }

    @Test func silenceEnds() async throws {
        let server = try TestServer { _ in nil }
        let start = ContinuousClock.now
        let error = await Self.error(server.url("/"), Self.rules(timeout: 0.3))
        #expect(start.duration(to: .now) < .seconds(10))
        guard case .unavailable = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func errorsOfTheHost() async throws {
        let server = try TestServer { _ in TestServer.answer("404 Not Found") }
        #expect(await Self.error(server.url("/"), Self.rules()) == .unavailable("127.0.0.1 answers 404 Not Found"))
    }

    @Test(arguments: [
        "http://127.0.0.1:PORT/", "http://localhost:PORT/", "http://[::1]:PORT/", "http://127.1:PORT/",
        "http://2130706433:PORT/", "http://0x7f000001:PORT/", "http://[::ffff:127.0.0.1]:PORT/", "http://0.0.0.0:PORT/",
    ])
    func loopbackUnderAnyName(_ text: String) async throws {
        let server = try TestServer { _ in TestServer.answer(body: Data("secret".utf8)) }
        let url = try #require(URL(string: text.replacing("PORT", with: "\(server.port)")))
        guard case .refused = await Self.error(url, Self.rules(privateAddresses: false)) else {
            Issue.record("\(text) was not refused")
            return
        }
        #expect(server.requests.isEmpty)
    }

    /// The name's second answer would be loopback: it is never asked for.
    @Test func theAddressThatWasLookedAtIsUsed() async throws {
        let server = try TestServer { _ in TestServer.answer(body: Data("here".utf8)) }
        let resolver = ScriptedResolver(["pictures.example": [["127.0.0.1"], ["10.0.0.1"]]])
        _ = try await MediaFetcher(resolver: resolver).fetch(
            server.url("/", host: "pictures.example"), rules: Self.rules())
        #expect(await resolver.asked == ["pictures.example"])
        #expect(server.requests.count == 1)
        #expect(server.requests[0].lowercased().contains("host: pictures.example"))
    }

    @Test func aNameWithAPrivateAddressIsRefused() async throws {
        let server = try TestServer { _ in TestServer.answer(body: Data("secret".utf8)) }
        let resolver = ScriptedResolver(["inside.example": [["127.0.0.1", "192.168.1.1"]]])
        let error = await Self.error(
            server.url("/", host: "inside.example"), Self.rules(privateAddresses: false), resolver: resolver)
        #expect(error == .refused("inside.example has no public address (127.0.0.1)"))
        #expect(server.requests.isEmpty)
    }

    /// A public host that redirects inside; it stands for public by its name alone here.
    @Test func aRedirectInsideIsRefused() async throws {
        let server = try TestServer { path in
            path == "/"
                ? TestServer.answer("302 Found", headers: ["Location: http://metadata.example/latest"])
                : TestServer.answer(body: Data("secret".utf8))
        }
        let resolver = ScriptedResolver([
            "outside.example": [["127.0.0.1"]], "metadata.example": [["169.254.169.254"]],
        ])
        let rules = Self.rules(allowsHost: { $0 != "metadata.example" })
        #expect(
            await Self.error(server.url("/", host: "outside.example"), rules, resolver: resolver)
                == .refused("the host metadata.example is not allowed"))
        #expect(server.requests.count == 1)
    }

    @Test(arguments: [
        "ftp://example.com/a.png", "http://user:word@example.com/a.png", "http://exa%00mple.com/",
        "http://bücher.example/%",
    ])
    func urlsThatAreNotFetched(_ text: String) async {
        guard let url = URL(string: text) else { return }
        let error = await Self.error(url, Self.rules(), resolver: ScriptedResolver([:]))
        #expect(error != nil)
    }
}
