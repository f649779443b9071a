// Events that were put aside: seen with their reasons, delivered again in order, or forgotten.

import BelfryCore
import BelfryService
import BelfryTesting
import Synchronization
import Testing

@Suite("Events put aside", .timeLimit(.minutes(1)))
struct ParkedTests {
    /// What a sink refuses now.
    private final class Taste: Sendable {
        let refused: Mutex<Set<Int64>>
        init(_ refused: Set<Int64>) { self.refused = Mutex(refused) }
        func allow(_ positions: Int64...) { refused.withLock { $0.subtract(positions) } }
        func check(_ batch: SinkBatch) throws {
            let refused = refused.withLock { $0 }
            if let first = batch.events.first(where: { refused.contains($0.position) }) {
                throw SinkError.rejected(position: first.position, "not to my taste")
            }
        }
    }

    private func run(
        _ taste: Taste,
        _ body: @escaping @Sendable (Harness, SinkRunner, RecordingSink) async throws -> Void
    ) async throws {
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let sink = RecordingSink("picky") { try taste.check($0) }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink], clocks: clocks) { hub in
            for _ in 0..<4 {
                let task = try await hub.add("echo")
                try await hub.event(.completed, of: task.id)
            }
            await sink.wait(for: 12)
            let runner = try #require(hub.sinks["picky"])
            while runner.status.condition != .running { await Task.yield() }
            try await body(hub, runner, sink)
        }
    }

    @Test("those that are delivered now are put aside no more, those that are refused again still are")
    func replay() async throws {
        let taste = Taste([2, 5, 7])
        try await run(taste) { hub, runner, sink in
            let value1 = try hub.memory.parkedEvents(of: "picky").map(\.position)
            #expect(value1 == [2, 5, 7])
            taste.allow(2, 7)
            let before = sink.positions.count
            let replay = try await runner.replay(nil)
            #expect(replay.delivered == [2, 7] && replay.rejected == [5] && replay.stopped == nil)
            #expect(sink.positions.dropFirst(before) == [2, 7])
            let value2 = try hub.memory.parkedEvents(of: "picky").map(\.position)
            #expect(value2 == [5])
            #expect(runner.status.parked == 1)
            #expect(runner.status.cursor?.position == 12)
        }
    }

    @Test("only the chosen ones, in the order of their positions; a wrong choice does nothing")
    func chosen() async throws {
        let taste = Taste([2, 5, 7])
        try await run(taste) { hub, runner, sink in
            taste.allow(2, 5, 7)
            await #expect(throws: BelfryError.self) { try await runner.replay([2, 3]) }
            let before = sink.positions.count
            let value3 = try await runner.replay([7, 2]).delivered
            #expect(value3 == [2, 7])
            #expect(sink.positions.dropFirst(before) == [2, 7])
            let value4 = try hub.memory.parkedEvents(of: "picky").map(\.position)
            #expect(value4 == [5])
        }
    }

    @Test("events that the log no longer has are forgotten and said to be gone")
    func gone() async throws {
        let taste = Taste([2])
        try await run(taste) { hub, runner, _ in
            try hub.memory.park(
                ParkedEvent(sink: "picky", position: 99, reason: "old", time: hub.clocks.wall.now)
            )
            taste.allow(2)
            let replay = try await runner.replay(nil)
            #expect(replay.delivered == [2] && replay.gone == [99])
            let value5 = try hub.memory.parkedEvents(of: "picky")
            #expect(value5.isEmpty)
        }
    }

    @Test("dropped ones are forgotten without a delivery")
    func drop() async throws {
        let taste = Taste([2, 5])
        try await run(taste) { hub, runner, sink in
            let before = sink.positions.count
            let value6 = try await runner.drop([5])
            #expect(value6 == [5])
            let value7 = try await runner.drop(nil)
            #expect(value7 == [2])
            #expect(sink.positions.count == before)
            #expect(runner.status.parked == 0)
        }
    }

    @Test("a way out that is shut ends it, and what was not tried is still put aside")
    func shut() async throws {
        let taste = Taste([2, 5])
        let isShut = Mutex(false)
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let sink = RecordingSink("picky") { batch in
            if isShut.withLock({ $0 }) { throw SinkError.unavailable("no server") }
            try taste.check(batch)
        }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink], clocks: clocks) { hub in
            for _ in 0..<2 {
                let task = try await hub.add("echo")
                try await hub.event(.completed, of: task.id)
            }
            await sink.wait(for: 6)
            let runner = try #require(hub.sinks["picky"])
            while runner.status.lag != 0 { await Task.yield() }
            isShut.withLock { $0 = true }
            let replay = try await runner.replay(nil)
            #expect(replay.stopped == "no server" && replay.delivered.isEmpty)
            let value8 = try hub.memory.parkedEvents(of: "picky").count
            #expect(value8 == 2)
        }
    }

    @Test("an event is not lost when it cannot be put aside: it is tried again until it is")
    func cannotPark() async throws {
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let sink = RecordingSink("picky") { batch in
            if batch.events.contains(where: { $0.position == 1 }) {
                throw SinkError.rejected(position: 1, "poison")
            }
        }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink], clocks: clocks) { hub in
            hub.store.fail(.park)
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
            await sink.wait(for: 3)
            #expect(hub.store.calls(.park) == 2)
            let value9 = try hub.memory.parkedEvents(of: "picky").map(\.position)
            #expect(value9 == [1])
        }
    }
}
