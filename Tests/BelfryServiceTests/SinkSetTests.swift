// Sinks that come and go while the hub runs: each goes on where the one of its name stopped.

import BelfryCore
import BelfryTesting
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import BelfryService

@Suite("Sinks that come and go", .timeLimit(.minutes(1)))
struct SinkSetTests {
    private func plan(_ sink: RecordingSink, key: String = "1") -> SinkSet.Plan {
        SinkSet.Plan(name: sink.name, key: key) { sink }
    }

    private func finish(_ count: Int, on hub: Harness) async throws {
        for _ in 0..<count {
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
        }
    }

    @Test("a sink that is added while the hub runs gets what happens from then on, or from the beginning")
    func added() async throws {
        try await Harness.run(features: [ClosureFeature("echo")]) { hub in
            try await finish(1, on: hub)
            let (now, oldest) = (RecordingSink("now", start: .now), RecordingSink("oldest"))
            await hub.sinks.follow { [plan(now), plan(oldest)] }
            try await finish(1, on: hub)
            await now.wait(for: 6)
            await oldest.wait(for: 6)
            #expect(now.positions == [4, 5, 6])
            #expect(oldest.positions == Array(1...6))
            #expect(hub.sinks.runners.map(\.status.name) == ["now", "oldest"])
        }
    }

    @Test("a sink that begins now has its place before anybody is told that it is there")
    func hasItsPlace() async throws {
        try await Harness.run(features: [ClosureFeature("echo")]) { hub in
            try await finish(1, on: hub)
            let sink = RecordingSink("now", start: .now)
            await hub.sinks.follow { [plan(sink)] }
            let value1 = try hub.memory.cursor(of: "now")?.position
            #expect(value1 == 3)
        }
    }

    @Test("a sink that is taken away and comes back gets what happened meanwhile, each event once")
    func comesBack() async throws {
        let (first, second) = (RecordingSink("hook"), RecordingSink("hook"))
        try await Harness.run(features: [ClosureFeature("echo")]) { hub in
            await hub.sinks.follow { [plan(first)] }
            try await finish(2, on: hub)
            await first.wait(for: 6)
            await hub.sinks.follow { [] }
            #expect(hub.sinks.runners.isEmpty)
            try await finish(2, on: hub)
            await hub.sinks.follow { [plan(second)] }
            await second.wait(for: 12)
        }
        #expect(first.positions == Array(1...6))
        #expect(second.positions == Array(7...12))
    }

    @Test("what is the same goes on; another key or the wish to restart puts a new sink in its place")
    func replaced() async throws {
        let made = Mutex(0)
        @Sendable func plan(_ key: String) -> SinkSet.Plan {
            SinkSet.Plan(name: "hook", key: key) {
                made.withLock { $0 += 1 }
                return RecordingSink("hook")
            }
        }
        try await Harness.run { hub in
            await hub.sinks.follow { [plan("a")] }
            await hub.sinks.follow { [plan("a")] }
            #expect(made.withLock { $0 } == 1)
            await hub.sinks.follow { [plan("b")] }
            #expect(made.withLock { $0 } == 2)
            await hub.sinks.follow(restarting: ["hook"]) { [plan("b")] }
            #expect(made.withLock { $0 } == 3)
            while hub.sinks["hook"]?.status.condition != .running { await Task.yield() }
        }
    }

    @Test("a sink that stays is none of a plan's business")
    func stays() async throws {
        let log = RecordingSink("log")
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [log]) { hub in
            await hub.sinks.follow { [plan(RecordingSink("log")), plan(RecordingSink("hook"))] }
            await hub.sinks.follow { [] }
            try await finish(1, on: hub)
            await log.wait(for: 3)
        }
        #expect(log.positions == [1, 2, 3])
    }

    @Test("a sink that hangs is taken away at once, and its successor waits until it has ended")
    func hangs() async throws {
        let entered = Gate()
        let left = Mutex(false)
        let hung = RecordingSink("hook") { _ in
            entered.open()
            let forever = Gate()
            do { try await forever.wait() } catch {
                left.withLock { $0 = true }
                throw error
            }
        }
        let next = RecordingSink("hook") { _ in #expect(left.withLock { $0 }) }
        try await Harness.run(features: [ClosureFeature("echo")]) { hub in
            await hub.sinks.follow { [plan(hung)] }
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
            try await entered.wait()
            await hub.sinks.follow { [plan(next, key: "2")] }
            await next.wait(for: 3)
        }
        #expect(next.positions == [1, 2, 3])
    }

    @Test("a shutdown lets the delivery that goes on end, and delivers what is committed")
    func shutdown() async throws {
        let entered = Gate()
        let shutdown = Gate()
        let slow = RecordingSink("slow") { _ in
            entered.open()
            // Returns when the shutdown has begun; a sink that is cancelled then delivers nothing.
            await withGracefulShutdownHandler {
                try? await shutdown.wait()
            } onGracefulShutdown: {
                shutdown.open()
            }
            try Task.checkCancellation()
        }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [slow]) { hub in
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
            try await entered.wait()
        }
        #expect(slow.batches.count >= 1)
        #expect(slow.positions == [1, 2, 3])
    }

    @Test("while the set does not run, nobody waits for its sinks")
    func offline() async throws {
        let store = InMemoryTaskStore()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let bus = ObserverBus(store: store, logger: logger)
        try await bus.start()
        let set = SinkSet(bus: bus, store: store, logger: logger)
        await set.follow { [plan(RecordingSink("hook"))] }
        await set.follow { [] }
        #expect(set.runners.isEmpty)
    }
}
