// Real servers on a virtual screen: the bar is as long as the value, and a click comes back.

import DBus
import DesktopTesting
import Foundation
import Testing

@Suite("A desktop without a screen", .timeLimit(.minutes(2)), .serialized)
struct DesktopTests {
    @Test("dunst draws a green bar whose pixels grow with the value")
    func bar() async throws {
        let desktop = try await HeadlessDesktop.open()
        let client = try await desktop.connection()
        #expect(try desktop.picture().isBlank)
        var id: UInt32 = 0
        var full = 0
        for value in [100, 20, 50, 80] as [Int32] {
            id = try await client.notify(PlainCall(replacesID: id, hints: [("value", .int32(value))]))
            if value == 100 {
                full = try await desktop.picture { $0.count(of: .bar) > 1000 }.count(of: .bar)
            }
            let share = Double(value) / 100
            try await desktop.picture("a bar of \(value) %") { [full] in
                abs(Double($0.count(of: .bar)) / Double(full) - share) < 0.03
            }
        }
        await desktop.close()
    }

    @Test("a click on a popup of dunst comes back as its default action")
    func click() async throws {
        let desktop = try await HeadlessDesktop.open(.dunst)
        let client = try await desktop.connection()
        let signals = try await client.serverSignals()
        let id = try await client.notify(PlainCall(actions: ["default", "Open", "cancel", "Cancel"]))
        let popup = try await desktop.popups(count: 1)[0]
        try await desktop.click(popup)
        #expect(
            try await signals.next(2) == ["ActionInvoked(\(id), default)", "NotificationClosed(\(id), 2)"]
        )
        try await desktop.picture { $0.isBlank }
        await desktop.close()
    }

    @Test("a right click opens dunst's menu, in which any button can be chosen")
    func menu() async throws {
        let desktop = try await HeadlessDesktop.open(.dunst)
        let client = try await desktop.connection()
        let signals = try await client.serverSignals()
        let id = try await client.notify(PlainCall(actions: ["default", "Open", "cancel", "Cancel"]))
        try desktop.menuChoice("Cancel")
        try await desktop.click(desktop.popups(count: 1)[0], button: .right)
        #expect(try await signals.next() == "ActionInvoked(\(id), cancel)")
        await desktop.close()
    }

    @Test("the other servers draw real buttons", arguments: [DesktopServer.xfce, .notificationDaemon])
    func buttons(server: DesktopServer) async throws {
        let desktop = try await HeadlessDesktop.open(server)
        let client = try await desktop.connection()
        let signals = try await client.serverSignals()
        let id = try await client.notify(PlainCall(actions: ["cancel", "Cancel"]))
        let popup = try await desktop.popups(count: 1)[0]
        try await desktop.picture { !$0.isBlank }
        // The one button is at the bottom: in the middle with xfce, on the right with the other.
        let x = popup.area.x + (server == .xfce ? popup.area.width / 2 : popup.area.width - 86)
        try await desktop.click(x: x, y: popup.area.y + popup.area.height - (server == .xfce ? 30 : 34))
        #expect(try await signals.next() == "ActionInvoked(\(id), cancel)")
        await desktop.close()
    }

    @Test("a picture in a popup is seen, unless pictures are off", arguments: [true, false])
    func pictures(isShown: Bool) async throws {
        let desktop = try await HeadlessDesktop.open(.dunst(showsPictures: isShown))
        let client = try await desktop.connection()
        let magenta = Colour(red: 255, green: 0, blue: 255)
        let data = DBusValue.structure([
            .int32(16), .int32(16), .int32(48), .boolean(false), .int32(8), .int32(3),
            .array(of: "y", (0..<256).flatMap { _ in [.byte(255), .byte(0), .byte(255)] as [DBusValue] }),
        ])
        try await client.notify(PlainCall(hints: [("image-data", data), ("value", .int32(100))]))
        let picture = try await desktop.picture { $0.count(of: .bar) > 1000 }
        #expect(picture.count(of: magenta) == (isShown ? 256 : 0))
        let area = picture.bounds { $0 == magenta }
        #expect(area.map { [$0.width, $0.height] } == (isShown ? [16, 16] : nil))
        await desktop.close()
    }

    @Test("the server can be killed and started again")
    func serverRestart() async throws {
        let desktop = try await HeadlessDesktop.open(.dunst)
        let client = try await desktop.connection()
        let before = try await client.owner(of: FaultyNotificationServer.name)
        try await desktop.killServer()
        #expect(try await client.owner(of: FaultyNotificationServer.name) == nil)
        try await desktop.restartServer()
        let after = try await client.owner(of: FaultyNotificationServer.name)
        #expect(after != nil && after != before)
        await desktop.close()
    }

    @Test("a server that is stopped answers when it goes on")
    func pause() async throws {
        let desktop = try await HeadlessDesktop.open(.dunst)
        let client = try await desktop.connection()
        desktop.pauseServer()
        let error = await #expect(throws: DBusError.self) {
            _ = try await client.call(PlainCall().call, timeout: .milliseconds(200))
        }
        #expect(error?.name == DBusError.noReply)
        desktop.resumeServer()
        try await client.notify(PlainCall())
        await desktop.close()
    }

    @Test("the bus can be killed and started again at the same address")
    func busRestart() async throws {
        let desktop = try await HeadlessDesktop.open(.dunst)
        let (old, environment) = (try await desktop.connection(), desktop.environment)
        desktop.killBus()
        await old.untilClosed()
        try await desktop.restartBus()
        #expect(desktop.environment == environment)
        try await desktop.restartServer()
        let client = try await desktop.connection()
        try await client.notify(PlainCall(hints: [("value", .int32(100))]))
        try await desktop.picture { $0.count(of: .bar) > 1000 }
        await desktop.close()
    }

    @Test("while dunst is not to disturb, popups wait")
    func dunstPaused() async throws {
        let desktop = try await HeadlessDesktop.open(.dunst)
        let client = try await desktop.connection()
        try await desktop.setDoNotDisturb(true)
        try await client.notify(PlainCall(hints: [("value", .int32(100))]))
        let waiting = try await client.call(
            DBusMethodCall(
                destination: FaultyNotificationServer.name,
                path: FaultyNotificationServer.path,
                interface: "org.freedesktop.DBus.Properties",
                member: "Get",
                arguments: [.string("org.dunstproject.cmd0"), .string("waitingLength")]
            )
        )
        #expect(waiting.first?.uint32Value == 1)
        try await desktop.popups(count: 0)
        try await desktop.setDoNotDisturb(false)
        // Its window, not its pixels: see setDoNotDisturb.
        try await desktop.popups(count: 1)
        await desktop.close()
    }

    @Test("while xfce4-notifyd is not to disturb, popups are dropped")
    func xfceSilent() async throws {
        let desktop = try await HeadlessDesktop.open(.xfce)
        let client = try await desktop.connection()
        for (isSilent, count) in [(true, 0), (false, 1), (false, 2)] {
            try await desktop.setDoNotDisturb(isSilent)
            try await client.notify(PlainCall(summary: "number \(count)"))
            try await desktop.popups(count: count)
        }
        await desktop.close()
    }

    @Test("xfce4-notifyd shows a bar and nothing else as long as there is a value")
    func xfceBar() async throws {
        let desktop = try await HeadlessDesktop.open(.xfce)
        let client = try await desktop.connection()
        let id = try await client.notify(
            PlainCall(actions: ["cancel", "Cancel"], hints: [("value", .int32(40))])
        )
        let bar = try await desktop.popups(count: 1)[0]
        try await client.notify(PlainCall(replacesID: id, actions: ["cancel", "Cancel"]))
        try await eventually("the text instead of the bar") {
            try await desktop.popups().first { $0.area.height > bar.area.height * 2 }
        }
        await desktop.close()
    }

    @Test("a desktop needs no server, and its environment is enough for a child process")
    func bare() async throws {
        let desktop = try await HeadlessDesktop.open(.none, width: 320, height: 200)
        #expect(try await desktop.popups().isEmpty)
        #expect(try desktop.picture().width == 320)
        let server = try await FaultyNotificationServer.open(on: desktop.address)
        try await desktop.run(["/usr/bin/notify-send", "From a child", "its body"])
        #expect(try await server.notification().summary == "From a child")
        let path = desktop.directory + "/screen.png"
        try await desktop.screenshot(to: path)
        #expect(try Data(contentsOf: URL(filePath: path)).starts(with: [0x89, 0x50, 0x4e, 0x47]))
        await desktop.close()
        #expect(!FileManager.default.fileExists(atPath: desktop.directory))
    }
}
