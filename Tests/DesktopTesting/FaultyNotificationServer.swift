// The faults of notification servers that no real server shows on demand: new ids, hangs, late replies,
// refusals, spoofed signals, an owner swapped without a gap. And a record of every call with its exact types.

public import DBus
import Synchronization

/// An `org.freedesktop.Notifications` server whose behaviour a test sets while it runs.
///
/// Without any fault it behaves as a strict server that keeps ids: it refuses a call with a hint of a wrong
/// type, and closes with the signals that the specification asks for.
public final class FaultyNotificationServer: Sendable {
    public static let name = "org.freedesktop.Notifications"
    public static let path = "/org/freedesktop/Notifications"

    /// The methods, to say which of them hang.
    public enum Method: Sendable, Hashable, CaseIterable {
        case notify, closeNotification, getCapabilities, getServerInformation
    }

    /// What most servers can do: GNOME's and KDE's have these and a few more.
    public static let usualCapabilities = [
        "actions", "body", "body-markup", "icon-static", "persistence", "sound",
    ]

    /// Everything that has come in and everything that has been set.
    struct State: Sendable, CustomStringConvertible {
        var notifications: [ReceivedNotification] = []
        var closed: [UInt32] = []
        var calls: [Method: Int] = [:]
        var refused: [DBusError] = []
        var visible: [UInt32: ReceivedNotification] = [:]
        var lastID: UInt32 = 0
        var faults = Faults()

        var description: String {
            let lines = notifications.map {
                "Notify(\($0.replacesID)) '\($0.summary)' '\($0.body)' → \($0.answer)"
            }
            return (lines + ["closed \(closed)", "visible \(visible.keys.sorted())", "refused \(refused)"])
                .joined(separator: "; ")
        }
    }

    /// What is at the bus: the connection that owns the name.
    public let connection: DBusConnection
    let address: DBusAddress
    let state: Watched<State>
    let spoofer = Mutex<DBusConnection?>(nil)

    private init(connection: DBusConnection, address: DBusAddress, state: Watched<State>) {
        self.connection = connection
        self.address = address
        self.state = state
    }

    /// Takes the name on the bus and serves.
    ///
    /// - Parameters:
    ///   - capabilities: what it says it can do. Defaults to ``usualCapabilities``.
    ///   - replacing: whether to take the name from the server that owns it.
    /// - Throws: ``DesktopFault`` when the name is taken, `DBusError`.
    public static func open(
        on address: DBusAddress,
        capabilities: [String] = usualCapabilities,
        replacing: Bool = false
    ) async throws -> FaultyNotificationServer {
        let connection = try await DBusConnection.open(address)
        let state = Watched(State())
        state.update { $0.faults.capabilities = capabilities }
        let server = FaultyNotificationServer(connection: connection, address: address, state: state)
        try connection.export(
            DBusObject(interfaces: [
                serverInterface(state, emit: { [weak connection] in try connection?.emit($0) }),
                turnInterface,
            ]),
            at: path
        )
        var flags: DBusNameFlags = [.allowReplacement, .doNotQueue]
        if replacing { flags.insert(.replaceExisting) }
        guard try await connection.requestName(name, flags: flags) else {
            throw DesktopFault("\(name) is taken already")
        }
        return server
    }

    // MARK: What has come in

    /// Every `Notify` so far, the refused ones too, in the order of arrival.
    public var notifications: [ReceivedNotification] { state.value.notifications }

    /// The ids of every `CloseNotification` so far.
    public var closedIDs: [UInt32] { state.value.closed }

    /// How often each method was called.
    public func count(of method: Method) -> Int { state.value.calls[method, default: 0] }

    /// Why calls were refused as wrong: wrong types of hints, an odd list of actions. Faults that a test
    /// asked for are not among them.
    public var refused: [DBusError] { state.value.refused }

    /// What a person would see now, by id.
    public var visible: [UInt32: ReceivedNotification] { state.value.visible }

    // MARK: Waiting for it

    /// The first `Notify`, already received or later, that `isWanted`.
    ///
    /// - Parameter index: calls before this index do not count. Defaults to 0.
    @discardableResult
    public func notification(
        from index: Int = 0,
        _ what: String = "a notification",
        where isWanted: @escaping @Sendable (ReceivedNotification) -> Bool = { _ in true }
    ) async throws -> ReceivedNotification {
        try await state.first(what) { $0.notifications.dropFirst(index).first(where: isWanted) }
    }

    /// All that have come in, as soon as they are at least `count`.
    @discardableResult
    public func notifications(count: Int) async throws -> [ReceivedNotification] {
        try await state.first("\(count) notifications") {
            $0.notifications.count >= count ? $0.notifications : nil
        }
    }

    /// Returns when `CloseNotification` for this id has been received.
    public func closed(_ id: UInt32) async throws {
        try await state.first("CloseNotification(\(id))") { $0.closed.contains(id) ? () : nil }
    }

    /// What a person sees, as soon as it `isWanted`.
    @discardableResult
    public func visible(
        _ what: String = "the popups that are open",
        where isWanted: @escaping @Sendable ([UInt32: ReceivedNotification]) -> Bool
    ) async throws -> [UInt32: ReceivedNotification] {
        try await state.first(what) { isWanted($0.visible) ? $0.visible : nil }
    }

    /// Returns when a method has been called at least `count` times.
    public func calls(of method: Method, count: Int) async throws {
        try await state.first("\(count) calls of \(method)") {
            $0.calls[method, default: 0] >= count ? () : nil
        }
    }

    // MARK: The end

    /// Gives the name up and goes on serving calls to its unique name: what a server that is about to quit
    /// does.
    public func releaseName() async throws { try await connection.releaseName(Self.name) }

    /// Leaves the bus, as a server that crashes: calls that are held are never answered. The name is free when
    /// this returns.
    public func vanish() async {
        let witness = try? await DBusConnection.open(address)
        await connection.close()
        release()
        while let witness, (try? await witness.owner(of: Self.name)) == connection.uniqueName {}
        await witness?.close()
        await spoofer.withLock { $0 }?.close()
    }

    /// A second server takes the name over, with no moment in between without an owner. This one stays on
    /// the bus and can still send its signals, which nobody must heed any more.
    public func swapOwner(capabilities: [String]? = nil) async throws -> FaultyNotificationServer {
        try await Self.open(
            on: address,
            capabilities: capabilities ?? state.value.faults.capabilities,
            replacing: true
        )
    }
}
