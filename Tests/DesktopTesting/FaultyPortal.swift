// Sandboxed programs show notifications through the desktop portal. This one records what it is asked for,
// and refuses when told to.

public import DBus

/// `org.freedesktop.portal.Desktop` with the interface `org.freedesktop.portal.Notification`, version 1.
public final class FaultyPortal: Sendable {
    public static let name = "org.freedesktop.portal.Desktop"
    public static let path = "/org/freedesktop/portal/desktop"
    public static let interface = "org.freedesktop.portal.Notification"

    /// One call as it came in.
    public enum Call: Sendable, Hashable {
        /// The notification's own values, their variants taken off, and the same with their exact types.
        case add(id: String, notification: [String: DBusValue], raw: DBusValue, sender: String)
        case remove(id: String, sender: String)
    }

    private struct State: Sendable {
        var calls: [Call] = []
        var visible: [String: [String: DBusValue]] = [:]
        var failure: DBusError?
    }

    /// What is at the bus: the connection that owns the name.
    public let connection: DBusConnection
    private let state: Watched<State>

    private init(connection: DBusConnection, state: Watched<State>) {
        self.connection = connection
        self.state = state
    }

    /// Takes the name on the bus and serves.
    public static func open(on address: DBusAddress) async throws -> FaultyPortal {
        let connection = try await DBusConnection.open(address)
        let state = Watched(State())
        try connection.export(DBusObject(interfaces: [portalInterface(state)]), at: path)
        try await connection.take(name)
        return FaultyPortal(connection: connection, state: state)
    }

    private static func portalInterface(_ state: Watched<State>) -> DBusInterface {
        DBusInterface(
            interface,
            methods: [
                DBusMethod(
                    "AddNotification",
                    in: [DBusArgument("id", "s"), DBusArgument("notification", "a{sv}")]
                ) { call in
                    let id = call.arguments[0].stringValue ?? ""
                    let content = call.arguments[1].dictionaryValue ?? [:]
                    try state.update { state in
                        state.calls.append(
                            .add(id: id, notification: content, raw: call.arguments[1], sender: call.sender)
                        )
                        if let failure = state.failure { throw failure }
                        state.visible[id] = content
                    }
                    return []
                },
                DBusMethod("RemoveNotification", in: [DBusArgument("id", "s")]) { call in
                    let id = call.arguments[0].stringValue ?? ""
                    state.update { state in
                        state.calls.append(.remove(id: id, sender: call.sender))
                        state.visible[id] = nil
                    }
                    return []
                },
            ],
            properties: [DBusProperty("version", "u", get: { .uint32(1) })],
            signals: [
                DBusSignalDescription(
                    "ActionInvoked",
                    arguments: [
                        DBusArgument("id", "s"), DBusArgument("action", "s"), DBusArgument("parameter", "av"),
                    ]
                )
            ]
        )
    }

    /// Every call so far, the refused ones too.
    public var calls: [Call] { state.value.calls }

    /// What a person would see now, by the caller's ids.
    public var visible: [String: [String: DBusValue]] { state.value.visible }

    /// What `AddNotification` answers; nil, as at first, is success.
    public var failure: DBusError? {
        get { state.value.failure }
        set { state.update { $0.failure = newValue } }
    }

    /// All calls that have come in, as soon as they are at least `count`.
    @discardableResult
    public func calls(count: Int) async throws -> [Call] {
        try await state.first("\(count) calls of the portal") { $0.calls.count >= count ? $0.calls : nil }
    }

    /// What a person sees, as soon as it `isWanted`.
    @discardableResult
    public func visible(
        where isWanted: @escaping @Sendable ([String: [String: DBusValue]]) -> Bool
    ) async throws -> [String: [String: DBusValue]] {
        try await state.first("the portal's popups") { isWanted($0.visible) ? $0.visible : nil }
    }

    /// A button is pressed; the popup goes with it, without a word, as the portal has it.
    ///
    /// - Parameter parameter: the action's target and, from newer portals, the activation token.
    public func invoke(_ id: String, _ action: String, parameter: [DBusValue] = []) throws {
        state.update { $0.visible[id] = nil }
        try connection.emit(
            DBusSignal(
                path: Self.path,
                interface: Self.interface,
                member: "ActionInvoked",
                arguments: [
                    .string(id), .string(action),
                    .array(of: "v", parameter.map { .variant($0) }),
                ]
            )
        )
    }

    /// Leaves the bus.
    public func close() async { await connection.close() }
}

extension DBusConnection {
    /// Takes a name that nobody may have.
    func take(_ name: String) async throws {
        guard try await requestName(name, flags: [.doNotQueue]) else {
            throw DesktopFault("\(name) is taken already")
        }
    }
}
