// Where popups lead: files, programs, the portal, and a server that others wrote.

import BelfryCore
import BusTesting
import DBus
import DesktopTesting
import FoundationEssentials
import Testing

@testable import BelfryDesktop

@Suite("Ways out of popups", .timeLimit(.minutes(1)))
struct OtherWaysTests {
    @Test("25. Show in folder asks the file manager to select the files, with the activation token")
    func fileManager() async throws {
        try await SinkBench.run { bench, server in
            let files = try await RecordingFileManager.open(on: bench.bus.address)
            let id = try await bench.run()
            try await bench.complete(id, ["/results/one.png", "/results/two.png"])
            let done = try await server.notification { $0.summary == "✨ Generation Complete!" }
            let key = try #require(done.actions.first { $0.label == "Show in folder" }?.key)
            try await server.invoke(try #require(done.id), key, token: "token-7")
            let shown = try await files.shown(count: 1)
            #expect(shown[0].uris == ["file:///results/one.png", "file:///results/two.png"])
            #expect(shown[0].startupID == "token-7")
            await files.close()
        }
    }

    @Test("a click on the popup of a program's task brings up that program")
    func activate() async throws {
        try await SinkBench.run { bench, server in
            let program = try await RecordingApplication.open("org.example.Painter", on: bench.bus.address)
            let id = try await bench.run { $0.origin = "org.example.Painter" }
            try await bench.complete(id, ["/results/one.png"])
            let done = try await server.notification { $0.summary == "✨ Generation Complete!" }
            try await server.invoke(try #require(done.id), "default", token: "token-8")
            let calls = try await program.calls(count: 1)
            guard case .activate(let data) = calls[0] else {
                throw WaitedInVain("Activate", seen: "\(calls)")
            }
            #expect(data["activation-token"]?.stringValue == "token-8")
            #expect(data["desktop-startup-id"]?.stringValue == "token-8")
            // Without a name on the bus it is started.
            let other = try await bench.run { $0.origin = "org.example.Other" }
            try await bench.complete(other)
            let next = try await server.notification {
                $0.hints["desktop-entry"] == .string("org.example.Other") && $0.hints["value"] == nil
                    && $0.summary == "✨ Generation Complete!"
            }
            try await server.invoke(try #require(next.id), "default")
            #expect(try await bench.opener.opened(count: 1).map(\.what) == ["org.example.Other"])
            await program.close()
        }
    }

    @Test("an application's own name and icon are on its tasks' popups")
    func entry() async throws {
        let home = "/tmp/belfry-entries-\(UInt64.random(in: 0...(.max)))"
        let files = FileManager.default
        try files.createDirectory(atPath: home + "/applications", withIntermediateDirectories: true)
        defer { try? files.removeItem(atPath: home) }
        let text = "[Desktop Entry]\nType=Application\nName=The Painter\nIcon=painter\nExec=painter\n"
        try Data(text.utf8).write(to: URL(filePath: home + "/applications/org.example.Painter.desktop"))
        let bus = try await PrivateBus()
        let server = try await FaultyNotificationServer.open(on: bus.address)
        try await SinkBench.run(bus: bus, environment: ["XDG_DATA_HOME": home]) { bench in
            _ = try await bench.run { $0.origin = "org.example.Painter" }
            let seen = try await server.notification()
            #expect(seen.appName == "The Painter")
            #expect(seen.icon == "painter")
        }
        await server.vanish()
    }

    @Test("Details puts the whole error, its fix and the log's end into the popup")
    func details() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            let error = TaskFailure("x", "No model.", fix: "Install one.", logTail: "line 1\nline 2\n")
            try await bench.fail(id, error)
            let failed = try await server.notification { $0.summary == "❌ Generation Failed" }
            let popup = try #require(failed.id)
            try await server.invoke(popup, try #require(failed.actions.first { $0.label == "Details" }?.key))
            let details = try await server.notification {
                $0.body.contains("Fix: Install one.\nline 1\nline 2\nbelfry log 1")
            }
            #expect(details.actions.map(\.label) == ["Retry"])
            #expect(details.replacesID == popup)
            try await server.invoke(popup, try #require(details.actions.first?.key))
            #expect(try await bench.control.calls(count: 1) == [.retry(id)])
        }
    }

    @Test("a click that cannot be carried out says why, and what to do")
    func problem() async throws {
        try await SinkBench.run { bench, server in
            bench.opener.error = BelfryError(.notFound, "There is no xdg-open.", fix: "Install xdg-utils.")
            let id = try await bench.run()
            try await bench.complete(id, ["/results/one.png"])
            let done = try await server.notification { $0.summary == "✨ Generation Complete!" }
            try await server.invoke(try #require(done.id), "default")
            let seen = try await server.notification { $0.summary == "That did not work" }
            #expect(seen.body == "There is no xdg-open.\nFix: Install xdg-utils.")
        }
    }

    @Test("private keeps the names of files out of that too")
    func secretProblem() async throws {
        func keep(_ configuration: inout DesktopConfiguration) { configuration.isPrivate = true }
        try await SinkBench.run(keep) { bench, server in
            bench.opener.error = BelfryError(.notFound, "Cannot open /secret.png.")
            let id = try await bench.run()
            try await bench.complete(id, ["/secret.png"])
            let done = try await server.notification { $0.summary == "✨ Generation Complete!" }
            try await server.invoke(try #require(done.id), "default")
            let seen = try await server.notification { $0.summary == "That did not work" }
            #expect(seen.body == "The log of the hub says why.")
        }
    }

    @Test("a path in place of a desktop id is no icon that a server would read")
    func pathAsOrigin() async throws {
        try await SinkBench.run { bench, server in
            try await bench.complete(try await bench.run { $0.origin = "/dev/zero" })
            let seen = try await server.notification { $0.summary == "✨ Generation Complete!" }
            #expect(seen.icon == "belfry")
        }
    }

    @Test("a batch that the store no longer has is asked for once")
    func goneBatch() async throws {
        try await SinkBench.run { bench, _ in
            let batch = IDGenerator().batchID(at: SystemWallClock().now)
            try await bench.complete(try await bench.run { $0.batchID = batch })
            try await bench.sink.heard { $0.batches[batch]?.isStale == false }
        }
    }

    @Test("the picture that was made is the popup's image, when it is small enough")
    func picture() async throws {
        let path = "/tmp/belfry-picture-\(UInt64.random(in: 0...(.max))).png"
        defer { try? FileManager.default.removeItem(atPath: path) }
        // A PNG's signature and header are all that is looked at: 32 by 32 pixels.
        let header: [UInt8] = [
            0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 32,
            0, 0, 0,
            32, 8, 2, 0, 0, 0, 0, 0, 0, 0,
        ]
        try Data(header).write(to: URL(filePath: path))
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.complete(id, [path])
            let done = try await server.notification { $0.summary == "✨ Generation Complete!" }
            #expect(done.hints["image-path"] == .string("file://\(path)"))
        }
    }

    @Test("in a sandbox popups go through the portal, with buttons that act")
    func portal() async throws {
        let bus = try await PrivateBus()
        let portal = try await FaultyPortal.open(on: bus.address)
        try await SinkBench.run(bus: bus, isSandboxed: true) { bench in
            try await bench.connected()
            let id = try await bench.run("A <lighthouse>")
            try await bench.progress(id, 42)
            let running = try await portal.visible {
                $0.values.contains { $0["body"]?.stringValue?.contains("42 %") == true }
            }
            #expect(running.count == 1)
            let (name, content) = try #require(running.first)
            #expect(content["title"]?.stringValue == "A <lighthouse>")
            #expect(content["priority"]?.stringValue == "low")
            let button = try #require(content["buttons"]?.arrayValue?.first?.dictionaryValue)
            #expect(button["label"]?.stringValue == "Cancel")
            try portal.invoke(name, try #require(button["action"]?.stringValue))
            #expect(try await bench.control.calls(count: 1) == [.cancel(id)])
            try await bench.complete(id)
            let done = try await portal.visible {
                $0.values.contains { $0["title"]?.stringValue == "✨ Generation Complete!" }
            }
            #expect(done.keys.map { $0 } == [name], "the outcome takes its place")
        }
        await portal.close()
    }

    @Test("where only the portal is there, it is used; where both are, the desktop's own server is")
    func onlyPortal() async throws {
        let bus = try await PrivateBus()
        let portal = try await FaultyPortal.open(on: bus.address)
        try await SinkBench.run(bus: bus) { bench in
            try await bench.connected()
            try await bench.complete(try await bench.run())
            try await portal.visible { $0.count == 1 }
        }
        let server = try await FaultyNotificationServer.open(on: bus.address)
        try await SinkBench.run(bus: bus) { bench in
            try await bench.connected()
            try await bench.complete(try await bench.run())
            try await server.notification { $0.summary == "✨ Generation Complete!" }
        }
        await portal.close()
        await server.vanish()
    }

    @Test("1. and 2. python-dbusmock's server reads the same of our calls as ours does")
    func independent() async throws {
        let bus = try await PrivateBus()
        let mock = try await MockNotificationDaemon.start(
            on: bus,
            capabilities: ["body", "actions", "body-markup"]
        )
        try await SinkBench.run(bus: bus) { bench in
            try await bench.connected()
            let id = try await bench.run("Tom & Jerry")
            try await bench.progress(id, 42)
            let running = try await mock.notification { $0.hints["value"] == .int32(42) }
            #expect(running.signature == "susssasa{sv}i")
            #expect(running.hints["urgency"] == .byte(0))
            #expect(running.hints["suppress-sound"] == .boolean(true))
            try await bench.fail(id, TaskFailure("x", "A & B"))
            let failed = try await mock.notification { $0.summary == "❌ Generation Failed" }
            #expect(failed.body.hasPrefix("A &amp; B\nTom &amp; Jerry · #1"))
            #expect(failed.replacesID != 0)
            let retry = try #require(failed.actions.first { $0.label == "Retry" }?.key)
            try await mock.emit(.actionInvoked(retry), for: failed.replacesID)
            #expect(try await bench.control.calls(count: 1) == [.retry(id)])
        }
        await mock.close()
    }

    @Test("sink test shows every kind of popup and says what the server can do")
    func sinkTest() async throws {
        try await SinkBench.run(capabilities: ["body", "actions"]) { bench, server in
            let report = try await bench.sink.test()
            let seen = try await server.notifications(count: report.shown.count)
            #expect(
                Set(seen.map(\.summary)).isSuperset(of: ["✨ Generation Complete!", "❌ Generation Failed"])
            )
            #expect(report.abilities.contains { $0.what == "Popups have buttons." && $0.has })
            #expect(report.abilities.contains { $0.what.contains("belfry list") && !$0.has })
            let popup = try #require(seen.first { $0.actions.contains { $0.label == "Retry" } })
            try await server.invoke(try #require(popup.id), try #require(popup.actions.first?.key))
            try await server.notification { $0.body == "You clicked retry: buttons work here." }
        }
    }

    @Test("sink test shows them again, in place of those of the last time")
    func sinkTestAgain() async throws {
        try await SinkBench.run { bench, server in
            let count = try await bench.sink.test().shown.count
            let first = Set(try await server.notifications(count: count).compactMap(\.id))
            try await bench.sink.heard { $0.board.isSettled }
            _ = try await bench.sink.test()
            let second = Set(try await server.notifications(count: 2 * count).suffix(count).compactMap(\.id))
            #expect(second.count == count)
            try await server.visible { Set($0.keys) == second }
            #expect(first.isDisjoint(with: second), "else some servers would not bring them up")
        }
    }

    @Test("sink test says of a bar only that a task is at 42 %, as not every server shows one")
    func sinkTestBar() async throws {
        try await SinkBench.run { bench, _ in
            let report = try await bench.sink.test()
            #expect(report.shown.first == "a running task, at 42 %")
        }
    }

    @Test("sink test without a server says what is missing and how to mend it")
    func sinkTestAlone() async throws {
        try await SinkBench.run { bench in
            let error = await #expect(throws: BelfryError.self) { _ = try await bench.sink.test() }
            #expect(error?.fix?.contains("dunst") == true)
        }
    }
}
