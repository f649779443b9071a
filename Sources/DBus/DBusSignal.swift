// What is told to whoever listens.

/// A signal, emitted or received.
public struct DBusSignal: Hashable, Sendable {
    /// The unique name of who sent it. Set on signals that were received; ignored on those emitted.
    public var sender: String?
    public var path: String
    public var interface: String
    public var member: String
    public var arguments: [DBusValue]

    public init(
        sender: String? = nil,
        path: String,
        interface: String,
        member: String,
        arguments: [DBusValue] = []
    ) {
        self.sender = sender
        self.path = path
        self.interface = interface
        self.member = member
        self.arguments = arguments
    }
}
