// The client's side of the hub's socket: one blocking HTTP/1.1 exchange a connection, by plain
// system calls. A command that lives for two milliseconds must not start an event loop first.

public import BelfryCore
import Glibc

/// Talks to a hub over its Unix socket. Blocks the calling thread.
public struct HubClient: Sendable {
    public let socketPath: String

    public init(socketPath: String) { self.socketPath = socketPath }

    /// One exchange: sends the request and reads the whole answer.
    ///
    /// - Parameters:
    ///   - path: with its query, percent-encoded.
    ///   - body: JSON.
    /// - Returns: the JSON of a 2xx answer; null for an empty one.
    /// - Throws: ``BelfryError``: `no_hub` when nobody listens, or what the hub answered.
    public func send(_ method: String, _ path: String, body: JSONValue? = nil) throws -> JSONValue {
        let stream = try open(method, path, body: body)
        let bytes = try stream.readAll()
        return bytes.isEmpty ? .null : try Self.parse(bytes)
    }

    /// Sends the request and leaves the answer's body to be read bit by bit.
    ///
    /// - Throws: as ``send(_:_:body:)``.
    public func open(
        _ method: String,
        _ path: String,
        body: JSONValue? = nil,
        accept: String = "application/json"
    ) throws -> HubStream {
        let socket = try HubSocket(connectingTo: socketPath)
        let bytes = body?.encoded ?? []
        var head = "\(method) \(path) HTTP/1.1\r\nHost: hub\r\nAccept: \(accept)\r\nConnection: close\r\n"
        if body != nil { head += "Content-Type: application/json\r\nContent-Length: \(bytes.count)\r\n" }
        try socket.write(Array((head + "\r\n").utf8) + bytes)
        let stream = try HubStream(socket)
        guard (200..<300).contains(stream.status) else {
            throw try Self.error(from: stream)
        }
        return stream
    }

    private static func parse(_ bytes: [UInt8]) throws -> JSONValue {
        do { return try JSONValue(parsing: bytes, limits: JSONLimits(keys: .max)) } catch {
            throw BelfryError(.internalError, "The hub's answer is not JSON: \(error)")
        }
    }

    private static func error(from stream: HubStream) throws -> BelfryError {
        let bytes = try stream.readAll()
        if let json = try? JSONValue(parsing: bytes), let error = BelfryError(problem: json) { return error }
        let text = String(decoding: bytes.prefix(200), as: UTF8.self)
        return BelfryError(.internalError, "The hub answered \(stream.status): \(text)")
    }
}

/// A connected Unix socket, closed when let go of.
public final class HubSocket {
    private let descriptor: Int32

    /// - Throws: ``BelfryError`` `no_hub` when there is no socket or nobody listens on it.
    init(connectingTo path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count <= Places.maxSocketPath else {
            throw BelfryError(
                .invalidPlace,
                "The path of the hub's socket is too long: \(path)",
                fix: "Set BELFRY_RUNTIME_DIR to a shorter path."
            )
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Self.connectError(errno, path: path) }
    }

    deinit { close(descriptor) }

    /// The process that listens at the other end.
    var peer: pid_t {
        // struct ucred: the process, its user and its group.
        var credentials: [Int32] = [0, 0, 0]
        var size = socklen_t(credentials.count * MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 else { return 0 }
        return credentials[0]
    }

    private static func connectError(_ code: Int32, path: String) -> BelfryError {
        switch code {
        case ENOENT, ECONNREFUSED, ENOTDIR:
            BelfryError(
                .noHub,
                "No hub is running.",
                fix: "Submitting a task starts one: belfry run FEATURE key=value …"
            )
        default:
            BelfryError(
                .invalidPlace,
                "Cannot connect to the hub at \(path): \(String(cString: strerror(code))).",
                fix: "See: belfry doctor"
            )
        }
    }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent < 0, errno == EINTR { continue }
            // The hub may have answered early (a body that is too large) and closed: read that answer.
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }

    /// - Returns: whether there is something to read, the end included, before `time` is over.
    func isReadable(within time: Duration) -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, Int32(clamping: time.wholeMilliseconds)) > 0
    }

    /// - Returns: an empty list at the end of the stream.
    func read() throws -> [UInt8] {
        while true {
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
                let received = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                failure = received < 0 ? errno : 0
                count = max(0, received)
            }
            if failure == EINTR { continue }
            if failure != 0 {
                throw BelfryError(
                    .noHub,
                    "The connection to the hub broke: \(String(cString: strerror(failure)))."
                )
            }
            return bytes
        }
    }
}
