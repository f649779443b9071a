// The answer to one request: its head, and its body as bytes or as lines, whether it came with a
// length, in chunks, or until the connection closed (RFC 9112).

import BelfryCore

/// An answer that is being read.
public final class HubStream {
    public private(set) var status = 0
    private var headers: [String: String] = [:]
    private let socket: HubSocket
    private var buffer: [UInt8] = []
    private var start = 0
    /// Bytes left in this chunk or body; nil when it ends with the connection.
    private var left: Int?
    private var isChunked = false
    private var isAtEnd = false
    private var line: [UInt8] = []

    init(_ socket: HubSocket) throws {
        self.socket = socket
        try readHead()
        isChunked = headers["transfer-encoding"]?.lowercased() == "chunked"
        if isChunked { left = 0 } else { left = headers["content-length"].flatMap { Int($0) } }
        if left == 0, !isChunked || status == 204 { isAtEnd = true }
    }

    /// The process of the hub that answers.
    public var hubProcess: Int32 { socket.peer }

    /// A header by its name in lower case.
    public func header(_ name: String) -> String? { headers[name] }

    /// The whole rest of the body.
    public func readAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let part = try next() { bytes += part }
        return bytes
    }

    /// The next line without its newline; nil at the end. Waits until there is one.
    public func nextLine() throws -> [UInt8]? {
        while true {
            if let newline = line.firstIndex(of: 0x0A) {
                defer { line.removeSubrange(...newline) }
                return Array(line[..<newline])
            }
            guard let part = try next() else {
                defer { line = [] }
                return line.isEmpty ? nil : line
            }
            line += part
        }
    }

    /// Whether ``nextLine()`` has something to go by before `time` is over.
    public func isReadable(within time: Duration) -> Bool {
        isAtEnd || start < buffer.count || line.contains(0x0A) || socket.isReadable(within: time)
    }

    /// The next bytes of the body as they arrive; nil at its end.
    public func next() throws -> [UInt8]? {
        if isAtEnd { return nil }
        if isChunked, left == 0 {
            try readChunkHead()
            if isAtEnd { return nil }
        }
        if start == buffer.count, try !fill() {
            guard left == nil else { throw broken() }
            isAtEnd = true
            return nil
        }
        let count = min(buffer.count - start, left ?? .max)
        let part = Array(buffer[start..<start + count])
        start += count
        left = left.map { $0 - count }
        if left == 0 {
            if isChunked { _ = try readTextLine() } else { isAtEnd = true }
        }
        return part
    }

    private func readChunkHead() throws {
        let text = try readTextLine()
        guard let size = Int(text.prefix { $0 != ";" }, radix: 16) else { throw broken() }
        left = size
        if size == 0 { isAtEnd = true }
    }

    private func readHead() throws {
        let statusLine = try readTextLine().split(separator: " ", maxSplits: 2)
        guard statusLine.count >= 2, statusLine[0].hasPrefix("HTTP/1."), let code = Int(statusLine[1]) else {
            throw broken()
        }
        status = code
        while true {
            let text = try readTextLine()
            if text.isEmpty { return }
            guard let colon = text.firstIndex(of: ":") else { throw broken() }
            let value = text[text.index(after: colon)...].drop { $0 == " " }
            headers[text[..<colon].lowercased()] = String(value)
        }
    }

    private func readTextLine() throws -> String {
        var bytes: [UInt8] = []
        while true {
            while start < buffer.count {
                let byte = buffer[start]
                start += 1
                if byte == 0x0A {
                    if bytes.last == 0x0D { bytes.removeLast() }
                    return String(decoding: bytes, as: UTF8.self)
                }
                bytes.append(byte)
            }
            guard try fill() else { throw broken() }
        }
    }

    private func fill() throws -> Bool {
        buffer = try socket.read()
        start = 0
        return !buffer.isEmpty
    }

    private func broken() -> BelfryError {
        BelfryError(.noHub, "The hub went away in the middle of its answer.", fix: "See: belfry doctor")
    }
}
