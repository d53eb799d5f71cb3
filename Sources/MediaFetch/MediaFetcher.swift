package import Foundation
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// What fetching may do.
package struct FetchRules: Sendable {
    /// Whether a host of this name may be asked.
    package var allowsHost: @Sendable (String) -> Bool
    package var allowsPrivateAddresses: Bool
    package var maxBytes: Int
    package var maxRedirects: Int
    /// Seconds for everything: names, redirects, the transfer.
    package var timeout: Double
    /// A body of more bytes than this is kept in a temporary file.
    package var memoryLimit: Int

    package init(
        allowsHost: @escaping @Sendable (String) -> Bool, allowsPrivateAddresses: Bool, maxBytes: Int,
        maxRedirects: Int, timeout: Double, memoryLimit: Int = .max
    ) {
        self.allowsHost = allowsHost
        self.allowsPrivateAddresses = allowsPrivateAddresses
        self.maxBytes = maxBytes
        self.maxRedirects = maxRedirects
        self.timeout = timeout
        self.memoryLimit = memoryLimit
    }
}

/// Why a URL was not fetched.
package enum FetchError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The rules forbid it.
    case refused(String)
    /// The host, the network or the answer.
    case unavailable(String)

    package var description: String {
        switch self {
        case .refused(let reason), .unavailable(let reason): reason
        }
    }
}

/// Fetches files over http and https for requests that may come from strangers.
///
/// A name is resolved here, its addresses are looked at, and the connection goes to one that was looked at: a name that
/// answers otherwise the second time gains nothing. Redirects go the same way again.
package struct MediaFetcher: Sendable {
    private let resolver: any AddressResolver

    package init(resolver: any AddressResolver = SystemResolver()) { self.resolver = resolver }

    /// - Throws: `FetchError`; `CancellationError`.
    package func fetch(_ url: URL, rules: FetchRules) async throws -> FetchedBody {
        try await withThrowingTaskGroup(of: FetchedBody.self) { group in
            group.addTask { try await follow(url, rules: rules) }
            group.addTask {
                try await Task.sleep(for: .seconds(rules.timeout))
                throw FetchError.unavailable("no whole answer within \(rules.timeout) seconds")
            }
            defer { group.cancelAll() }
            guard let body = try await group.next() else { throw CancellationError() }
            return body
        }
    }

    private func follow(_ url: URL, rules: FetchRules) async throws -> FetchedBody {
        var target = try FetchTarget(url)
        for _ in 0...rules.maxRedirects {
            switch try await ask(target, rules: rules) {
            case .body(let body): return body
            case .redirect(let location):
                guard let next = URL(string: location, relativeTo: target.url) else {
                    throw FetchError.unavailable("\(target.host) redirects to what is no URL")
                }
                target = try FetchTarget(next.absoluteURL)
            }
        }
        throw FetchError.refused("more than \(rules.maxRedirects) redirects")
    }

    private enum Answer {
        case body(FetchedBody)
        case redirect(String)
    }

    private func ask(_ target: FetchTarget, rules: FetchRules) async throws -> Answer {
        guard rules.allowsHost(target.host) else {
            throw FetchError.refused("the host \(target.host) is not allowed")
        }
        let address = try await address(of: target.host, rules: rules)
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.dnsOverride = [target.host: address.description]
        // A whole connection has the time of the whole; a silent one less.
        configuration.timeout = .init(connect: .seconds(10), read: .seconds(30))
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let answer = try await ask(target, client: client, rules: rules)
            try? await client.shutdown()
            return answer
        } catch {
            try? await client.shutdown()
            if error is FetchError || error is CancellationError { throw error }
            throw FetchError.unavailable("\(target.host) cannot be read: \(error)")
        }
    }

    private func ask(_ target: FetchTarget, client: HTTPClient, rules: FetchRules) async throws -> Answer {
        var request = HTTPClientRequest(url: target.url.absoluteString)
        request.headers.add(name: "User-Agent", value: "qwenvl")
        request.headers.add(name: "Accept", value: "*/*")
        let response = try await client.execute(
            request, deadline: .now() + .milliseconds(Int64(rules.timeout * 1000)))
        switch response.status.code {
        case 200..<300: break
        case 301, 302, 303, 307, 308:
            guard let location = response.headers.first(name: "Location") else {
                throw FetchError.unavailable("\(target.host) redirects without saying where")
            }
            return .redirect(location)
        default: throw FetchError.unavailable("\(target.host) answers \(response.status)")
        }
        if let length = response.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > rules.maxBytes {
            throw FetchError.refused("expected at most \(rules.maxBytes) bytes, found \(length)")
        }
        var body = BodyCollector(limit: rules.maxBytes, memoryLimit: rules.memoryLimit)
        for try await piece in response.body { try body.append(Data(piece.readableBytesView)) }
        return .body(try body.finish())
    }

    /// An address of the host to connect to.
    private func address(of host: String, rules: FetchRules) async throws -> NetworkAddress {
        let found: [NetworkAddress]
        if let literal = NetworkAddress(host) {
            found = [literal]
        } else {
            found = try await resolver.addresses(of: host)
        }
        guard !found.isEmpty else { throw FetchError.unavailable("the name \(host) has no address") }
        let allowed = rules.allowsPrivateAddresses ? found : found.filter(\.isPublic)
        guard let address = allowed.first else {
            throw FetchError.refused("\(host) has no public address (\(found[0]))")
        }
        return address
    }
}

/// A URL taken apart and put together again, so that everyone reads the same host in it.
private struct FetchTarget {
    let url: URL
    /// In lower case; an IPv6 address without its brackets.
    let host: String

    init(_ given: URL) throws {
        guard let scheme = given.scheme?.lowercased(), scheme == "http" || scheme == "https" else {
            throw FetchError.refused("only http and https URLs are fetched")
        }
        guard given.user() == nil, given.password() == nil else {
            throw FetchError.refused("URLs with a user's name are not fetched")
        }
        guard var host = given.host(percentEncoded: false)?.lowercased(), !host.isEmpty else {
            throw FetchError.refused("a URL without a host")
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let isV6 = host.contains(":")
        guard
            isV6
                ? NetworkAddress(host) != nil
                : host.utf8.allSatisfy({ byte in
                    (97...122).contains(byte) || (48...57).contains(byte) || byte == 45 || byte == 46 || byte == 95
                })
        else { throw FetchError.refused("the URL's host is no name") }
        var components = URLComponents()
        components.scheme = scheme
        components.percentEncodedHost = isV6 ? "[\(host)]" : host
        components.port = given.port
        components.percentEncodedPath = given.path(percentEncoded: true)
        components.percentEncodedQuery = given.query(percentEncoded: true)
        guard let url = components.url else { throw FetchError.refused("the URL cannot be read") }
        self.url = url
        self.host = host
    }
}
