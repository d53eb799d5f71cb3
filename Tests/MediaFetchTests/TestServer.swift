import Foundation
import Synchronization

/// A server on loopback that answers each connection once, with the bytes it is told to.
final class TestServer: Sendable {
    let port: Int
    private let listener: Int32
    private let log = RequestLog()

    /// The request lines and headers of all requests so far.
    var requests: [String] { log.asked.withLock { $0 } }

    private final class RequestLog: Sendable {
        let asked = Mutex<[String]>([])
    }

    /// - Parameter answer: what a request for a path gets, whole, from the status line on; nil for silence.
    init(_ answer: @escaping @Sendable (_ path: String) -> Data?) throws {
        #if os(Linux)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        let listener = socket(AF_INET, stream, 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard bound else { throw CocoaError(.fileNoSuchFile) }
        port = Int(UInt16(bigEndian: address.sin_port))
        let thread = Thread { [listener, log] in
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 {
                    // Closed here and nowhere else: its number would be another server's while this thread still waits.
                    close(listener)
                    return
                }
                let request = Self.head(of: connection)
                let path = request.split(separator: " ").dropFirst().first.map(String.init) ?? "/"
                log.asked.withLock { $0.append(request) }
                if let data = answer(path) {
                    data.withUnsafeBytes { bytes in
                        var sent = 0
                        while sent < bytes.count {
                            let count = send(
                                connection, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Self.noSignal)
                            if count <= 0 { break }
                            sent += count
                        }
                    }
                    close(connection)
                }
            }
        }
        thread.start()
    }

    #if os(Linux)
        private static let noSignal = Int32(MSG_NOSIGNAL)
    #else
        private static let noSignal: Int32 = 0
    #endif

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
    }

    func url(_ path: String, host: String = "127.0.0.1") -> URL {
        URL(string: "http://\(host):\(port)\(path)") ?? URL(fileURLWithPath: "/")
    }

    static func answer(_ status: String = "200 OK", headers: [String] = [], body: Data = Data()) -> Data {
        let head = ["HTTP/1.1 \(status)", "Content-Length: \(body.count)", "Connection: close"] + headers
        return Data((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    private static func head(of connection: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !bytes.suffix(4).elementsEqual([13, 10, 13, 10]) {
            let count = recv(connection, &buffer, buffer.count, 0)
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
