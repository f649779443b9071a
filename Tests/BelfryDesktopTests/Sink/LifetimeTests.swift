// A sink's life on the bus: it stays for as long as the hub runs, and leaves in time.

import BelfryCore
import BusTesting
import DBus
import DesktopTesting
import Glibc
import Testing

@testable import BelfryDesktop

@Suite("The desktop sink's life", .timeLimit(.minutes(1)))
struct LifetimeTests {
    @Test("33. everything comes from one connection")
    func oneConnection() async throws {
        try await SinkBench.run { bench, server in
            for number in 1...3 { try await bench.complete(try await bench.run("Task \(number)")) }
            let seen = try await server.notifications(count: 3)
            #expect(Set(seen.map(\.sender)).count == 1)
        }
    }

    @Test("35. a shutdown takes progress away and leaves outcomes")
    func shutdown() async throws {
        try await SinkBench.run { bench, server in
            let (over, running) = (try await bench.run("Over"), try await bench.run("Running"))
            try await server.visible { $0.count == 2 }
            try await bench.complete(over)
            _ = running
            await bench.sink.close()
            let left = try await server.visible { $0.count == 1 }
            #expect(left.values.map(\.summary) == ["✨ Generation Complete!"])
        }
    }

    @Test("33. the connection is still there, and the same one, when popups are over and new ones come")
    func stays() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run("First")
            let first = try await server.notification()
            try await bench.complete(id)
            try await server.notification { $0.summary == "✨ Generation Complete!" }
            try await server.close(try #require(first.id), reason: 2)
            let onlooker = try await DBusConnection.open(bench.bus.address)
            #expect(try await onlooker.owner(of: first.sender) == first.sender)
            _ = try await bench.run("Second")
            let second = try await server.notification { $0.summary == "Second" }
            #expect(second.sender == first.sender)
        }
    }

    /// Clocks on which the time that a shutdown may take passes when a test says so.
    private func closingClocks(_ isOver: Watched<Bool>, begun: Watched<Bool> = Watched(false)) -> Clocks {
        Clocks(sleep: { duration in
            guard duration == PopupDirector.closingTime else {
                return try await ContinuousClock().sleep(for: duration)
            }
            begun.update { $0 = true }
            try await isOver.first("the time to be over", within: .seconds(600)) { $0 ? () : nil }
        })
    }

    @Test("35. a shutdown with a server that answers does not wait for its time to be over")
    func endsByItself() async throws {
        #expect(PopupDirector.closingTime <= .milliseconds(500))
        try await SinkBench.run(clocks: closingClocks(Watched(false))) { bench, server in
            _ = try await bench.run()
            try await server.notification()
            await bench.sink.close()
            try await server.visible { $0.isEmpty }
        }
    }

    @Test("35. a shutdown with a server that hangs ends when its time is over, and not before")
    func endsInTime() async throws {
        let (isOver, begun, hasClosed) = (Watched(false), Watched(false), Watched(false))
        try await SinkBench.run(clocks: closingClocks(isOver, begun: begun)) { bench, server in
            server.hold([.notify])
            _ = try await bench.run()
            try await server.notification()
            async let closing: Void = {
                await bench.sink.close()
                hasClosed.update { $0 = true }
            }()
            try await begun.first("the time to begin") { $0 ? () : nil }
            #expect(!hasClosed.value)
            isOver.update { $0 = true }
            await closing
        }
    }

    @Test("35. a shutdown with a bus that reads nothing any more ends when its time is over")
    func endsWithoutBus() async throws {
        var loud = PopupRule()
        loud.loudness = .shown(.critical)
        let change = { (configuration: inout DesktopConfiguration) in configuration.rules = [loud] }
        try await SinkBench.run(clocks: closingClocks(Watched(true)), change) { bench, server in
            try await bench.complete(try await bench.run("First"))
            try await server.notification { $0.summary == "✨ Generation Complete!" }
            let bus = try #require(bench.bus.processID)
            kill(bus, SIGSTOP)
            defer { kill(bus, SIGCONT) }
            // More than the socket takes: each is a popup of its own.
            let error = TaskFailure("x", String(repeating: "No room left. ", count: 280))
            for number in 1...400 { try await bench.fail(try await bench.run("Task \(number)"), error) }
            await bench.sink.close()
        }
    }
}
