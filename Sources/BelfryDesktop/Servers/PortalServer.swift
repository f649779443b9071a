// Popups by `org.freedesktop.portal.Notification`, for a hub in a sandbox or a desktop that has only that.
//
// The portal takes names that the sender makes and answers nothing, so the ids here are ours. It has no
// bar, no replacing under another content's id and no word when a popup is dismissed; percent is in the text.

import BelfryCore
import DBus
import Synchronization

/// The desktop portal's notifications.
final class PortalServer: NotificationServer {
    static let name = "org.freedesktop.portal.Desktop"
    static let path = "/org/freedesktop/portal/desktop"
    static let interface = "org.freedesktop.portal.Notification"

    let signals: AsyncStream<ServerSignal>
    private let signal: AsyncStream<ServerSignal>.Continuation
    private let connection: DBusConnection
    private let timeout: Duration
    private let lastID = Atomic<UInt32>(0)
    private static let prefix = "belfry-"

    init(_ connection: DBusConnection, timeout: Duration) {
        self.connection = connection
        self.timeout = timeout
        (signals, signal) = AsyncStream.makeStream()
    }

    /// Whether the portal can show popups on this bus.
    static func isThere(_ connection: DBusConnection, timeout: Duration) async -> Bool {
        let version = DBusMethodCall(
            destination: name,
            path: path,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            arguments: [.string(interface), .string("version")]
        )
        return (try? await connection.call(version, timeout: timeout)) != nil
    }

    func run() async {
        defer { signal.finish() }
        let rule = DBusSignalRule(
            sender: Self.name,
            path: Self.path,
            interface: Self.interface,
            member: "ActionInvoked"
        )
        guard let clicks = try? await connection.signals(rule) else { return }
        // Its popups belong to the application, and the next hub's take the place of this one's.
        signal.yield(.changed(isPresent: true, life: nil))
        for await click in clicks { take(click) }
    }

    private func take(_ click: DBusSignal) {
        guard click.arguments.count == 3, let name = click.arguments[0].stringValue,
            name.hasPrefix(Self.prefix),
            let id = UInt32(name.dropFirst(Self.prefix.count)), let key = click.arguments[1].stringValue
        else { return }
        // Newer portals put the activation token into the platform data beside the target.
        let data = click.arguments[2].arrayValue?.compactMap { $0.unwrapped.dictionaryValue }.last
        if let token = data?["activation-token"]?.stringValue { signal.yield(.activationToken(id, token)) }
        signal.yield(.invoked(id, actionKey: key))
    }

    func notify(
        _ popup: Popup,
        replacing: UInt32,
        generation: Int,
        late: @escaping @Sendable (UInt32) -> Void
    ) async throws(NotifyError) -> UInt32 {
        let id = replacing == 0 ? lastID.add(1, ordering: .relaxed).newValue : replacing
        let arguments: [DBusValue] = [
            .string(Self.prefix + "\(id)"), .properties(Self.content(of: popup, generation: generation)),
        ]
        do {
            _ = try await connection.call(call("AddNotification", arguments), timeout: timeout)
            return id
        } catch { throw NotifyError(error, isOwnerWatched: false) }
    }

    private static func content(of popup: Popup, generation: Int) -> [(String, DBusValue)] {
        var content: [(String, DBusValue)] = [
            ("title", .string(popup.title)), ("body", .string(popup.body)),
            ("priority", .string(priority(popup.urgency))),
            ("icon", .structure([.string("themed"), .variant(.strings([icon(popup.sender)]))])),
        ]
        if popup.defaultButton != nil { content.append(("default-action", .string(PopupActionKey.default))) }
        let buttons = popup.buttons.prefix(FreedesktopMessage.maxButtons).map { button in
            DBusValue.properties([
                ("label", .string(button.label)),
                ("action", .string(PopupActionKey(button.action, generation: generation).description)),
            ])
        }
        if !buttons.isEmpty { content.append(("buttons", .array(of: "a{sv}", Array(buttons)))) }
        return content
    }

    /// The portal takes names only: a sandbox's paths mean nothing outside.
    private static func icon(_ sender: PopupSender) -> String {
        sender.icon.hasPrefix("/") ? "belfry" : sender.icon
    }

    private static func priority(_ urgency: PopupUrgency) -> String {
        switch urgency {
        case .low: "low"
        case .normal: "normal"
        case .critical: "urgent"
        }
    }

    func close(_ id: UInt32) {
        try? connection.send(call("RemoveNotification", [.string(Self.prefix + "\(id)")]))
    }

    func start() async -> Bool { await Self.isThere(connection, timeout: timeout) }

    func describe() async throws(NotifyError) -> ServerDescription {
        ServerDescription(
            name: "xdg-desktop-portal",
            vendor: "freedesktop.org",
            version: "",
            specification: "portal",
            capabilities: ["actions", "body"]
        )
    }

    func flush() async { await connection.flush() }

    private func call(_ member: String, _ arguments: [DBusValue]) -> DBusMethodCall {
        DBusMethodCall(
            destination: Self.name,
            path: Self.path,
            interface: Self.interface,
            member: member,
            arguments: arguments
        )
    }
}
