// What a program offers to others: objects with interfaces, described well enough that the module
// can check calls and answer Introspect by itself.

/// An object served to others.
///
/// Introspection, properties and `org.freedesktop.DBus.Peer` are answered by the connection.
public struct DBusObject: Sendable {
    public var interfaces: [DBusInterface]
    public init(interfaces: [DBusInterface]) { self.interfaces = interfaces }
}

/// One interface of an object.
public struct DBusInterface: Sendable {
    public var name: String
    public var methods: [DBusMethod]
    public var properties: [DBusProperty]
    public var signals: [DBusSignalDescription]

    public init(
        _ name: String,
        methods: [DBusMethod] = [],
        properties: [DBusProperty] = [],
        signals: [DBusSignalDescription] = []
    ) {
        self.name = name
        self.methods = methods
        self.properties = properties
        self.signals = signals
    }
}

/// The name and the type of an argument.
public struct DBusArgument: Hashable, Sendable {
    /// May be empty.
    public var name: String
    /// One complete type.
    public var signature: String

    public init(_ name: String, _ signature: String) {
        self.name = name
        self.signature = signature
    }
}

/// A method that others may call.
public struct DBusMethod: Sendable {
    public var name: String
    public var `in`: [DBusArgument]
    public var out: [DBusArgument]
    public var handler: @Sendable (DBusIncomingCall) async throws -> [DBusValue]

    /// - Parameters:
    ///   - in: what callers give. Other types are answered `InvalidArgs` without the handler.
    ///   - out: what the handler returns. Other types are answered `Failed`.
    ///   - handler: does the work. A ``DBusError`` that it throws is the answer; anything else is
    ///     answered `org.freedesktop.DBus.Error.Failed`. Its task is cancelled when the connection ends.
    public init(
        _ name: String,
        in arguments: [DBusArgument] = [],
        out: [DBusArgument] = [],
        handler: @escaping @Sendable (DBusIncomingCall) async throws -> [DBusValue]
    ) {
        self.name = name
        self.in = arguments
        self.out = out
        self.handler = handler
    }
}

/// A property that others may read, and perhaps write.
public struct DBusProperty: Sendable {
    public var name: String
    /// One complete type.
    public var signature: String
    public var get: @Sendable () async throws -> DBusValue
    /// nil: the property cannot be set.
    public var set: (@Sendable (DBusValue) async throws -> Void)?

    /// - Parameters:
    ///   - get: the value now. An error that it throws answers `Get`; `GetAll` leaves the property out.
    ///   - set: takes a value of the property's type, without the variant. Defaults to nil: read-only.
    public init(
        _ name: String,
        _ signature: String,
        get: @escaping @Sendable () async throws -> DBusValue,
        set: (@Sendable (DBusValue) async throws -> Void)? = nil
    ) {
        self.name = name
        self.signature = signature
        self.get = get
        self.set = set
    }
}

/// A signal that an object emits, for introspection.
public struct DBusSignalDescription: Hashable, Sendable {
    public var name: String
    public var arguments: [DBusArgument]

    public init(_ name: String, arguments: [DBusArgument] = []) {
        self.name = name
        self.arguments = arguments
    }
}

/// A call that arrived, its arguments of the types that the method has declared.
public struct DBusIncomingCall: Sendable {
    /// The unique name of the caller.
    public var sender: String
    public var path: String
    public var interface: String
    public var member: String
    public var arguments: [DBusValue]
}
