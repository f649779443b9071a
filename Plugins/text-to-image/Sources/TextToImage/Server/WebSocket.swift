// A small WebSocket client: text messages in, nothing out but what the protocol wants (RFC 6455).
// Without TLS, which the HTTP client has but does not lend.

import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

enum WebSocket {
    /// Bytes of a message at most, its frames together. Larger ones end the connection. Defaults to 16 MiB: servers
    /// send pictures of what they are at, which are skipped.
    static let messageLimit = 16 << 20
    /// Frames of one message at most.
    private static let frameLimit = 1024

    struct Refused: Error {}

    private typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    /// The text messages of a connection. They end when the server closes it, and throw when it breaks.
    struct Messages {
        fileprivate let frames: NIOAsyncChannelInboundStream<WebSocketFrame>
        fileprivate let answers: NIOAsyncChannelOutboundWriter<WebSocketFrame>

        /// Calls `body` with each message until it gives a value; gives nil when the connection has ended before.
        func first<Value>(_ body: (String) throws -> Value?) async throws -> Value? {
            for try await frame in frames {
                switch frame.opcode {
                case .text:
                    if let value = try body(String(buffer: frame.unmaskedData)) { return value }
                case .ping:
                    let data = frame.unmaskedData
                    try await answers.write(
                        WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: data)
                    )
                case .connectionClose: return nil
                default: break
                }
            }
            return nil
        }
    }

    /// Opens a connection, does `body`, and closes it.
    ///
    /// - Parameters:
    ///   - url: `http://HOST[:PORT]/PATH`.
    ///   - timeout: for opening it.
    /// - Throws: ``Refused`` when the server does not want to; what the network says.
    static func withMessages<Value: Sendable>(
        at url: String,
        authorization: String?,
        timeout: TimeAmount = .seconds(4),
        messageLimit: Int = messageLimit,
        _ body: @Sendable (Messages) async throws -> Value
    ) async throws -> Value {
        guard let address = Address(url) else { throw Refused() }
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(timeout)
        let upgrade = try await bootstrap.connect(host: address.host, port: address.port) { channel in
            channel.eventLoop.makeCompletedFuture {
                let upgrade = try Self.upgrade(channel, to: address, authorization, messageLimit)
                // A server that takes the connection and then says nothing.
                let patience = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
                upgrade.whenComplete { _ in patience.cancel() }
                return upgrade
            }
        }
        guard let frames = try await upgrade.get() else { throw Refused() }
        return try await frames.executeThenClose { inbound, outbound in
            try await body(Messages(frames: inbound, answers: outbound))
        }
    }

    private struct Address {
        let host: String
        let port: Int
        let target: String

        /// Nil for anything but plain HTTP.
        init?(_ url: String) {
            guard let url = URL(string: url), url.scheme == "http", let host = url.host(), !host.isEmpty
            else {
                return nil
            }
            self.host = host
            port = url.port ?? 80
            target = url.path(percentEncoded: true) + (url.query(percentEncoded: true).map { "?\($0)" } ?? "")
        }
    }

    private static func upgrade(
        _ channel: any Channel,
        to address: Address,
        _ authorization: String?,
        _ messageLimit: Int
    ) throws -> EventLoopFuture<Frames?> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Frames?>(maxFrameSize: messageLimit) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0,
                        maxAccumulatedFrameCount: frameLimit,
                        maxAccumulatedFrameSize: messageLimit
                    )
                )
                return try Frames(wrappingChannelSynchronously: channel)
            }
        }
        var headers = HTTPHeaders([("Host", "\(address.host):\(address.port)")])
        if let authorization { headers.add(name: "Authorization", value: authorization) }
        let configuration = NIOTypedHTTPClientUpgradeConfiguration(
            upgradeRequestHead: HTTPRequestHead(
                version: .http1_1,
                method: .GET,
                uri: address.target,
                headers: headers
            ),
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in channel.close().map { nil } }
        )
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: .init(upgradeConfiguration: configuration)
        )
    }
}
