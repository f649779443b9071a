// Two connections on a bus of their own, one serving, one calling: the setting of most tests.

import BusTesting
import DBus
import Synchronization

/// A bus with a server and a client.
struct Pair {
    static let path = "/org/example/Object"
    static let interface = "org.example.Interface"

    let bus: PrivateBus
    let server: DBusConnection
    let client: DBusConnection

    init() async throws {
        bus = try await PrivateBus()
        server = try await DBusConnection.open(bus.address)
        client = try await DBusConnection.open(bus.address)
    }

    func serve(
        _ methods: [DBusMethod],
        properties: [DBusProperty] = [],
        signals: [DBusSignalDescription] = []
    ) throws {
        let interface = DBusInterface(
            Self.interface,
            methods: methods,
            properties: properties,
            signals: signals
        )
        try server.export(DBusObject(interfaces: [interface]), at: Self.path)
    }

    /// A call of the server's object.
    func makeCall(_ member: String, _ arguments: [DBusValue] = []) -> DBusMethodCall {
        DBusMethodCall(
            destination: server.uniqueName,
            path: Self.path,
            interface: Self.interface,
            member: member,
            arguments: arguments
        )
    }

    func call(_ member: String, _ arguments: [DBusValue] = [], timeout: Duration = .seconds(50)) async throws
        -> [DBusValue]
    {
        try await client.call(makeCall(member, arguments), timeout: timeout)
    }
}

extension DBusMethod {
    /// Gives back its one argument of type `signature`.
    static func echo(_ signature: String) -> DBusMethod {
        DBusMethod("Echo", in: [DBusArgument("value", signature)], out: [DBusArgument("value", signature)]) {
            $0.arguments
        }
    }

    /// Notes that it was called, and answers when the gate is open.
    static func gated(_ entered: Gate, _ leave: Gate) -> DBusMethod {
        DBusMethod("Wait", out: [DBusArgument("done", "b")]) { _ in
            entered.open()
            await leave.wait()
            return [.boolean(true)]
        }
    }
}

extension DBusSignal {
    static func example(_ member: String, _ arguments: [DBusValue] = []) -> DBusSignal {
        DBusSignal(path: Pair.path, interface: Pair.interface, member: member, arguments: arguments)
    }
}

/// The error that `body` throws, or a failure of the test.
func dbusError(_ body: () async throws -> some Any) async throws -> DBusError {
    do {
        let value = try await body()
        throw Missing(description: "no error, but \(value)")
    } catch let error as DBusError {
        return error
    }
}

struct Missing: Error, CustomStringConvertible { let description: String }

/// Closed until somebody opens it; waiting ends also by cancellation.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }

    func wait() async { for await _ in stream {} }
}

/// Values that arrive from anywhere, in order.
final class Inbox<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func put(_ value: Value) {
        values.withLock { $0.append(value) }
        continuation.yield(value)
    }

    /// Everything so far.
    var all: [Value] { values.withLock { $0 } }

    /// The next one; for one reader.
    func next() async throws -> Value {
        for await value in stream { return value }
        throw CancellationError()
    }
}
