internal import Foundation

/// An IP address, and whether it belongs to the public internet.
package struct NetworkAddress: Sendable, Hashable, CustomStringConvertible {
    /// Four bytes or sixteen.
    private let bytes: [UInt8]

    /// An address in its usual notation; nil for anything else.
    package init?(_ text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = withUnsafeBytes(of: &four) { [UInt8]($0) }
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            bytes = withUnsafeBytes(of: &six) { [UInt8]($0) }
        } else {
            return nil
        }
    }

    package var description: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        var bytes = bytes
        inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, &bytes, &buffer, socklen_t(buffer.count))
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether anybody on the internet could mean the same host by it: nothing loopback, private, link-local, shared,
    /// reserved, multicast or for documentation, nor an IPv6 form that stands for such an IPv4 address.
    package var isPublic: Bool {
        if bytes.count == 4 { return Self.isPublic(bytes[...]) }
        // Global unicast is 2000::/3; of the forms that wrap an IPv4 address, the mapped one alone is a plain address.
        if bytes.starts(with: Self.mappedPrefix) { return Self.isPublic(bytes[12...]) }
        guard bytes[0] & 0xE0 == 0x20 else { return false }
        if bytes.starts(with: [0x20, 0x02]) { return Self.isPublic(bytes[2..<6]) }
        return !Self.reservedV6.contains { bytes.matches($0.prefix, bits: $0.bits) }
    }

    private static func isPublic(_ four: ArraySlice<UInt8>) -> Bool {
        let four = [UInt8](four)
        return !reservedV4.contains { four.matches($0.prefix, bits: $0.bits) }
    }

    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// IANA's special-purpose registry, multicast and the reserved rest.
    private static let reservedV4: [(prefix: [UInt8], bits: Int)] = [
        ([0], 8), ([10], 8), ([100, 64], 10), ([127], 8), ([169, 254], 16), ([172, 16], 12), ([192, 0, 0], 24),
        ([192, 0, 2], 24), ([192, 88, 99], 24), ([192, 168], 16), ([198, 18], 15), ([198, 51, 100], 24),
        ([203, 0, 113], 24), ([224], 4), ([240], 4),
    ]
    /// Protocol assignments with Teredo, benchmarking, documentation.
    private static let reservedV6: [(prefix: [UInt8], bits: Int)] = [
        ([0x20, 0x01, 0x00], 23), ([0x20, 0x01, 0x0D, 0xB8], 32), ([0x3F, 0xFF, 0x00], 20),
    ]
}

extension [UInt8] {
    fileprivate func matches(_ prefix: [UInt8], bits: Int) -> Bool {
        (0..<bits).allSatisfy { bit in
            let mask = UInt8(0x80 >> (bit % 8))
            let wanted = bit / 8 < prefix.count ? prefix[bit / 8] : 0
            return self[bit / 8] & mask == wanted & mask
        }
    }
}

/// Names to addresses.
package protocol AddressResolver: Sendable {
    /// - Throws: `FetchError` where the name is not known.
    func addresses(of host: String) async throws -> [NetworkAddress]
}

/// The system's resolver.
package struct SystemResolver: AddressResolver {
    package init() {}

    package func addresses(of host: String) async throws -> [NetworkAddress] {
        // getaddrinfo waits for the network: not on one of Swift's few threads.
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try Self.resolve(host) }) }
        }
    }

    private static func resolve(_ host: String) throws -> [NetworkAddress] {
        var hints = addrinfo()
        #if os(Linux)
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else {
            throw FetchError.unavailable("the name \(host) does not resolve: \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(list) }
        var addresses: [NetworkAddress] = []
        for entry in sequence(first: list, next: { $0?.pointee.ai_next }) {
            guard let entry else { break }
            var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &buffer, socklen_t(buffer.count), nil, 0,
                NI_NUMERICHOST)
            let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            // Behind the percent sign stands an interface, for link-local addresses.
            guard status == 0, let address = NetworkAddress(String(text.prefix { $0 != "%" })) else { continue }
            if !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }
}
