// Every type, there and back, over a real bus and through other people's programs.

import BusTesting
import DBus
import Glibc
import Testing

/// Python's library gives a boolean back as what it got, but makes its own of these.
private let hasPython = access("/usr/lib/python3/dist-packages/dbus", F_OK) == 0

@Suite("Values", .timeLimit(.minutes(1)))
struct ValueTests {
    @Test("every type comes back as it went")
    func roundTrip() async throws {
        let pair = try await Pair()
        for sample in samples {
            let path = "/sample"
            let interface = DBusInterface(Pair.interface, methods: [.echo(sample.signature)])
            try pair.server.export(DBusObject(interfaces: [interface]), at: path)
            var call = pair.makeCall("Echo", [sample])
            call.path = path
            #expect(try await pair.client.call(call) == [sample])
            pair.server.unexport(path)
        }
    }

    @Test("every type comes back from Python as it went", .enabled(if: hasPython))
    func python() async throws {
        let bus = try await PrivateBus()
        let program = try await ServingProgram(["/usr/bin/python3", echoScript], on: bus)
        let client = try await DBusConnection.open(bus.address)
        for sample in samples where !sample.isVariant {
            let answer = try await client.call(pythonCall("Echo", [.variant(sample)]))
            #expect(answer == [.variant(sample)])
        }
        withExtendedLifetime(program) {}
    }

    @Test("an error of a Python object has its name and its message", .enabled(if: hasPython))
    func pythonError() async throws {
        let bus = try await PrivateBus()
        let program = try await ServingProgram(["/usr/bin/python3", echoScript], on: bus)
        let client = try await DBusConnection.open(bus.address)
        let error = try await dbusError { try await client.call(pythonCall("Fail")) }
        #expect(error == DBusError(name: "org.example.Error.Broken", message: "It does not work."))
        withExtendedLifetime(program) {}
    }

    @Test("a call starts the program that provides the name, unless it says not to", .enabled(if: hasPython))
    func activation() async throws {
        let bus = try await PrivateBus(services: ["org.example.Python": "/usr/bin/python3 \(echoScript)"])
        let client = try await DBusConnection.open(bus.address)
        var quiet = pythonCall("Echo", [.variant(.byte(1))])
        quiet.isAutoStarting = false
        let refusal = quiet
        let error = try await dbusError { try await client.call(refusal) }
        #expect([DBusError.serviceUnknown, DBusError.nameHasNoOwner].contains(error.name))
        let answer = try await client.call(pythonCall("Echo", [.variant(.byte(1))]), timeout: .seconds(50))
        #expect(answer == [.variant(.byte(1))])
    }

    @Test("gdbus and busctl call our objects")
    func foreignClients() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("a{sv}")])
        let gdbus = try await pair.bus.run(
            "gdbus",
            "call",
            "--session",
            "--dest",
            pair.server.uniqueName,
            "--object-path",
            Pair.path,
            "--method",
            "\(Pair.interface).Echo",
            "{'a': <uint32 7>, 'b': <['x']>}"
        )
        #expect(gdbus.output == "({'a': <uint32 7>, 'b': <['x']>},)\n")
        let busctl = try await pair.bus.run(
            "busctl",
            "--address=\(pair.bus.addressText)",
            "call",
            pair.server.uniqueName,
            Pair.path,
            Pair.interface,
            "Echo",
            "a{sv}",
            "1",
            "k",
            "d",
            "1.5"
        )
        #expect(busctl.output == "a{sv} 1 \"k\" d 1.5\n")
    }

    @Test("64 containers within each other pass; 65 are refused and the connection stays")
    func depth() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("v")])
        let deepest = (0..<64).reduce(DBusValue.byte(1)) { value, _ in .variant(value) }
        #expect(try await pair.call("Echo", [deepest]) == [deepest])
        let error = try await dbusError { try await pair.call("Echo", [.variant(deepest)]) }
        #expect(error.name == DBusError.limitsExceeded)
        #expect(pair.client.isOpen)
    }

    @Test("32 arrays and 32 structures within each other pass; one more of either is refused")
    func depthOfKinds() async throws {
        let pair = try await Pair()
        var value = DBusValue.byte(1)
        for _ in 0..<32 { value = .structure([value]) }
        for _ in 0..<32 { value = .array(of: value.signature, [value]) }
        let deepest = value
        try pair.serve([.echo(deepest.signature)])
        #expect(try await pair.call("Echo", [deepest]) == [deepest])
        let arrays = DBusValue.array(of: deepest.signature, [])
        let structures = (0..<33).reduce(DBusValue.byte(1)) { value, _ in .structure([value]) }
        for tooDeep in [arrays, structures] {
            await #expect(throws: DBusError.self) { try await pair.call("Echo", [tooDeep]) }
        }
        #expect(try await pair.call("Echo", [deepest]) == [deepest])
    }

    @Test("readers look through variants and give nil for other types")
    func readers() {
        let hints = DBusValue.properties([
            ("n", .int32(1)), ("flag", .boolean(true)), ("list", .strings(["a"])),
        ])
        #expect(hints.dictionaryValue?["n"]?.int32Value == 1)
        #expect(hints.dictionaryValue?["flag"]?.booleanValue == true)
        #expect(hints.dictionaryValue?["list"]?.stringsValue == ["a"])
        #expect(DBusValue.variant(.variant(.objectPath("/a"))).stringValue == "/a")
        #expect(DBusValue.variant(.uint32(3)).uint32Value == 3)
        #expect(DBusValue.uint32(3).int32Value == nil)
        #expect(DBusValue.strings([]).dictionaryValue == nil)
        #expect(DBusValue.array(of: "i", [.int32(1)]).stringsValue == nil)
        #expect(DBusValue.array(of: "v", [.variant(.byte(1))]).arrayValue == [.variant(.byte(1))])
    }

    private let echoScript = String(#filePath.dropLast("ValueTests.swift".count)) + "Fixtures/echo.py"

    private func pythonCall(_ member: String, _ arguments: [DBusValue] = []) -> DBusMethodCall {
        DBusMethodCall(
            destination: "org.example.Python",
            path: "/echo",
            interface: "org.example.Python",
            member: member,
            arguments: arguments
        )
    }
}

extension DBusValue {
    fileprivate var isVariant: Bool {
        if case .variant = self { true } else { false }
    }
}
