// Which of the ways to a person's popups a connection offers.

import BelfryCore
import DBus
import Glibc
import Logging

/// Chooses between the desktop's own server and the portal.
struct ServerChoice: Sendable {
    /// Whether this program runs in a sandbox, which reaches the portal alone.
    var isSandboxed: Bool
    var timeout: Duration
    var clock: any LeaseClock
    var logger: Logger

    /// Flatpak and Snap leave these marks.
    static func isSandboxed(environment: [String: String]) -> Bool {
        access("/.flatpak-info", F_OK) == 0 || environment["SNAP"] != nil
    }

    func server(on connection: DBusConnection) async -> any NotificationServer {
        let freedesktop = FreedesktopServer(connection, timeout: timeout, clock: clock, logger: logger)
        if !isSandboxed {
            let names = await names(connection)
            guard let names, !names.contains(FreedesktopServer.name), names.contains(PortalServer.name) else {
                return freedesktop
            }
        }
        guard await PortalServer.isThere(connection, timeout: timeout) else { return freedesktop }
        return PortalServer(connection, timeout: timeout)
    }

    /// Everything that is on the bus or can be started.
    private func names(_ connection: DBusConnection) async -> Set<String>? {
        var names: Set<String> = []
        for member in ["ListNames", "ListActivatableNames"] {
            let call = DBusMethodCall(
                destination: "org.freedesktop.DBus",
                path: "/org/freedesktop/DBus",
                interface: "org.freedesktop.DBus",
                member: member,
                arguments: []
            )
            guard let answer = try? await connection.call(call, timeout: timeout) else { return nil }
            names.formUnion(answer.first?.stringsValue ?? [])
        }
        return names
    }
}
