// Which signals a listener wants, for the bus as text and for us as a test.

/// What signals to take; a part that is nil matches anything.
public struct DBusSignalRule: Hashable, Sendable {
    /// A unique name or a well-known one. For a well-known name only signals from its owner of that
    /// moment pass: the connection follows the changes of the owner by itself.
    public var sender: String?
    public var path: String?
    public var interface: String?
    public var member: String?
    /// The first argument, when it is a string.
    public var argument0: String?

    public init(
        sender: String? = nil,
        path: String? = nil,
        interface: String? = nil,
        member: String? = nil,
        argument0: String? = nil
    ) {
        self.sender = sender
        self.path = path
        self.interface = interface
        self.member = member
        self.argument0 = argument0
    }
}
