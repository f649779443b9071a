// Calls from others: found, checked and handed to their handlers in the order they came.

import CDBus
import Synchronization

/// A call that arrived, as the queue sees it.
struct Incoming {
    let message: OpaquePointer
    let path: String
    let interface: String?
    let member: String
    let address: ReplyAddress

    init?(_ message: OpaquePointer) {
        guard let path = dbus_message_get_path(message), let member = dbus_message_get_member(message) else {
            return nil
        }
        self.message = message
        self.path = String(cString: path)
        interface = dbus_message_get_interface(message).map { String(cString: $0) }
        self.member = String(cString: member)
        address = ReplyAddress(
            caller: dbus_message_get_sender(message).map { String(cString: $0) } ?? "",
            serial: dbus_message_get_serial(message),
            isWanted: dbus_message_get_no_reply(message) == 0
        )
    }

    /// - Throws: ``DBusError`` `invalidArgs` when the types are not those.
    func arguments(_ signature: String) throws -> [DBusValue] {
        let actual = dbus_message_get_signature(message).map { String(cString: $0) } ?? ""
        guard actual == signature else {
            throw DBusError.invalid("\(member) takes arguments of type “\(signature)”, not “\(actual)”.")
        }
        return try MessageReader.arguments(of: message)
    }
}

/// Answers the calls of others. To be used on the connection's queue only.
final class ObjectServer {
    /// Calls worked on at once; more are refused, so that nobody can fill the memory.
    static let mostCalls = 1024

    typealias Work = @Sendable () async throws -> [DBusValue]

    private let active = ActiveCalls()
    private var calls: AsyncStream<@Sendable () async -> Void>.Continuation?
    private var pump: Task<Void, Never>?
    private var isFinished = false

    func receive(_ message: OpaquePointer, _ link: Link) {
        guard let incoming = Incoming(message) else { return }
        do {
            if let answer = try serve(incoming, link) { link.reply(answer, to: incoming.address) }
        } catch {
            link.refuse(error, to: incoming.address)
        }
    }

    /// The connection is over: handlers that still run are cancelled, their answers have nowhere to go.
    func finish() {
        isFinished = true
        calls?.finish()
        pump?.cancel()
        calls = nil
        pump = nil
    }

    /// - Returns: the answer, when it is known at once.
    private func serve(_ incoming: Incoming, _ link: Link) throws -> [DBusValue]? {
        guard let object = link.exports.object(at: incoming.path) else {
            return [.string(try introspectAncestor(incoming, link))]
        }
        if let member = object.member(incoming.member, of: incoming.interface) {
            try call(member, incoming, link)
            return nil
        }
        switch StandardInterface(incoming) {
        case .introspect:
            _ = try incoming.arguments("")
            let children = link.exports.children(of: incoming.path)
            return [.string(DBusIntrospection(of: object.object, children: children).xml)]
        case .property(let access):
            let work = try access.work(incoming, object)
            try start(incoming.address, output: access.output, name: incoming.member, link, work)
            return nil
        case nil: throw Self.unknown(incoming, object)
        }
    }

    /// Nothing stands there, but below: introspection leads down.
    private func introspectAncestor(_ incoming: Incoming, _ link: Link) throws -> String {
        let children = link.exports.children(of: incoming.path)
        guard !children.isEmpty, case .introspect? = StandardInterface(incoming) else {
            throw DBusError(name: DBusError.unknownObject, message: "There is no object at \(incoming.path).")
        }
        return DBusIntrospection(children: children).xml
    }

    private func call(_ member: ServedObject.Member, _ incoming: Incoming, _ link: Link) throws {
        let call = DBusIncomingCall(
            sender: incoming.address.caller,
            path: incoming.path,
            interface: member.interface,
            member: incoming.member,
            arguments: try incoming.arguments(member.input)
        )
        let handler = member.method.handler
        try start(incoming.address, output: member.output, name: incoming.member, link) {
            try await handler(call)
        }
    }

    private static func unknown(_ incoming: Incoming, _ object: ServedObject) -> DBusError {
        guard let interface = incoming.interface, object.interface(interface) == nil,
            !StandardInterface.names.contains(interface)
        else {
            return DBusError(
                name: DBusError.unknownMethod,
                message: "There is no method \(incoming.member) at \(incoming.path)."
            )
        }
        return DBusError(
            name: DBusError.unknownInterface,
            message: "There is no interface \(interface) at \(incoming.path)."
        )
    }

    // MARK: - Handlers

    private func start(
        _ address: ReplyAddress,
        output: String,
        name: String,
        _ link: Link,
        _ work: @escaping Work
    ) throws {
        guard !isFinished else { return }
        guard active.enter() else {
            throw DBusError.tooLarge("More than \(Self.mostCalls) calls are being worked on.")
        }
        stream().yield { [active] in
            await link.answer(address, output: output, name: name, work)
            active.leave()
        }
    }

    /// Starts the pump with the first call.
    ///
    /// An unstructured task, since a connection has no scope that could run handlers; it ends with the
    /// connection. Each handler starts within the pump's own step, up to its first suspension, so that
    /// they start in order.
    private func stream() -> AsyncStream<@Sendable () async -> Void>.Continuation {
        if let calls { return calls }
        let (stream, continuation) = AsyncStream.makeStream(of: (@Sendable () async -> Void).self)
        calls = continuation
        pump = Task {
            await withDiscardingTaskGroup { group in
                for await call in stream { group.addImmediateTask { await call() } }
                group.cancelAll()
            }
        }
        return continuation
    }
}

/// Counts handlers that run.
private final class ActiveCalls: Sendable {
    private let count = Mutex(0)

    func enter() -> Bool {
        count.withLock { count in
            guard count < ObjectServer.mostCalls else { return false }
            count += 1
            return true
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
}
