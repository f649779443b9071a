// Programs say that they are ready by taking a name at the bus, and that they are gone by losing it. Both are
// signals, so nobody needs to look again and again.

public import DBus

extension DBusConnection {
    /// Returns as soon as somebody owns `name`: its unique name.
    ///
    /// - Parameter other: an owner that does not count, such as the one before.
    /// - Throws: ``WaitedInVain``, `DBusError`.
    @discardableResult
    public func untilOwned(
        _ name: String,
        otherThan other: String? = nil,
        within patience: Duration = patience
    ) async throws -> String {
        let owner = try await untilOwner(of: name, within: patience) { $0 != nil && $0 != other }
        guard let owner else { throw DesktopFault("\(name) has no owner") }
        return owner
    }

    /// Returns as soon as nobody owns `name`.
    public func untilUnowned(_ name: String, within patience: Duration = patience) async throws {
        _ = try await untilOwner(of: name, within: patience) { $0 == nil }
    }

    private func untilOwner(
        of name: String,
        within patience: Duration,
        isWanted: @escaping @Sendable (String?) -> Bool
    ) async throws -> String? {
        try await withDeadline(patience, WaitedInVain("an owner of \(name)", seen: "none, or the old one")) {
            let changes = try await self.signals(
                DBusSignalRule(
                    sender: "org.freedesktop.DBus",
                    interface: "org.freedesktop.DBus",
                    member: "NameOwnerChanged",
                    argument0: name
                )
            )
            let owner = try await self.owner(of: name)
            if isWanted(owner) { return owner }
            for await change in changes {
                let text = change.arguments.last?.stringValue ?? ""
                let owner = text.isEmpty ? nil : text
                if isWanted(owner) { return owner }
            }
            throw DBusError(
                name: DBusError.disconnected,
                message: "the bus went while \(name) was waited for"
            )
        }
    }
}
