// The HTTP server on the hub's Unix socket. The socket is the authority: its directory is 0700
// and who can connect may do everything that the user may.

import BelfryCore
import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// Serves the API on a Unix socket.
///
/// Hummingbird's `Application` would wake the process every second to keep a `Date` header; a hub with
/// nothing to do sleeps, so its server is run directly, and its answers have no date.
///
/// The caller must hold the hub's lock: binding removes a socket file that is there already.
public struct HubServer: Service {
    private let backend: any HubBackend
    private let socketPath: String
    private let logger: Logger
    private let onRunning: @Sendable () async -> Void

    /// - Parameter onRunning: called once, when requests are answered.
    public init(
        backend: any HubBackend,
        socketPath: String,
        logger: Logger,
        onRunning: @escaping @Sendable () async -> Void = {}
    ) {
        self.backend = backend
        self.socketPath = socketPath
        self.onRunning = onRunning
        var logger = logger
        // Hummingbird tells of each start on this level; the hub says that itself, once.
        logger.logLevel = max(logger.logLevel, .notice)
        self.logger = logger
    }

    public func run() async throws {
        let responder = Self.router(backend).buildResponder()
        let server = try HTTPServerBuilder.http1().buildServer(
            configuration: ServerConfiguration(address: .unixDomainSocket(path: socketPath), serverName: nil),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            responder: { [logger] request, writer, channel in
                let source = ApplicationRequestContextSource(channel: channel, logger: logger)
                let response = try await responder.respond(to: request, context: HubContext(source: source))
                try await writer.write(response: response.head, body: response.body)
            },
            onServerRunning: { [socketPath, onRunning] _ in
                // Made by bind with whatever the mask leaves; its directory lets nobody else in before.
                chmod(socketPath, 0o600)
                await onRunning()
            }
        )
        try await server.run()
    }

    static func router(_ backend: any HubBackend) -> Router<HubContext> {
        let router = Router(context: HubContext.self)
        router.add(middleware: ProblemMiddleware())
        TaskRoutes(backend: backend).add(to: router)
        TaskChangeRoutes(backend: backend).add(to: router)
        GroupRoutes(backend: backend).add(to: router)
        ScheduleRoutes(backend: backend).add(to: router)
        EventRoutes(backend: backend).add(to: router)
        SinkRoutes(backend: backend).add(to: router)
        HubRoutes(backend: backend).add(to: router)
        return router
    }

    /// Answers one request without a socket: for a command that reads while no hub runs.
    ///
    /// - Parameter write: gets the body bit by bit.
    /// - Returns: the HTTP status.
    public static func answer(
        _ method: String,
        _ path: String,
        body: [UInt8],
        from backend: any HubBackend,
        logger: Logger,
        write: @escaping @Sendable ([UInt8]) -> Void
    ) async throws -> Int {
        let head = HTTPRequest(
            method: HTTPRequest.Method(method) ?? .get,
            scheme: "http",
            authority: "hub",
            path: path
        )
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: body)))
        let context = HubContext(source: OfflineSource(logger: logger))
        let response = try await router(backend).buildResponder().respond(to: request, context: context)
        try await response.body.write(ClosureWriter(write: write))
        return response.status.code
    }
}

/// What travels with a request.
struct HubContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// No hub runs: nothing will happen that could be followed.
    let isOffline: Bool

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        isOffline = false
    }

    init(source: OfflineSource) {
        coreContext = CoreRequestContextStorage(source: source)
        isOffline = true
    }
}

extension HubContext {
    /// A part of the path by its name in the route, as its client meant it.
    func name(_ key: String) throws -> String { Self.decoded(try parameters.require(key)) }

    /// What `**` stands for in the route.
    var rest: String { parameters.getCatchAll().map(Self.decoded).joined(separator: "/") }

    /// Undoes percent-encoding (RFC 3986); what is none stays as it is.
    private static func decoded(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

struct OfflineSource: RequestContextSource {
    let logger: Logger
}

private struct ClosureWriter: ResponseBodyWriter {
    let write: @Sendable ([UInt8]) -> Void

    mutating func write(_ buffer: ByteBuffer) async throws { write(Array(buffer.readableBytesView)) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
