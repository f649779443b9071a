// Objects that we serve: properties, introspection, life.

import BusTesting
import Synchronization
import Testing

@testable import DBus

@Suite("Objects", .timeLimit(.minutes(1)))
struct ObjectTests {
    private static let properties = "org.freedesktop.DBus.Properties"

    private func pair() async throws -> Pair {
        let pair = try await Pair()
        let volume = Inbox<UInt32>()
        try pair.serve(
            [.echo("s")],
            properties: [
                DBusProperty("Name", "s", get: { .string("belfry") }),
                DBusProperty(
                    "Volume",
                    "u",
                    get: { .uint32(volume.all.last ?? 0) },
                    set: { volume.put($0.uint32Value ?? 0) }
                ),
                DBusProperty(
                    "Broken",
                    "u",
                    get: { throw DBusError(name: DBusError.accessDenied, message: "no") }
                ),
            ],
            signals: [DBusSignalDescription("Rang", arguments: [DBusArgument("times", "u")])]
        )
        return pair
    }

    private func property(_ pair: Pair, _ member: String, _ arguments: [DBusValue]) async throws
        -> [DBusValue]
    {
        var call = pair.makeCall(member, arguments)
        call.interface = Self.properties
        return try await pair.client.call(call)
    }

    @Test("properties are read and set, one or all")
    func properties() async throws {
        let pair = try await pair()
        let interface = DBusValue.string(Pair.interface)
        #expect(
            try await property(pair, "Get", [interface, .string("Name")]) == [.variant(.string("belfry"))]
        )
        #expect(
            try await property(pair, "Get", [.string(""), .string("Name")]) == [.variant(.string("belfry"))]
        )
        #expect(try await property(pair, "Set", [interface, .string("Volume"), .variant(.uint32(7))]) == [])
        #expect(
            try await property(pair, "GetAll", [interface])
                == [.properties([("Name", .string("belfry")), ("Volume", .uint32(7))])]
        )
    }

    @Test("what cannot be read or set says why")
    func propertyErrors() async throws {
        let pair = try await pair()
        let interface = DBusValue.string(Pair.interface)
        func name(_ member: String, _ arguments: [DBusValue]) async throws -> String {
            try await dbusError { try await property(pair, member, arguments) }.name
        }
        #expect(try await name("Get", [interface, .string("Broken")]) == DBusError.accessDenied)
        #expect(try await name("Get", [interface, .string("Other")]) == DBusError.unknownProperty)
        #expect(
            try await name("Get", [.string("org.example.No"), .string("Name")]) == DBusError.unknownInterface
        )
        #expect(try await name("Get", [interface]) == DBusError.invalidArgs)
        #expect(
            try await name("Set", [interface, .string("Name"), .variant(.string(""))])
                == DBusError.propertyReadOnly
        )
        #expect(
            try await name("Set", [interface, .string("Volume"), .variant(.string(""))])
                == DBusError.invalidArgs
        )
    }

    @Test("introspection leads from the root to the object and says what it has")
    func introspection() async throws {
        let pair = try await pair()
        func introspect(_ path: String) async throws -> DBusIntrospection {
            let call = DBusMethodCall(
                destination: pair.server.uniqueName,
                path: path,
                interface: "org.freedesktop.DBus.Introspectable",
                member: "Introspect"
            )
            return try DBusIntrospection(xml: try await pair.client.call(call).first?.stringValue ?? "")
        }
        #expect(try await introspect("/") == DBusIntrospection(children: ["org"]))
        #expect(try await introspect("/org/example") == DBusIntrospection(children: ["Object"]))
        let object = try await introspect(Pair.path)
        #expect(
            object.interfaces.last
                == DBusIntrospection.Interface(
                    Pair.interface,
                    methods: [
                        DBusIntrospection.Method(
                            "Echo",
                            in: [DBusArgument("value", "s")],
                            out: [DBusArgument("value", "s")]
                        )
                    ],
                    signals: [DBusSignalDescription("Rang", arguments: [DBusArgument("times", "u")])],
                    properties: [
                        DBusIntrospection.Property("Name", "s"),
                        DBusIntrospection.Property("Volume", "u", access: .readwrite),
                        DBusIntrospection.Property("Broken", "u"),
                    ]
                )
        )
        #expect(object.interfaces.map(\.name).contains("org.freedesktop.DBus.Peer"))
        let elsewhere = try await dbusError { try await introspect("/elsewhere") }
        #expect(elsewhere.name == DBusError.unknownObject)
    }

    @Test("gdbus reads our introspection, we read the bus's")
    func foreignIntrospection() async throws {
        let pair = try await pair()
        let result = try await pair.bus.run(
            "gdbus",
            "introspect",
            "--session",
            "--dest",
            pair.server.uniqueName,
            "--object-path",
            Pair.path
        )
        #expect(result.output.contains("Echo(in  s value,\n           out s value);"))
        #expect(result.output.contains("readwrite u Volume"))
        // Introspecting, gdbus waits three seconds for a value and shows the property without it on a
        // busier machine; a call has a time of its own.
        let value = try await pair.bus.run(
            "gdbus",
            "call",
            "--session",
            "--timeout",
            "50",
            "--dest",
            pair.server.uniqueName,
            "--object-path",
            Pair.path,
            "--method",
            Self.properties + ".Get",
            Pair.interface,
            "Volume"
        )
        #expect(value.output == "(<uint32 0>,)\n")
        let answer = try await pair.client.call(
            DBusMethodCall(
                destination: "org.freedesktop.DBus",
                path: "/org/freedesktop/DBus",
                interface: "org.freedesktop.DBus.Introspectable",
                member: "Introspect"
            )
        )
        let bus = try DBusIntrospection(xml: answer.first?.stringValue ?? "")
        let interface = bus.interfaces.first { $0.name == "org.freedesktop.DBus" }
        #expect(interface?.methods.contains { $0.name == "Hello" && $0.out.first?.signature == "s" } == true)
        #expect(
            interface?.signals.contains { $0.name == "NameOwnerChanged" && $0.arguments.count == 3 } == true
        )
    }

    @Test("Ping and the machine's id are answered")
    func peer() async throws {
        let pair = try await pair()
        var call = pair.makeCall("Ping")
        call.interface = "org.freedesktop.DBus.Peer"
        #expect(try await pair.client.call(call) == [])
        call.path = "/anywhere"
        #expect(try await pair.client.call(call) == [])
    }

    @Test("a path has one object, and none after it is unexported")
    func life() async throws {
        let pair = try await pair()
        #expect(throws: DBusError.self) { try pair.serve([]) }
        pair.server.unexport(Pair.path)
        let error = try await dbusError { try await pair.call("Echo", [.string("")]) }
        #expect(error.name == DBusError.unknownObject)
        try pair.serve([.echo("s")])
        #expect(try await pair.call("Echo", [.string("again")]) == [.string("again")])
    }

    @Test("what cannot be exported is an error that names the fault")
    func badObjects() async throws {
        let pair = try await Pair()
        let bad = [
            DBusInterface("nodot"), DBusInterface("org.freedesktop.DBus.Peer"),
            DBusInterface("a.b", methods: [DBusMethod("a.b") { _ in [] }]),
            DBusInterface("a.b", methods: [DBusMethod("A", in: [DBusArgument("", "ss")]) { _ in [] }]),
            DBusInterface("a.b", properties: [DBusProperty("A", "", get: { .byte(0) })]),
            DBusInterface("a.b", signals: [DBusSignalDescription("S", arguments: [DBusArgument("", "a")])]),
        ]
        for interface in bad {
            let object = DBusObject(interfaces: [interface])
            #expect(throws: DBusError.self) { try pair.server.export(object, at: "/bad") }
        }
        #expect(throws: DBusError.self) { try pair.server.export(DBusObject(interfaces: []), at: "bad") }
    }

    @Test("an object that comes while the connection ends is refused, not held for ever")
    func tooLate() throws {
        let exports = Exports()
        let object = ServedObject(DBusObject(interfaces: []))
        try exports.add(object, at: "/before")
        exports.end()
        let error = #expect(throws: DBusError.self) { try exports.add(object, at: "/after") }
        #expect(error?.isDisconnect == true)
        #expect(exports.object(at: "/before") == nil)
    }

    @Test("more calls than a server works on at once are refused, not kept")
    func flood() async throws {
        let pair = try await Pair()
        let leave = Gate()
        try pair.serve([.gated(Gate(), leave)])
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<1025 {
                group.addTask {
                    do { return try await pair.call("Wait") != [.boolean(true)] } catch {
                        return (error as? DBusError)?.name == DBusError.limitsExceeded
                    }
                }
            }
            // The refusal is the first to come back; then the others may.
            let first = await group.next()
            leave.open()
            return await group.reduce(into: first == true ? 1 : 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(refused == 1)
    }
}
