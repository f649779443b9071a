// The faulty server records what comes in, and every fault does what its name says.

import BusTesting
import DBus
import DesktopTesting
import Testing

/// A bus with a faulty server and a client.
struct FaultyFixture {
    let bus: PrivateBus
    let server: FaultyNotificationServer
    let client: DBusConnection

    init() async throws {
        bus = try await PrivateBus()
        server = try await FaultyNotificationServer.open(on: bus.address)
        client = try await DBusConnection.open(bus.address)
    }
}

@Suite("The faulty notification server", .timeLimit(.minutes(1)))
struct FaultyServerTests {
    @Test("a plain call is recorded with its exact types, and visible")
    func record() async throws {
        let desk = try await FaultyFixture()
        let call = PlainCall(
            icon: "folder",
            actions: ["default", "Open", "cancel", "Cancel"],
            hints: [("value", .int32(40)), ("urgency", .byte(0)), ("x-belfry-task", .string("t-1"))],
            timeout: -1
        )
        let id = try await desk.client.notify(call)
        let received = try await desk.server.notification { $0.summary == "A title" }
        #expect(received.sender == desk.client.uniqueName)
        #expect(received.appName == "Belfry")
        #expect(received.replacesID == 0)
        #expect(received.icon == "folder")
        #expect(received.body == "A body")
        #expect(received.actions.map(\.key) == ["default", "cancel"])
        #expect(received.label(of: "cancel") == "Cancel")
        #expect(received.hints.names == ["value", "urgency", "x-belfry-task"])
        #expect(received.hints["value"] == .int32(40))
        #expect(received.hints["urgency"] == .byte(0))
        #expect(received.timeout == -1)
        #expect(received.signature == "susssasa{sv}i")
        #expect(received.id == id)
        #expect(desk.server.visible == [id: received])
        #expect(desk.server.count(of: .notify) == 1)
    }

    @Test("closing hides the popup and says so with reason 3")
    func closing() async throws {
        let desk = try await FaultyFixture()
        let signals = try await desk.client.serverSignals()
        let id = try await desk.client.notify(PlainCall())
        try await desk.client.server("CloseNotification", [.uint32(id)])
        try await desk.server.closed(id)
        #expect(desk.server.visible.isEmpty)
        #expect(try await signals.next() == "NotificationClosed(\(id), 3)")
    }

