// What objects say of themselves, as values. The XML that carries it is read and written beside.

/// The interfaces of an object and the names of its children.
public struct DBusIntrospection: Hashable, Sendable {
    public struct Interface: Hashable, Sendable {
        public var name: String
        public var methods: [Method]
        public var signals: [DBusSignalDescription]
        public var properties: [Property]

        public init(
            _ name: String,
            methods: [Method] = [],
            signals: [DBusSignalDescription] = [],
            properties: [Property] = []
        ) {
            self.name = name
            self.methods = methods
            self.signals = signals
            self.properties = properties
        }
    }

    public struct Method: Hashable, Sendable {
        public var name: String
        public var `in`: [DBusArgument]
        public var out: [DBusArgument]

        public init(_ name: String, in arguments: [DBusArgument] = [], out: [DBusArgument] = []) {
            self.name = name
            self.in = arguments
            self.out = out
        }
    }

    public struct Property: Hashable, Sendable {
        /// Whether a property may be read, written or both.
        public enum Access: String, Hashable, Sendable { case read, write, readwrite }

        public var name: String
        public var signature: String
        public var access: Access

        /// - Parameter access: defaults to reading only.
        public init(_ name: String, _ signature: String, access: Access = .read) {
            self.name = name
            self.signature = signature
            self.access = access
        }
    }

    public var interfaces: [Interface]
    /// The names of the objects right below this one, relative to it.
    public var children: [String]

    public init(interfaces: [Interface] = [], children: [String] = []) {
        self.interfaces = interfaces
        self.children = children
    }
}

extension DBusIntrospection {
    /// What an object that is served here says, with the interfaces that the connection adds.
    init(of object: DBusObject, children: [String]) {
        self.init(interfaces: StandardInterface.descriptions, children: children)
        interfaces += object.interfaces.map { interface in
            Interface(
                interface.name,
                methods: interface.methods.map { Method($0.name, in: $0.in, out: $0.out) },
                signals: interface.signals,
                properties: interface.properties.map {
                    Property($0.name, $0.signature, access: $0.set == nil ? .read : .readwrite)
                }
            )
        }
    }
}
