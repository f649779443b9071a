// A small HTTP and WebSocket server on this machine, for stand-ins of programs that want a graphics card:
// each test says how it answers.

import BelfryCore
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Synchronization

final class StandIn: Sendable {
    struct Request: Sendable {
        var method: String
        /// With its query.
        var target: String
        var authorization: String?
        var body: JSONValue

        var path: String { String(target.prefix { $0 != "?" }) }
        var query: String { String(target.drop { $0 != "?" }.dropFirst()) }
    }

    enum Answer: Sendable {
        case json(JSONValue, status: HTTPResponseStatus = .ok)
        case bytes([UInt8], status: HTTPResponseStatus = .ok)
        /// Blocks of a MiB of the letter A without end; each that is sent is counted.
        case flood(Counter)
        /// The connection is cut.
        case cut
    }

    /// A counter that can be handed around.
    final class Counter: Sendable {
        private let value = Mutex(0)
        var count: Int { value.withLock { $0 } }
        func add() { value.withLock { $0 += 1 } }
    }

    typealias Handler = @Sendable (Request) async -> Answer
    /// The server's side of a WebSocket: what to send, and when to end.
    typealias Socket = @Sendable (Writer) async throws -> Void

    struct Writer: Sendable {
        fileprivate let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
        /// What the client answers to pings.
        fileprivate let pongs: AsyncStream<String>

        func send(_ json: JSONValue) async throws { try await frame(.text, ByteBuffer(bytes: json.encoded)) }
        func binary(_ bytes: [UInt8]) async throws { try await frame(.binary, ByteBuffer(bytes: bytes)) }
        func text(_ text: String, isLast: Bool, isFirst: Bool) async throws {
            try await outbound.write(
                WebSocketFrame(
                    fin: isLast,
                    opcode: isFirst ? .text : .continuation,
                    data: ByteBuffer(string: text)
                )
            )
        }
        /// Gives what the client answers.
        func ping(_ word: String) async throws -> String? {
            try await frame(.ping, ByteBuffer(string: word))
            for await pong in pongs { return pong }
            return nil
        }
        private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) async throws {
            try await outbound.write(WebSocketFrame(fin: true, opcode: opcode, data: data))
        }
    }

    private let log = Mutex<[Request]>([])
    private let channels = Mutex<[any Channel]>([])
    private let handler: Handler
    private let socket: Socket?

    private init(_ handler: @escaping Handler, _ socket: Socket?) {
        self.handler = handler
        self.socket = socket
    }

    private typealias HTTP = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    private typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
    private enum Connection {
        case http(HTTP)
        case webSocket(Frames)
    }

    /// Runs `body` with the address of the server; gives what it got beside what `body` gives.
    static func run<Value: Sendable>(
        socket: Socket? = nil,
        handler: @escaping Handler,
        _ body: @escaping @Sendable (_ url: String) async throws -> Value
    ) async throws -> (Value, [Request]) {
        let server = StandIn(handler, socket)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try server.set(up: channel) }
            }
        let url = "http://127.0.0.1:\(listener.channel.localAddress?.port ?? 0)"
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                try await server.serve(listener)
                return nil
            }
            group.addTask { try await body(url) }
            defer {
                group.cancelAll()
                // A connection that its client holds in reserve would be waited for otherwise.
                for channel in server.channels.withLock({ $0 }) { channel.close(promise: nil) }
            }
            while let value = try await group.next() {
                if let value { return (value, server.log.withLock { $0 }) }
            }
            throw CancellationError()
        }
    }

    private func set(up channel: any Channel) throws -> EventLoopFuture<Connection> {
        channels.withLock { $0.append(channel) }
        let upgrader = NIOTypedWebSocketServerUpgrader<Connection>(
            shouldUpgrade: { [socket] channel, _ in
                channel.eventLoop.makeSucceededFuture(socket == nil ? nil : HTTPHeaders())
            },
            upgradePipelineHandler: { channel, head in
                self.note(head, [])
                return channel.eventLoop.makeCompletedFuture {
                    .webSocket(try Frames(wrappingChannelSynchronously: channel))
                }
            }
        )
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [upgrader],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture {
                            .http(try HTTP(wrappingChannelSynchronously: channel))
                        }
                    }
                )
            )
        )
    }

    private func serve(_ listener: NIOAsyncChannel<EventLoopFuture<Connection>, Never>) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await listener.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask {
                        // A client that goes away is part of the tests.
                        guard let connection = try? await connection.get() else { return }
                        switch connection {
                        case .http(let channel): try? await self.answer(channel)
                        case .webSocket(let frames): try? await self.talk(frames)
                        }
                    }
                }
            }
        }
    }

    private func talk(_ frames: Frames) async throws {
        guard let socket else { return }
        try await frames.executeThenClose { inbound, outbound in
            let (pongs, pong) = AsyncStream.makeStream(of: String.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for try await frame in inbound where frame.opcode == .pong {
                        pong.yield(
                            (frame.maskKey == nil ? "not masked: " : "") + String(buffer: frame.unmaskedData)
                        )
                    }
                    pong.finish()
                }
                defer { group.cancelAll() }
                try await socket(Writer(outbound: outbound, pongs: pongs))
            }
        }
    }

    private func answer(_ channel: HTTP) async throws {
        try await channel.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let new): (head, body) = (new, [])
                case .body(let buffer): body += buffer.readableBytesView
                case .end:
                    guard let head else { return }
                    guard try await self.write(await handler(note(head, body)), outbound, channel.channel)
                    else { return }
                }
            }
        }
    }

    @discardableResult
    private func note(_ head: HTTPRequestHead, _ body: [UInt8]) -> Request {
        let request = Request(
            method: head.method.rawValue,
            target: head.uri,
            authorization: head.headers.first(name: "Authorization"),
            body: (try? JSONValue(parsing: body)) ?? .null
        )
        log.withLock { $0.append(request) }
        return request
    }

    private func write(
        _ answer: Answer,
        _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>,
        _ channel: any Channel
    ) async throws -> Bool {
        let (status, bytes): (HTTPResponseStatus, [UInt8])
        switch answer {
        case .json(let json, let code): (status, bytes) = (code, json.encoded)
        case .bytes(let data, let code): (status, bytes) = (code, data)
        case .flood(let counter):
            try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .ok)))
            let block = ByteBuffer(repeating: UInt8(ascii: "A"), count: 1 << 20)
            while true {
                // Ends when the client has taken it: the writer of the asynchronous channel runs ahead.
                try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(block))).get()
                counter.add()
            }
        case .cut: return false
        }
        let headers = HTTPHeaders([("Content-Length", String(bytes.count))])
        try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
        try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
        try await outbound.write(.end(nil))
        return true
    }
}
