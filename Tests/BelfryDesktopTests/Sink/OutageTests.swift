// Servers and buses that die, hang, change or are not there. The numbers are those of the checklist in
// Docs/Desktop.md.

import BelfryCore
import BusTesting
import DBus
import DesktopTesting
import FoundationEssentials
import Testing

@testable import BelfryDesktop

@Suite("The desktop sink without a server that works", .timeLimit(.minutes(1)))
struct OutageTests {
    @Test("26. the server dies: what runs is shown by the next one, what is over is not")
    func killed() async throws {
        try await SinkBench.run { bench, server in
            let (over, running) = (try await bench.run("Over"), try await bench.run("Running"))
            try await bench.complete(over)
            try await server.visible {
                $0.count == 2 && $0.values.contains { $0.summary == "✨ Generation Complete!" }
            }
            await server.vanish()
            let next = try await FaultyNotificationServer.open(on: bench.bus.address)
            let seen = try await next.notification()
            #expect(seen.summary == "Running")
            #expect(seen.replacesID == 0)
            try await bench.complete(running)
            try await next.notification { $0.summary == "✨ Generation Complete!" }
            #expect(next.notifications.count == 2)
            await next.vanish()
        }
    }

    @Test("27. another server takes over without a gap: the same, and what it can do is asked again")
    func swapped() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            let old = try await server.notification()
            let next = try await server.swapOwner(capabilities: ["body"])
            let seen = try await next.notification()
            #expect(seen.replacesID == 0)
            #expect(seen.actions.isEmpty, "the new one has none")
            try await server.invoke(try #require(old.id), try #require(old.actions.first?.key))
            try await bench.complete(id)
            try await next.notification { $0.summary == "✨ Generation Complete!" }
            #expect(bench.control.calls.isEmpty, "the old server is nobody now")
            #expect(server.notifications.count == 1)
            await next.vanish()
        }
    }

    @Test("28. what the server can do is asked again after an error")
    func capabilities() async throws {
        try await SinkBench.run { bench, server in
            let first = try await bench.run("First")
            try await server.notification { !$0.actions.isEmpty }
            server.capabilities = ["body"]
            server.failNext(1, FaultyNotificationServer.excess)
            try await bench.fail(first)
            let seen = try await server.notification { $0.summary == "❌ Generation Failed" && $0.id != nil }
            #expect(seen.actions.isEmpty)
        }
    }

    @Test("29. without a server work goes on, one line says so, and popups come when there is one")
    func noServer() async throws {
        try await SinkBench.run { bench in
            let id = try await bench.run("Running")
            try await bench.log.line("no notification server")
            #expect(bench.sink.remark == "there is no notification server")
            for number in 1...50 { try await bench.complete(try await bench.run("Task \(number)")) }
            let server = try await FaultyNotificationServer.open(on: bench.bus.address)
            try await server.visible { $0.values.contains { $0.summary == "Running" } && $0.count >= 2 }
            #expect(bench.log.lines.filter { $0.contains("no popups") }.count == 1)
            #expect(bench.sink.remark == nil)
            #expect(server.notifications.count < 10)
            try await bench.complete(id)
            await server.vanish()
        }
    }

    @Test("30. a server that cannot be started is asked for once, not with every event")
    func activation() async throws {
        let log = "/tmp/belfry-activation-\(UInt64.random(in: 0...(.max)))"
        let bus = try await PrivateBus(services: [
            FaultyNotificationServer.name: "/bin/sh -c 'echo started >> \(log); exit 1'"
        ])
        try await SinkBench.run(bus: bus) { bench in
            let id = try await bench.run()
            try await bench.log.line("no notification server")
            for percent in 1...100 { try await bench.progress(id, Double(percent)) }
            for number in 1...20 { try await bench.complete(try await bench.run("Task \(number)")) }
            let server = try await FaultyNotificationServer.open(on: bus.address)
            try await server.notification()
            #expect(try String(contentsOfFile: log, encoding: .utf8) == "started\n")
            await server.vanish()
        }
    }

    @Test("31. the bus dies: the program lives, and the popups of what runs are back with the next bus")
    func busKilled() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await server.notification()
            bench.bus.kill()
            try await bench.log.line("no session bus")
            try await bench.progress(id, 60)
            try await bench.bus.restart()
            let next = try await FaultyNotificationServer.open(on: bench.bus.address)
            #expect(try await next.notification().replacesID == 0)
            try await next.notification { $0.hints["value"] == .int32(60) }
            try await bench.complete(id)
            try await next.notification { $0.summary == "✨ Generation Complete!" }
            await next.vanish()
        }
    }

    @Test("31. without a bus at all the sink takes everything and says so once")
    func noBus() async throws {
        let bus = try await PrivateBus()
        bus.kill()
        try await SinkBench.run(bus: bus) { bench in
            let id = try await bench.run()
            try await bench.log.line("no session bus")
            try await bench.progress(id, 60)
            try await bench.complete(id)
            #expect(bench.log.lines.count == 1)
        }
    }

    @Test("32. a hung server harms nobody, and a late answer leaves no orphan")
    func hung() async throws {
        try await SinkBench.run(timeout: .seconds(1)) { bench, server in
            server.hold()
            let id = try await bench.run()
            try await server.calls(of: .getCapabilities, count: 1)
            for number in 1...20 { try await bench.complete(try await bench.run("Task \(number)")) }
            server.release()
            try await bench.complete(id)
            try await server.visible { !$0.isEmpty }
            server.hold([.notify], shown: true)
            let late = try await bench.run("Late")
            try await server.notification { $0.summary == "Late" }
            try await bench.sink.heard { $0.board.inFlightCount == 0 }
            try await bench.event(.cancelled, of: late)
            server.release()
            try await server.visible { !$0.values.contains { $0.summary == "Late" } }
        }
    }

    @Test("32. that the server hangs is told once, and its recovery")
    func hungIsTold() async throws {
        try await SinkBench.run(timeout: .milliseconds(300)) { bench, server in
            server.hold()
            _ = try await bench.run()
            try await bench.log.line("the notification server does not answer")
            #expect(bench.sink.remark == "the notification server does not answer")
            server.release()
            try await eventually("popups to reach somebody again") { bench.sink.remark == nil ? true : nil }
            #expect(bench.log.lines.count == 2)
        }
    }
}
