// A server on this machine that answers as OpenAI-compatible image endpoints do, their errors
// and slowness included.

import BelfryCore
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// One request as the server got it.
struct Received: Sendable {
    var path: String
    var authorization: String?
    var body: JSONValue
}

/// How the server answers.
enum Behaviour: Sendable {
    /// A picture in base64, as `b64_json`.
    case picture([UInt8])
    /// A picture behind an address on this server.
    case address([UInt8])
    /// Whatever status and body.
    case answer(Int, String, retryAfter: String? = nil)
    /// No answer before the gate opens; then a picture.
    case afterGate(Gate, [UInt8])
}

/// Closed until somebody opens it.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Void.self) }

    func open() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}

struct ImageServer {
    /// Runs `body` with the address of a server that behaves so, and gives what the server received.
    static func run<Value: Sendable>(
        _ behaviour: Behaviour,
        _ body: @escaping @Sendable (_ url: String) async throws -> Value
    ) async throws -> (Value, [Received]) {
        let received = Mutex<[Received]>([])
        let log = Log(received: received.withLock { $0 })
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router(behaviour, log),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                port.yield(channel.localAddress?.port ?? 0)
                port.finish()
            },
            logger: Logger(label: "images") { _ in SwiftLogNoOpLogHandler() }
        )
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                try await application.run()
                return nil
            }
            var number = 0
            for await value in ports { number = value }
            let url = "http://127.0.0.1:\(number)"
            group.addTask { try await body(url) }
            var value: Value?
            while value == nil { value = try await group.next() ?? nil }
            group.cancelAll()
            return (value!, log.all)
        }
    }

    private final class Log: Sendable {
        private let received: Mutex<[Received]>
        init(received: [Received]) { self.received = Mutex(received) }
        var all: [Received] { received.withLock { $0 } }
        func append(_ request: Received) { received.withLock { $0.append(request) } }
    }

    private static func router(_ behaviour: Behaviour, _ log: Log) -> Router<BasicRequestContext> {
        let router = Router()
        router.post("v1/images/generations") { request, _ -> Response in
            let bytes = try await request.body.collect(upTo: 1 << 20)
            log.append(
                Received(
                    path: request.uri.path,
                    authorization: request.headers[.authorization],
                    body: try JSONValue(parsing: Array(bytes.readableBytesView))
                )
            )
            switch behaviour {
            case .picture(let picture): return answer(200, json(picture))
            case .address:
                let host = request.head.authority ?? ""
                return answer(200, "{\"created\":1,\"data\":[{\"url\":\"http://\(host)/files/1\"}]}")
            case .answer(let status, let text, let retryAfter):
                var response = answer(status, text)
                if let retryAfter { response.headers[HTTPField.Name("Retry-After")!] = retryAfter }
                return response
            case .afterGate(let gate, let picture):
                await gate.wait()
                return answer(200, json(picture))
            }
        }
        router.get("files/1") { request, _ -> Response in
            log.append(
                Received(path: request.uri.path, authorization: request.headers[.authorization], body: .null)
            )
            guard case .address(let picture) = behaviour else { return answer(404, "no such file") }
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: picture)))
        }
        return router
    }

    private static func json(_ picture: [UInt8]) -> String {
        let text = Data(picture).base64EncodedString()
        return "{\"created\":1,\"data\":[{\"b64_json\":\"\(text)\",\"revised_prompt\":\"as painted\"}]}"
    }

    private static func answer(_ status: Int, _ text: String) -> Response {
        Response(
            status: HTTPResponse.Status(code: status),
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
