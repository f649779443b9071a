// Names on the bus: who owns what.

import BusTesting
import DBus
import Testing

@Suite("Names", .timeLimit(.minutes(1)))
struct NameTests {
    private static let name = "org.example.Service"

    @Test("a name has an owner as long as somebody has asked for it and not given it back")
    func ownership() async throws {
        let pair = try await Pair()
        #expect(try await pair.client.owner(of: Self.name) == nil)
        #expect(try await pair.server.requestName(Self.name))
        #expect(try await pair.server.requestName(Self.name))
        #expect(try await pair.client.owner(of: Self.name) == pair.server.uniqueName)
        #expect(try await pair.client.owner(of: pair.server.uniqueName) == pair.server.uniqueName)
        try await pair.server.releaseName(Self.name)
        #expect(try await pair.client.owner(of: Self.name) == nil)
    }

    @Test("whoever comes second gets the name only if both sides want that")
    func replacement() async throws {
        let pair = try await Pair()
        #expect(try await pair.server.requestName(Self.name, flags: .doNotQueue))
        #expect(try await !pair.client.requestName(Self.name, flags: [.replaceExisting, .doNotQueue]))
        #expect(try await pair.server.requestName(Self.name, flags: [.allowReplacement, .doNotQueue]))
        #expect(try await !pair.client.requestName(Self.name, flags: .doNotQueue))
        #expect(try await pair.client.requestName(Self.name, flags: [.replaceExisting, .doNotQueue]))
        #expect(try await pair.client.owner(of: Self.name) == pair.client.uniqueName)
    }

    @Test("whoever waits in the queue gets the name with the end of the owner's connection")
    func queue() async throws {
        let pair = try await Pair()
        let changes = try await pair.client.signals(
            DBusSignalRule(sender: "org.freedesktop.DBus", member: "NameOwnerChanged", argument0: Self.name)
        )
        #expect(try await pair.server.requestName(Self.name))
        #expect(try await !pair.client.requestName(Self.name))
        await pair.server.close()
        let owners = await changes.prefix(2).reduce(into: []) { $0.append($1.arguments[2].stringValue) }
        #expect(owners == [pair.server.uniqueName, pair.client.uniqueName])
    }

    @Test("names that cannot be are errors here, before the bus sees them")
    func badNames() async throws {
        let pair = try await Pair()
        for name in [
            "", "one", ":1.1", ".a.b", "a..b", "a.b.", "a.1b", "a.b c", String(repeating: "a.b", count: 100),
        ] {
            let error = try await dbusError { try await pair.client.requestName(name) }
            #expect(error.name == DBusError.invalidArgs)
        }
    }
}
