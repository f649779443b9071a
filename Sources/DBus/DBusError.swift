// Errors as D-Bus has them: a name that programs match and a sentence for people.

/// An error of a peer, of the bus or of this side of the connection.
public struct DBusError: Error, Hashable, Sendable {
    /// What went wrong, such as `org.freedesktop.DBus.Error.NoReply`.
    public var name: String
    /// A sentence for people; may be empty when a peer gave none.
    public var message: String

    public init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    /// True when the connection itself is gone.
    public var isDisconnect: Bool { name == Self.disconnected }
}

extension DBusError: CustomStringConvertible {
    public var description: String { message.isEmpty ? name : "\(message) (\(name))" }
}

/// Names that the bus and libraries agree on.
extension DBusError {
    /// Nobody answered in time; the message may have had its effect.
    public static let noReply = "org.freedesktop.DBus.Error.NoReply"
    /// Connecting took too long.
    public static let timedOut = "org.freedesktop.DBus.Error.TimedOut"
    /// The connection is lost or closed.
    public static let disconnected = "org.freedesktop.DBus.Error.Disconnected"
    /// Nobody has the name, and nothing could be started that takes it.
    public static let serviceUnknown = "org.freedesktop.DBus.Error.ServiceUnknown"
    /// Nobody has the name.
    public static let nameHasNoOwner = "org.freedesktop.DBus.Error.NameHasNoOwner"
    /// The interface has no such method.
    public static let unknownMethod = "org.freedesktop.DBus.Error.UnknownMethod"
    /// There is no object at the path.
    public static let unknownObject = "org.freedesktop.DBus.Error.UnknownObject"
    /// The object has no such interface.
    public static let unknownInterface = "org.freedesktop.DBus.Error.UnknownInterface"
    /// The interface has no such property.
    public static let unknownProperty = "org.freedesktop.DBus.Error.UnknownProperty"
    /// The property cannot be set.
    public static let propertyReadOnly = "org.freedesktop.DBus.Error.PropertyReadOnly"
    /// An argument, name, path or signature is not what it must be.
    public static let invalidArgs = "org.freedesktop.DBus.Error.InvalidArgs"
    /// Anything else.
    public static let failed = "org.freedesktop.DBus.Error.Failed"
    /// Too large, too many, too deep.
    public static let limitsExceeded = "org.freedesktop.DBus.Error.LimitsExceeded"
    /// The policy of the bus or a peer forbids it.
    public static let accessDenied = "org.freedesktop.DBus.Error.AccessDenied"
    /// There is no bus at the address.
    public static let noServer = "org.freedesktop.DBus.Error.NoServer"
    /// An object is exported there already.
    public static let objectPathInUse = "org.freedesktop.DBus.Error.ObjectPathInUse"

    static func invalid(_ message: String) -> DBusError { DBusError(name: invalidArgs, message: message) }
    static func tooLarge(_ message: String) -> DBusError { DBusError(name: limitsExceeded, message: message) }
    static let closed = DBusError(name: disconnected, message: "The connection to the bus is closed.")
    static let lost = DBusError(name: disconnected, message: "The connection to the bus was lost.")
}
