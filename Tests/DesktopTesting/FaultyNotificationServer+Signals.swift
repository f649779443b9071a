// The signals of a notification server, from the one that owns the name and from one that does not.

public import DBus
import Synchronization

/// What a server says of a popup.
public enum NotificationSignal: Sendable, Hashable {
    /// A button was pressed, or the popup itself (`default`).
    case actionInvoked(String)
    /// The token that lets the program that is opened next take the focus.
    case activationToken(String)
    /// Reason 1: expired, 2: dismissed by the person, 3: closed by a call, 4: undefined.
    case closed(reason: UInt32)

    /// The signal as it goes over the bus.
    public func signal(for id: UInt32) -> DBusSignal {
        let (member, argument): (String, DBusValue) =
            switch self {
            case .actionInvoked(let key): ("ActionInvoked", .string(key))
            case .activationToken(let token): ("ActivationToken", .string(token))
            case .closed(let reason): ("NotificationClosed", .uint32(reason))
            }
        return DBusSignal(
            path: FaultyNotificationServer.path,
            interface: FaultyNotificationServer.name,
            member: member,
            arguments: [.uint32(id), argument]
        )
    }
}

extension FaultyNotificationServer {
    /// Sends a signal as it is, and keeps no account of it.
    public func emit(_ signal: NotificationSignal, for id: UInt32) throws {
        try connection.emit(signal.signal(for: id))
    }

    /// The popup goes, for this reason.
    public func close(_ id: UInt32, reason: UInt32) async throws {
        try await answered()
        state.update { $0.visible[id] = nil }
        try emit(.closed(reason: reason), for: id)
    }

    /// A button is pressed.
    ///
    /// - Parameters:
    ///   - token: sent before the action, as by servers that have one.
    ///   - closing: whether the popup goes after it with reason 2, as most servers do. Defaults to false.
    public func invoke(_ id: UInt32, _ key: String, token: String? = nil, closing: Bool = false)
        async throws
    {
        try await answered()
        if let token { try activationToken(id, token) }
        try emit(.actionInvoked(key), for: id)
        if closing { try await close(id, reason: 2) }
    }

    /// A token that comes before the action.
    public func activationToken(_ id: UInt32, _ token: String) throws {
        try emit(.activationToken(token), for: id)
    }

    static let turnInterface = DBusInterface(
        "io.github.belfry.Turn",
        methods: [DBusMethod("Take") { _ in [] }]
    )

    /// Returns when every call that was received so far is answered, but for those that are held.
    ///
    /// A person sees a popup, and can click on it, when the server is done with the call that brought it;
    /// a test hears of that call while it is worked on. Calls are worked on one after the other, so this one
    /// of its own has its turn when those before it are done.
    private func answered() async throws {
        let turn = DBusMethodCall(
            destination: connection.uniqueName,
            path: Self.path,
            interface: Self.turnInterface.name,
            member: "Take",
            arguments: []
        )
        _ = try await connection.call(turn)
    }

    /// The same signal from a connection that does not own the name. It is on the bus when this returns.
    public func spoof(_ signal: NotificationSignal, for id: UInt32) async throws {
        let other: DBusConnection
        if let known = spoofer.withLock({ $0 }) {
            other = known
        } else {
            other = try await DBusConnection.open(address)
            spoofer.withLock { $0 = other }
        }
        try other.emit(signal.signal(for: id))
        // The bus answers in order: with its answer here, the signal has been passed on.
        _ = try await other.owner(of: Self.name)
    }
}
