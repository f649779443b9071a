// Popups by `org.freedesktop.Notifications`, the Desktop Notifications Specification.
//
// Calls go to the owner of the name, by its unique name: what was meant for one server can then never be
// taken by the next, and its answer never be mistaken for the other's.

import BelfryCore
import DBus
import Logging
import Synchronization

/// The notification server of the session, whoever that is.
final class FreedesktopServer: NotificationServer {
    static let name = "org.freedesktop.Notifications"
    static let path = "/org/freedesktop/Notifications"
    /// How long what the server can do is believed: some change it, as xfce does in Do-Not-Disturb.
    static let capabilityAge = Duration.seconds(60)

    private struct State {
        /// The bus's own id.
        var bus: String?
        var owner: String?
        var capabilities: Set<String>?
        /// Nil until it has been asked: an owner's name does not change.
        var habits: FreedesktopMessage.Habits?
        var readAt = Duration.zero
    }

    let signals: AsyncStream<ServerSignal>
    private let signal: AsyncStream<ServerSignal>.Continuation
    private let connection: DBusConnection
    private let timeout: Duration
    private let clock: any LeaseClock
    private let logger: Logger
    private let state = Mutex(State())

    init(_ connection: DBusConnection, timeout: Duration, clock: any LeaseClock, logger: Logger) {
        self.connection = connection
        self.timeout = timeout
        self.clock = clock
        self.logger = logger
        (signals, signal) = AsyncStream.makeStream()
    }

    // MARK: Signals

    func run() async {
        defer { signal.finish() }
        do {
            let popups = try await connection.signals(
                DBusSignalRule(sender: Self.name, path: Self.path, interface: Self.name)
            )
            let owners = try await connection.signals(
                DBusSignalRule(
                    sender: "org.freedesktop.DBus",
                    path: "/org/freedesktop/DBus",
                    interface: "org.freedesktop.DBus",
                    member: "NameOwnerChanged",
                    argument0: Self.name
                )
            )
            await identifyBus()
            changed(to: try await connection.owner(of: Self.name))
            await withDiscardingTaskGroup { group in
                group.addTask { for await message in popups { self.take(message) } }
                group.addTask { for await message in owners { self.takeOwner(message) } }
            }
        } catch {
            logger.debug("the notification server cannot be watched", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ message: DBusSignal) {
        guard let id = message.arguments.first?.uint32Value, message.arguments.count == 2 else { return }
        switch message.member {
        case "NotificationClosed":
            let reason = message.arguments[1].uint32Value.flatMap(CloseReason.init) ?? .undefined
            signal.yield(.closed(id, reason))
        case "ActionInvoked":
            if let key = message.arguments[1].stringValue { signal.yield(.invoked(id, actionKey: key)) }
        case "ActivationToken":
            if let token = message.arguments[1].stringValue { signal.yield(.activationToken(id, token)) }
        default: break
        }
    }

    private func takeOwner(_ message: DBusSignal) {
        guard message.arguments.count == 3, let owner = message.arguments[2].stringValue else { return }
        changed(to: owner.isEmpty ? nil : owner)
    }

    private func identifyBus() async {
        let id = DBusMethodCall(
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "GetId",
            arguments: []
        )
        let answer = try? await connection.call(id, timeout: timeout)
        state.withLock { $0.bus = answer?.first?.stringValue }
    }

    private func changed(to owner: String?) {
        let (isNew, bus) = state.withLock { state in
            // The first owner is both asked for and, when it comes at that moment, signalled.
            defer { state = State(bus: state.bus, owner: owner) }
            return (state.owner != owner || owner == nil, state.bus)
        }
        guard isNew else { return }
        let life = bus.flatMap { bus in owner.map { ServerLife(bus: bus, owner: $0) } }
        signal.yield(.changed(isPresent: owner != nil, life: life))
    }

    // MARK: Calls

    func notify(
        _ popup: Popup,
        replacing: UInt32,
        generation: Int,
        late: @escaping @Sendable (UInt32) -> Void
    ) async throws(NotifyError) -> UInt32 {
        let abilities = FreedesktopMessage.Abilities(
            capabilities: try await capabilities(),
            habits: try await habits()
        )
        let arguments = FreedesktopMessage.arguments(
            popup,
            replacing: replacing,
            generation: generation,
            abilities: abilities
        )
        do {
            var call = call("Notify", arguments)
            call.onLateReply = { answer in if let id = answer.first?.uint32Value { late(id) } }
            let answer = try await connection.call(call, timeout: timeout)
            guard let id = answer.first?.uint32Value else {
                throw DBusError(name: DBusError.failed, message: "Notify answered without an id.")
            }
            return id
        } catch {
            // What it can do may be what has changed.
            state.withLock { $0.capabilities = nil }
            throw NotifyError(error, isOwnerWatched: true)
        }
    }

    func close(_ id: UInt32) { try? connection.send(call("CloseNotification", [.uint32(id)])) }

    func start() async -> Bool {
        let start = DBusMethodCall(
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "StartServiceByName",
            arguments: [.string(Self.name), .uint32(0)]
        )
        // The bus gives a program 25 seconds to come up; a program that is slower is signalled.
        do {
            _ = try await connection.call(start, timeout: .seconds(30))
            return true
        } catch { return false }
    }

    func describe() async throws(NotifyError) -> ServerDescription {
        state.withLock { $0.capabilities = nil }
        let capabilities = try await capabilities()
        let words = try await serverInformation()
        return ServerDescription(
            name: words[0],
            vendor: words[1],
            version: words[2],
            specification: words[3],
            capabilities: capabilities
        )
    }

    func flush() async { await connection.flush() }

    private func capabilities() async throws(NotifyError) -> Set<String> {
        let now = clock.now
        let known = state.withLock {
            $0.capabilities != nil && now - $0.readAt < Self.capabilityAge ? $0.capabilities : nil
        }
        if let known { return known }
        let owner = state.withLock { $0.owner }
        let read = Set(try await ask("GetCapabilities").first?.stringsValue ?? [])
        state.withLock { state in
            guard state.owner == owner else { return }
            state.capabilities = read
            state.readAt = now
        }
        return read
    }

    private func habits() async throws(NotifyError) -> FreedesktopMessage.Habits {
        let (known, owner) = state.withLock { ($0.habits, $0.owner) }
        if let known { return known }
        let read = FreedesktopMessage.Habits(of: try await serverInformation()[0])
        state.withLock { if $0.owner == owner { $0.habits = read } }
        return read
    }

    /// Name, vendor, version and the specification's version.
    private func serverInformation() async throws(NotifyError) -> [String] {
        try await ask("GetServerInformation").map { $0.stringValue ?? "" } + ["", "", "", ""]
    }

    private func ask(_ member: String) async throws(NotifyError) -> [DBusValue] {
        do { return try await connection.call(call(member, []), timeout: timeout) } catch {
            throw NotifyError(error, isOwnerWatched: true)
        }
    }

    private func call(_ member: String, _ arguments: [DBusValue]) -> DBusMethodCall {
        var call = DBusMethodCall(
            destination: state.withLock { $0.owner } ?? Self.name,
            path: Self.path,
            interface: Self.name,
            member: member,
            arguments: arguments
        )
        call.isAutoStarting = false
        return call
    }
}
