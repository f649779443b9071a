// A hub that is killed cannot take its progress popups with it. The next one knows of them.

import BelfryCore
import BusTesting
import DBus
import DesktopTesting
import Glibc
import Testing

@testable import BelfryDesktop

@Suite("What a killed hub leaves on the screen", .timeLimit(.minutes(2)))
struct LeftoverTests {
    private let folder = TemporaryFolder()
    private let file: String

    init() { file = folder.place("popups") }

    private var text: String? { Self.text(file) }

    private static func text(_ path: String) -> String? {
        guard let file = RegularFile(path, limit: 4096) else { return nil }
        return String(decoding: file.bytes(at: 0, count: 4096), as: UTF8.self)
    }

    private func fileWithPopups(_ count: Int) async throws {
        try await eventually("a file with \(count) popups") { [file] in
            Self.text(file)?.split(separator: "\n").count == count + 1 ? true : nil
        }
    }

    /// Runs a sink that is not closed at its end, as with SIGKILL.
    private func life(
        on bus: PrivateBus,
        _ body: (SinkBench) async throws -> Void
    ) async throws {
        try await SinkBench.run(bus: bus, leftovers: file) { bench in
            try await bench.connected()
            try await body(bench)
        }
    }

    /// Two running tasks and one that is done, of a sink that then dies.
    private func dead(on bus: PrivateBus, _ server: FaultyNotificationServer) async throws -> Set<UInt32> {
        try await life(on: bus) { bench in
            for number in 1...2 { _ = try await bench.run("Running \(number)") }
            let done = try await bench.run("Done")
            try await server.visible { $0.count == 3 }
            try await bench.complete(done)
            try await server.visible { $0.values.contains { $0.summary == "✨ Generation Complete!" } }
            try await bench.sink.heard { $0.board.isSettled }
            try await fileWithPopups(2)
        }
        return Set(server.visible.filter { $0.value.summary != "✨ Generation Complete!" }.keys)
    }

    @Test("the next hub closes the progress popups that it left, and those alone")
    func closes() async throws {
        let bus = try await PrivateBus()
        let server = try await FaultyNotificationServer.open(on: bus.address)
        let left = try await dead(on: bus, server)
        #expect(left.count == 2)
        try await life(on: bus) { bench in
            try await server.visible { $0.count == 1 }
            #expect(Set(server.closedIDs) == left)
            _ = try await bench.run("Running 1")
            try await server.visible { $0.count == 2 }
        }
        await server.vanish()
    }

    @Test("the same when only the connection was lost")
    func reconnected() async throws {
        let bus = try await PrivateBus()
        let server = try await FaultyNotificationServer.open(on: bus.address)
        try await life(on: bus) { bench in
            _ = try await bench.run()
            try await server.visible { $0.count == 1 }
            try await fileWithPopups(1)
            await bench.sink.director.connection?.close()
            try await server.notifications(count: 2)
            try await server.visible { $0.count == 1 }
        }
        await server.vanish()
    }

    @Test("another server's popups are not touched, though they have the same ids")
    func otherServer() async throws {
        let bus = try await PrivateBus()
        let first = try await FaultyNotificationServer.open(on: bus.address)
        _ = try await dead(on: bus, first)
        let second = try await first.swapOwner()
        try await life(on: bus) { bench in
            try await bench.complete(try await bench.run())
            try await second.notification { $0.summary == "✨ Generation Complete!" }
        }
        #expect(second.closedIDs.isEmpty)
        #expect(text == nil)
        await second.vanish()
    }

    @Test("a server of another bus is another one, though it has the same unique name")
    func otherBus() async throws {
        let bus = try await PrivateBus()
        let first = try await FaultyNotificationServer.open(on: bus.address)
        _ = try await dead(on: bus, first)
        let name = first.connection.uniqueName
        bus.kill()
        try await bus.restart()
        let second = try await FaultyNotificationServer.open(on: bus.address)
        #expect(second.connection.uniqueName == name)
        try await life(on: bus) { bench in
            try await bench.complete(try await bench.run())
            try await second.notification { $0.summary == "✨ Generation Complete!" }
        }
        #expect(second.closedIDs.isEmpty)
        await second.vanish()
    }

    @Test("a hub that ends in order leaves nothing to remember")
    func orderly() async throws {
        let bus = try await PrivateBus()
        let server = try await FaultyNotificationServer.open(on: bus.address)
        try await life(on: bus) { bench in
            _ = try await bench.run()
            try await server.visible { $0.count == 1 }
            try await fileWithPopups(1)
            await bench.sink.close()
        }
        #expect(text == nil)
        await server.vanish()
    }

    @Test("an outcome is safe from the next hub before it is sent")
    func outcome() async throws {
        let bus = try await PrivateBus()
        let server = try await FaultyNotificationServer.open(on: bus.address)
        try await life(on: bus) { bench in
            let id = try await bench.run()
            try await server.visible { $0.count == 1 }
            try await fileWithPopups(1)
            server.hold([.notify])
            try await bench.complete(id)
            try await server.notification { $0.summary == "✨ Generation Complete!" }
            #expect(text == nil)
        }
        await server.vanish()
    }

    @Test(
        "a file that says nothing of use does no harm",
        arguments: ["", "one\n", "a b\nc\n", "a b c\n1\n", "\u{0}\n"]
    )
    func garbage(text: String) async throws {
        folder.write(text.utf8, to: "popups")
        var leftovers = PopupLeftovers(file)
        for owner in ["b", "b c"] {
            let left = leftovers.begin(ServerLife(bus: "a", owner: owner))
            #expect(left.isEmpty)
        }
    }

    @Test("the same ids on another server are written down anew")
    func sameIDs() {
        for owner in [":1.1", ":1.2"] {
            var leftovers = PopupLeftovers(file)
            let life = ServerLife(bus: "a", owner: owner)
            let (before, isKept) = (leftovers.begin(life), leftovers.keep([1, 2]))
            #expect(before.isEmpty && isKept)
            var next = PopupLeftovers(file)
            let left = next.begin(life)
            #expect(left == [1, 2])
        }
    }

    @Test("a place that cannot be written is told once, and popups come all the same")
    func unwritable() async throws {
        let bus = try await PrivateBus()
        let server = try await FaultyNotificationServer.open(on: bus.address)
        try await SinkBench.run(bus: bus, leftovers: folder.path + "/nowhere/popups") { bench in
            _ = try await bench.run("First")
            try await bench.log.line("cannot be remembered")
            let second = try await bench.run("Second")
            try await server.visible { $0.count == 2 }
            try await bench.event(.interrupted, of: second)
            try await server.visible { $0.count == 1 }
            await bench.sink.close()
            #expect(bench.log.lines.filter { $0.contains("cannot be remembered") }.count == 1)
        }
        await server.vanish()
    }

    @Test("with dunst: the bar of a killed hub goes when the next one comes, and the work has one again")
    func onScreen() async throws {
        let desktop = try await HeadlessDesktop.open()
        try await life(on: desktop.bus) { bench in
            try await bench.progress(try await bench.run(), 100)
            try await desktop.picture { $0.count(of: .bar) > 1000 }
        }
        try await life(on: desktop.bus) { bench in
            try await desktop.picture { $0.isBlank }
            try await bench.progress(try await bench.run(), 100)
            try await desktop.picture { $0.count(of: .bar) > 1000 }
            let displayed = try await desktop.run(["/usr/bin/dunstctl", "count", "displayed"])
            #expect(displayed == "1\n")
        }
        await desktop.close()
    }
}
