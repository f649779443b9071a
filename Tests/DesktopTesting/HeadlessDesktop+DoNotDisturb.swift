// The servers' own do-not-disturb, which real desktops have and the specification does not.

import DBus

extension HeadlessDesktop {
    /// Turns the server's do-not-disturb on or off, as its own settings do. What is sent afterwards meets the
    /// new state.
    ///
    /// dunst keeps what comes meanwhile and shows it afterwards, xfce4-notifyd drops it. The window that dunst
    /// 1.9 opens afterwards is now and then mapped and left black until the next event: wait for the window
    /// by ``popups(count:)``, not for its pixels.
    ///
    /// - Throws: ``DesktopFault`` for a server that has none.
    public func setDoNotDisturb(_ isOn: Bool) async throws {
        switch server.kind {
        case .none, .notificationDaemon: throw DesktopFault("this server has no do-not-disturb")
        case .dunst: try await pauseDunst(isOn)
        case .xfce: try await silenceXfce(isOn)
        }
    }

    private func pauseDunst(_ isOn: Bool) async throws {
        _ = try await connection().call(
            DBusMethodCall(
                destination: FaultyNotificationServer.name,
                path: FaultyNotificationServer.path,
                interface: "org.freedesktop.DBus.Properties",
                member: "Set",
                arguments: [.string("org.dunstproject.cmd0"), .string("paused"), .variant(.boolean(isOn))]
            )
        )
    }

    /// The setting is xfconfd's, and the server learns it by a signal. When that signal is here, it is on its
    /// way to the server too, ahead of anything that is sent from now on.
    private func silenceXfce(_ isOn: Bool) async throws {
        let connection = try await connection()
        let setting: [DBusValue] = [.string("xfce4-notifyd"), .string("/do-not-disturb")]
        func xfconf(_ member: String, _ arguments: [DBusValue]) async throws -> [DBusValue] {
            try await connection.call(
                DBusMethodCall(
                    destination: "org.xfce.Xfconf",
                    path: "/org/xfce/Xfconf",
                    interface: "org.xfce.Xfconf",
                    member: member,
                    arguments: arguments
                )
            )
        }
        // Never set is an error, and off.
        let old = try? await xfconf("GetProperty", setting).first?.booleanValue
        guard (old ?? false) != isOn else { return }
        let changes = try await connection.signals(
            DBusSignalRule(sender: "org.xfce.Xfconf", member: "PropertyChanged", argument0: "xfce4-notifyd")
        )
        _ = try await xfconf("SetProperty", setting + [.variant(.boolean(isOn))])
        try await withDeadline(patience, WaitedInVain("xfconfd's word of do-not-disturb", seen: "none")) {
            for await change in changes
            where change.arguments.dropFirst().first?.stringValue == "/do-not-disturb" { return }
        }
    }
}
