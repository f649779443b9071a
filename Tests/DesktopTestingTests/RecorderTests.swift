// The servers beside the notification server: the mock of others, the portal, the file manager, an application.

import BusTesting
import DBus
import DesktopTesting
import Foundation
import Testing

@Suite("The mock of python3-dbusmock", .timeLimit(.minutes(1)))
struct MockDaemonTests {
    @Test("a plain call is read as it was sent, and its signals come")
    func plain() async throws {
        let bus = try await PrivateBus()
        let mock = try await MockNotificationDaemon.start(on: bus, capabilities: ["actions", "body"])
        let client = try await DBusConnection.open(bus.address)
        #expect(try await client.server("GetCapabilities") == [.strings(["actions", "body"])])

        let signals = try await client.serverSignals()
        let hints: [(String, DBusValue)] = [
            ("urgency", .byte(0)), ("value", .int32(7)), ("suppress-sound", .boolean(true)),
        ]
        let id = try await client.notify(PlainCall(actions: ["cancel", "Cancel"], hints: hints))
        let received = try await mock.notification { $0.summary == "A title" }
        #expect(received.signature == "susssasa{sv}i")
        #expect(received.actions.map(\.label) == ["Cancel"])
        for (name, value) in hints { #expect(received.hints[name] == value) }
        try await mock.emit(.actionInvoked("cancel"), for: id)
        #expect(try await signals.next() == "ActionInvoked(\(id), cancel)")

        try await mock.fail(FaultyNotificationServer.excess)
        await #expect(throws: FaultyNotificationServer.excess) { try await client.notify(PlainCall()) }
        try await mock.kill()
        #expect(try await client.owner(of: FaultyNotificationServer.name) == nil)
        await mock.close()
    }
}

@Suite("Portal, file manager and application", .timeLimit(.minutes(1)))
struct RecorderTests {
    @Test("the portal records, refuses and presses buttons")
    func portal() async throws {
        let bus = try await PrivateBus()
        let portal = try await FaultyPortal.open(on: bus.address)
        let client = try await DBusConnection.open(bus.address)
        let signals = try await client.signals(
            DBusSignalRule(sender: FaultyPortal.name, member: "ActionInvoked")
        )
        func call(_ member: String, _ arguments: [DBusValue]) async throws {
            _ = try await client.call(
                DBusMethodCall(
                    destination: FaultyPortal.name,
                    path: FaultyPortal.path,
                    interface: FaultyPortal.interface,
                    member: member,
                    arguments: arguments
                )
            )
        }
        let content = DBusValue.properties([("title", .string("A title"))])
        try await call("AddNotification", [.string("t-1"), content])
        try await portal.calls(count: 1)
        #expect(portal.visible == ["t-1": ["title": .string("A title")]])
        try portal.invoke("t-1", "app.cancel", parameter: [.string("token")])
        #expect(try await signals.next() == "ActionInvoked(t-1, app.cancel, ?)")
        try await call("RemoveNotification", [.string("t-1")])
        #expect(portal.calls.last == .remove(id: "t-1", sender: client.uniqueName))

        portal.failure = DBusError(name: DBusError.accessDenied, message: "no")
        await #expect(throws: DBusError.self) {
            try await call("AddNotification", [.string("t-2"), content])
        }
        #expect(portal.visible.isEmpty)
    }

    @Test("the file manager and an application remember what they were to open")
    func openers() async throws {
        let bus = try await PrivateBus()
        let files = try await RecordingFileManager.open(on: bus.address)
        let application = try await RecordingApplication.open("org.example.My-Player", on: bus.address)
        let client = try await DBusConnection.open(bus.address)
        _ = try await client.call(
            DBusMethodCall(
                destination: RecordingFileManager.name,
                path: RecordingFileManager.path,
                interface: RecordingFileManager.name,
                member: "ShowItems",
                arguments: [.strings(["file:///tmp/a.png"]), .string("token")]
            )
        )
        let shown = try await files.shown(count: 1)[0]
        #expect(shown.method == "ShowItems")
        #expect(shown.uris == ["file:///tmp/a.png"])
        #expect(shown.startupID == "token")

        #expect(RecordingApplication.path(of: application.id) == "/org/example/My_Player")
        let data = DBusValue.properties([("activation-token", .string("token"))])
        for (member, arguments) in [("Activate", [data]), ("Open", [.strings(["file:///tmp/b"]), data])] {
            _ = try await client.call(
                DBusMethodCall(
                    destination: application.id,
                    path: RecordingApplication.path(of: application.id),
                    interface: "org.freedesktop.Application",
                    member: member,
                    arguments: arguments
                )
            )
        }
        let token = ["activation-token": DBusValue.string("token")]
        let calls = try await application.calls(count: 2)
        #expect(
            calls == [.activate(platformData: token), .open(uris: ["file:///tmp/b"], platformData: token)]
        )
    }
}
