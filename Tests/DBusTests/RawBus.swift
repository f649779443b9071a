// A socket that plays the bus badly: says nothing at all, or Hello's answer and then nonsense.

import Dispatch
import Glibc
import Testing

final class RawBus: Sendable {
    struct Nonsense: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
    }

    static let nonsense = [
        Nonsense(testDescription: "text", bytes: Array("HTTP/1.1 200 OK\r\n\r\n".utf8)),
        Nonsense(
            testDescription: "a message of 4 GiB",
            bytes: [0x6C, 1, 0, 1] + [UInt8](repeating: 0xFF, count: 60)
        ),
        Nonsense(
            testDescription: "a signal without a path",
            bytes: [0x6C, 4, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]
        ),
        Nonsense(testDescription: "the end", bytes: []),
    ]

    let address: String
    private let path: String
    private let listener: Int32

    init() throws {
        path = "/tmp/belfry-raw-\(UInt64.random(in: 0...(.max)))"
        address = "unix:path=\(path)"
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0, listen(listener, 8) == 0 else {
            throw Missing(description: "no socket: errno \(errno)")
        }
    }

    deinit {
        close(listener)
        unlink(path)
    }

    /// Lets one client in, answers its Hello, sends `bytes` after the next message and hangs up.
    func serve(afterHello bytes: [UInt8]) async throws {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "blocking").async {
                self.serveOne(bytes)
                continuation.resume()
            }
        }
    }

    /// Lets one client in, says nothing, and returns when the client hangs up.
    ///
    /// - Parameter onHeard: called when the client has said something.
    func listenUntilHungUp(_ onHeard: () -> Void) async {
        let client = await withCheckedContinuation { continuation in
            DispatchQueue(label: "blocking").async {
                let client = accept(self.listener, nil, nil)
                _ = self.receive(client)
                continuation.resume(returning: client)
            }
        }
        onHeard()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                DispatchQueue(label: "blocking").async {
                    while !self.receive(client).isEmpty {}
                    continuation.resume()
                }
            }
        } onCancel: {
            // The test's time is over.
            shutdown(client, Int32(SHUT_RDWR))
        }
        close(client)
    }

    private func serveOne(_ bytes: [UInt8]) {
        let client = accept(listener, nil, nil)
        defer { close(client) }
        // The dialogue of SASL: NUL AUTH …, NEGOTIATE_UNIX_FD, BEGIN and Hello in one or several pieces.
        var seen = ""
        while !seen.contains("BEGIN\r\n") {
            let piece = receive(client)
            if piece.isEmpty { return }
            seen += piece
            if piece.contains("AUTH EXTERNAL") {
                send(client, Array("OK 0123456789abcdef0123456789abcdef\r\n".utf8))
            }
            if piece.contains("NEGOTIATE_UNIX_FD") { send(client, Array("ERROR\r\n".utf8)) }
        }
        while !seen.contains("Hello") {
            let piece = receive(client)
            if piece.isEmpty { return }
            seen += piece
        }
        send(client, Self.welcome)
        _ = receive(client)
        send(client, bytes)
    }

    private func receive(_ client: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(client, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }

    private func send(_ client: Int32, _ bytes: [UInt8]) { _ = write(client, bytes, bytes.count) }

    /// A method return for serial 1 with the string “:1.7”, little endian.
    private static let welcome: [UInt8] =
        [0x6C, 2, 1, 1, 9, 0, 0, 0, 1, 0, 0, 0, 15, 0, 0, 0]
        + [5, 1, 0x75, 0, 1, 0, 0, 0, 8, 1, 0x67, 0, 1, 0x73, 0, 0]
        + [4, 0, 0, 0] + Array(":1.7".utf8) + [0]
}
