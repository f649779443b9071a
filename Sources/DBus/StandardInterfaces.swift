// What every object answers without its author's doing: introspection and properties. Ping and machine id
// (org.freedesktop.DBus.Peer) are answered by libdbus.

/// A call of an interface that the connection serves itself.
enum StandardInterface {
    case introspect
    case property(PropertyAccess)

    static let introspectable = "org.freedesktop.DBus.Introspectable"
    static let properties = "org.freedesktop.DBus.Properties"
    static let peer = "org.freedesktop.DBus.Peer"
    static let names: Set<String> = [introspectable, properties, peer]

    /// nil when it is none, or an interface that has no such method.
    init?(_ incoming: Incoming) {
        switch (incoming.interface, incoming.member) {
        case (Self.introspectable?, "Introspect"), (nil, "Introspect"): self = .introspect
        case (Self.properties?, let member), (nil, let member):
            guard let access = PropertyAccess(rawValue: member) else { return nil }
            self = .property(access)
        default: return nil
        }
    }

    /// What introspection says of them.
    static let descriptions: [DBusIntrospection.Interface] = [
        DBusIntrospection.Interface(
            introspectable,
            methods: [DBusIntrospection.Method("Introspect", out: [DBusArgument("xml_data", "s")])]
        ),
        DBusIntrospection.Interface(
            peer,
            methods: [
                DBusIntrospection.Method("Ping"),
                DBusIntrospection.Method("GetMachineId", out: [DBusArgument("machine_uuid", "s")]),
            ]
        ),
        DBusIntrospection.Interface(
            properties,
            methods: [
                DBusIntrospection.Method("Get", in: named, out: [DBusArgument("value", "v")]),
                DBusIntrospection.Method("Set", in: named + [DBusArgument("value", "v")]),
                DBusIntrospection.Method(
                    "GetAll",
                    in: [named[0]],
                    out: [DBusArgument("properties", "a{sv}")]
                ),
            ],
            signals: [
                DBusSignalDescription(
                    "PropertiesChanged",
                    arguments: [
                        named[0], DBusArgument("changed_properties", "a{sv}"),
                        DBusArgument("invalidated_properties", "as"),
                    ]
                )
            ]
        ),
    ]

    private static let named = [DBusArgument("interface_name", "s"), DBusArgument("property_name", "s")]
}

/// The methods of `org.freedesktop.DBus.Properties`.
enum PropertyAccess: String {
    case get = "Get"
    case set = "Set"
    case getAll = "GetAll"

    /// The signature of the answer.
    var output: String {
        switch self {
        case .get: "v"
        case .set: ""
        case .getAll: "a{sv}"
        }
    }

    /// What is to be done, with the call's arguments checked.
    func work(_ incoming: Incoming, _ object: ServedObject) throws -> ObjectServer.Work {
        switch self {
        case .get:
            let property = try Self.property(incoming.arguments("ss"), object)
            return { [.variant(try await property.get())] }
        case .set: return try Self.setting(incoming.arguments("ssv"), object)
        case .getAll:
            let name = try incoming.arguments("s")[0].stringValue ?? ""
            let properties = try Self.interface(name, object)?.properties ?? []
            return { [.properties(await Self.values(properties))] }
        }
    }

    private static func setting(_ arguments: [DBusValue], _ object: ServedObject) throws -> ObjectServer.Work
    {
        let property = try property(arguments, object)
        guard let set = property.set else {
            throw DBusError(name: DBusError.propertyReadOnly, message: "\(property.name) cannot be set.")
        }
        guard case .variant(let value) = arguments[2], value.hasSignature(property.signature) else {
            throw DBusError.invalid("\(property.name) is of type “\(property.signature)”.")
        }
        return {
            try await set(value)
            return []
        }
    }

    private static func values(_ properties: [DBusProperty]) async -> [(String, DBusValue)] {
        var values: [(String, DBusValue)] = []
        for property in properties {
            if let value = try? await property.get() { values.append((property.name, value)) }
        }
        return values
    }

    private static func property(_ arguments: [DBusValue], _ object: ServedObject) throws -> DBusProperty {
        let name = arguments[1].stringValue ?? ""
        let interface = try interface(arguments[0].stringValue ?? "", object)
        let interfaces = interface.map { [$0] } ?? object.object.interfaces
        guard let property = interfaces.flatMap(\.properties).first(where: { $0.name == name }) else {
            throw DBusError(name: DBusError.unknownProperty, message: "There is no property \(name).")
        }
        return property
    }

    /// nil for the empty name, by which callers mean any interface.
    private static func interface(_ name: String, _ object: ServedObject) throws -> DBusInterface? {
        if name.isEmpty { return nil }
        if let interface = object.interface(name) { return interface }
        if StandardInterface.names.contains(name) { return DBusInterface(name) }
        throw DBusError(name: DBusError.unknownInterface, message: "There is no interface \(name).")
    }
}
