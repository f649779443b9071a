// A rule as the bus reads it, and as we test signals with it.

extension DBusSignalRule {
    /// The well-known name whose owner has to be followed.
    var followedName: String? {
        guard let sender, !NameRules.isUnique(sender), sender != "org.freedesktop.DBus" else { return nil }
        return sender
    }

    static func ownerChanges(of name: String) -> DBusSignalRule {
        DBusSignalRule(
            sender: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "NameOwnerChanged",
            argument0: name
        )
    }

    /// - Throws: ``DBusError`` that names the part that is wrong.
    func check() throws {
        if let sender { try NameRules.checkBusName(sender) }
        if let path { try NameRules.checkPath(path) }
        if let interface { try NameRules.checkInterface(interface) }
        if let member { try NameRules.checkMember(member) }
        if let argument0 { try MessageEncoder.check(argument0) }
    }

    /// The match rule in the words of the bus.
    var text: String {
        var text = "type='signal'"
        if let sender { text += ",sender='\(sender)'" }
        if let path { text += ",path='\(path)'" }
        if let interface { text += ",interface='\(interface)'" }
        if let member { text += ",member='\(member)'" }
        if let argument0 { text += ",arg0='\(Self.escaped(argument0))'" }
        return text
    }

    func takesHeader(of signal: DBusSignal) -> Bool {
        (member == nil || member == signal.member) && (interface == nil || interface == signal.interface)
            && (path == nil || path == signal.path)
    }

    func takesArguments(of signal: DBusSignal) -> Bool {
        guard let argument0 else { return true }
        return signal.arguments.first == .string(argument0)
    }

    /// Within quotes an apostrophe ends them, is written outside of them, and begins them again.
    private static func escaped(_ text: String) -> String {
        text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#)
    }
}
