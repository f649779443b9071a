// What is asked of a peer.

/// A call of a method.
public struct DBusMethodCall: Sendable {
    /// The bus name of who is asked, such as `org.freedesktop.Notifications`; nil is
    /// whoever is at the other end of the socket, for connections without a bus between.
    public var destination: String?
    /// The object there.
    public var path: String
    /// The interface of the method; without it the peer takes the first method of that name.
    public var interface: String?
    /// The name of the method.
    public var member: String
    public var arguments: [DBusValue]
    /// Whether the bus may start a program that provides `destination` when nobody has that name.
    /// Defaults to true.
    public var isAutoStarting = true
    /// Told of a successful answer that comes after the caller was told of a timeout, or was cancelled.
    /// Runs on the connection's queue, so it must not block. At most the 1,024 youngest such calls of a
    /// connection are remembered. Defaults to nil: a late answer is dropped.
    public var onLateReply: (@Sendable ([DBusValue]) -> Void)?

    public init(
        destination: String?,
        path: String,
        interface: String?,
        member: String,
        arguments: [DBusValue] = []
    ) {
        self.destination = destination
        self.path = path
        self.interface = interface
        self.member = member
        self.arguments = arguments
    }
}

extension DBusMethodCall {
    /// A call of the bus itself, `org.freedesktop.DBus`.
    static func bus(_ member: String, _ arguments: [DBusValue] = []) -> DBusMethodCall {
        DBusMethodCall(
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: member,
            arguments: arguments
        )
    }
}