    @Test(
        "a hint of a wrong type is refused",
        arguments: [
            ("urgency", DBusValue.int32(1)), ("value", .uint32(1)), ("transient", .string("yes")),
            ("resident", .byte(1)), ("category", .int32(1)), ("image-data", .string("")),
        ]
    )
    func strict(name: String, value: DBusValue) async throws {
        let desk = try await FaultyFixture()
        let error = await #expect(throws: DBusError.self) {
            try await desk.client.notify(PlainCall(hints: [(name, value)]))
        }
        #expect(error?.name == DBusError.invalidArgs)
        #expect(desk.server.visible.isEmpty)
        #expect(desk.server.refused.count == 1)
        #expect(desk.server.notifications.first?.id == nil)
    }

    @Test("an odd list of actions is refused")
    func oddActions() async throws {
        let desk = try await FaultyFixture()
        await #expect(throws: DBusError.self) {
            try await desk.client.notify(PlainCall(actions: ["default"]))
        }
        #expect(desk.server.refused.count == 1)
    }

    @Test("a picture is taken when its data is as long as its size says")
    func picture() async throws {
        let desk = try await FaultyFixture()
        for (bytes, isTaken) in [(11, true), (10, false)] {
            // 1 pixel wide, 2 high, 8 bytes a row, no alpha: the last row need not be filled up.
            let data = DBusValue.structure([
                .int32(1), .int32(2), .int32(8), .boolean(false), .int32(8), .int32(3),
                .array(of: "y", Array(repeating: .byte(7), count: bytes)),
            ])
            let id = try? await desk.client.notify(PlainCall(hints: [("image-data", data)]))
            #expect((id != nil) == isTaken)
        }
    }

    @Test("a replaced popup keeps its id, or gets a new one when it is told to")
    func newIDs() async throws {
        let desk = try await FaultyFixture()
        let first = try await desk.client.notify(PlainCall())
        #expect(try await desk.client.notify(PlainCall(replacesID: first)) == first)
        desk.server.answersNewIDs = true
        let second = try await desk.client.notify(PlainCall(replacesID: first))
        #expect(second != first)
        #expect(Set(desk.server.visible.keys) == [second])
    }

    @Test("held calls are answered when they are released, in whatever way they are shown")
    func hold() async throws {
        let desk = try await FaultyFixture()
        for shown in [false, true] {
            let before = desk.server.visible.count
            desk.server.hold([.notify], shown: shown)
            async let id = desk.client.notify(PlainCall(summary: "late"))
            try await desk.server.notifications(count: shown ? 2 : 1)
            #expect(desk.server.heldCount == 1)
            #expect(desk.server.visible.count == before + (shown ? 1 : 0))
            try await desk.client.server("GetCapabilities")
            desk.server.release()
            let answer = try await id
            #expect(desk.server.visible[answer]?.summary == "late")
        }
    }

    @Test("calls fail as often as they are told to")
    func failures() async throws {
        let desk = try await FaultyFixture()
        desk.server.failNext(2, FaultyNotificationServer.excess)
        for _ in 0..<2 {
            await #expect(throws: FaultyNotificationServer.excess) {
                try await desk.client.notify(PlainCall())
            }
        }
        try await desk.client.notify(PlainCall())
        desk.server.failAlways(FaultyNotificationServer.excess)
        await #expect(throws: FaultyNotificationServer.excess) { try await desk.client.notify(PlainCall()) }
        desk.server.succeed()
        try await desk.client.notify(PlainCall())
        #expect(desk.server.notifications.map { $0.id != nil } == [false, false, true, false, true])
    }

    @Test("a signal can come right before the answer")
    func early() async throws {
        let desk = try await FaultyFixture()
        let signals = try await desk.client.serverSignals()
        desk.server.signalJustBeforeReply(.activationToken("t"), .actionInvoked("cancel"), .closed(reason: 2))
        let id = try await desk.client.notify(PlainCall())
        #expect(desk.server.visible.isEmpty)
        let expected = [
            "ActivationToken(\(id), t)", "ActionInvoked(\(id), cancel)", "NotificationClosed(\(id), 2)",
        ]
        #expect(try await signals.next(3) == expected)
    }

    @Test("signals of the owner pass, spoofed ones do not")
    func spoof() async throws {
        let desk = try await FaultyFixture()
        let all = try await desk.client.signals(DBusSignalRule(interface: FaultyNotificationServer.name))
        let owners = try await desk.client.serverSignals()
        try await desk.server.spoof(.actionInvoked("spoofed"), for: 1)
        try await desk.server.invoke(1, "real", token: "t", closing: true)
        let real = ["ActivationToken(1, t)", "ActionInvoked(1, real)", "NotificationClosed(1, 2)"]
        #expect(try await all.next(4) == ["ActionInvoked(1, spoofed)"] + real)
        #expect(try await owners.next(3) == real)
    }

    @Test("a second server takes the name over without a gap")
    func swap() async throws {
        let desk = try await FaultyFixture()
        let changes = try await desk.client.signals(
            DBusSignalRule(
                sender: "org.freedesktop.DBus",
                member: "NameOwnerChanged",
                argument0: FaultyNotificationServer.name
            )
        )
        let second = try await desk.server.swapOwner(capabilities: ["body"])
        let names = [desk.server.connection.uniqueName, second.connection.uniqueName]
        let expected = "NameOwnerChanged(\(FaultyNotificationServer.name), \(names[0]), \(names[1]))"
        #expect(try await changes.next() == expected)
        #expect(try await desk.client.server("GetCapabilities") == [.strings(["body"])])
        try await desk.client.notify(PlainCall())
        #expect(second.notifications.count == 1)
        #expect(desk.server.notifications.isEmpty)
    }

    @Test("a server that vanishes leaves its calls unanswered")
    func vanish() async throws {
        let desk = try await FaultyFixture()
        desk.server.hold()
        let error = await #expect(throws: DBusError.self) {
            async let id = desk.client.notify(PlainCall())
            try await desk.server.notification()
            await desk.server.vanish()
            _ = try await id
        }
        #expect(error?.name == DBusError.noReply)
        #expect(try await desk.client.owner(of: FaultyNotificationServer.name) == nil)
    }

    @Test("capabilities change at any time")
    func capabilities() async throws {
        let desk = try await FaultyFixture()
        desk.server.capabilities = ["body", "actions"]
        #expect(try await desk.client.server("GetCapabilities") == [.strings(["body", "actions"])])
        try await desk.server.calls(of: .getCapabilities, count: 1)
    }
}
