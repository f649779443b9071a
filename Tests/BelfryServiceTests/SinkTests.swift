// How events reach sinks: in order, each once, and one sink's trouble is nobody else's.

import BelfryCore
import BelfryTesting
import Logging
import Synchronization
import Testing

@testable import BelfryService

@Suite("Sinks", .timeLimit(.minutes(1)))
struct SinkTests {
    private func submit(_ count: Int, to hub: Harness) async throws {
        for _ in 0..<count { _ = try await hub.add("echo") }
        var left = count
        _ = try await hub.events { event in
            if event.kind == .completed { left -= 1 }
            return left == 0
        }
    }

    @Test("a sink gets every event once and in order, from the ring and from the store")
    func everyEvent() async throws {
        let sink = RecordingSink("all")
        // A ring of 8 makes every reader fall behind it again and again.
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink], ringCapacity: 8) { hub in
            try await submit(50, to: hub)
            await sink.wait(for: 150)
        }
        #expect(sink.positions == Array(1...150))
    }

    @Test("events that the store hands over and events that the bus reads make one stream")
    func handedOver() async throws {
        let bus = Mutex<ObserverBus?>(nil)
        let source = Mutex<InMemoryTaskStore?>(nil)
        let commits = Mutex((count: 0, last: Int64(0)))
        let store = InMemoryTaskStore {
            guard let bus = bus.withLock({ $0 }), let store = source.withLock({ $0 }) else { return }
            let (count, events) = commits.withLock { commits in
                let events = (try? store.events(after: commits.last, limit: 100))?.events ?? []
                commits = (commits.count + 1, events.last?.position ?? commits.last)
                return (commits.count, events)
            }
            // Some are handed over, some only signalled, and of some the bus is never told.
            if count % 3 == 0 { bus.committed() } else if count % 7 != 0 { bus.committed(events) }
        }
        source.withLock { $0 = store }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let made = ObserverBus(store: store, ringCapacity: 16, logger: logger)
        bus.withLock { $0 = made }
        try await made.start()
        let running = Task { try await made.run() }
        let reader = made.reader(after: made.newest)
        let ids = IDGenerator()
        for index in 1...300 {
            let now = Timestamp(milliseconds: Int64(index))
            _ = try store.add(
                [AcceptedTask(id: ids.taskID(at: now), new: NewTask(featureID: "echo"))],
                batch: nil,
                at: now
            )
        }
        var positions: [Int64] = []
        while positions.last != 300, let batch = try await reader.next() {
            positions += batch.events.map(\.position)
        }
        #expect(positions == Array(1...300))
        running.cancel()
        _ = await running.result
    }

    @Test("the cursor of a sink that keeps its own is saved at shutdown, not after each delivery")
    func ownCursor() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let own = RecordingSink("own", cursorKeeper: .sink)
        let other = RecordingSink("other")
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [own, other]) { hub in
            kept.withLock { $0 = hub.memory }
            try await submit(2, to: hub)
            await own.wait(for: 6)
            await other.wait(for: 6)
            let early = try hub.memory.cursor(of: "own")
            #expect(early == nil)
        }
        let store = try #require(kept.withLock { $0 })
        let position = try store.cursor(of: "own")?.position
        #expect(position == 6)
    }

    @Test("a sink that hangs delays nobody")
    func hang() async throws {
        let gate = Gate()
        let hung = RecordingSink("hung") { _ in try await gate.wait() }
        let free = RecordingSink("free")
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [hung, free]) { hub in
            try await submit(20, to: hub)
            await free.wait(for: 60)
            #expect(hung.positions.isEmpty)
            gate.open()
            await hung.wait(for: 60)
        }
        #expect(hung.positions == Array(1...60))
    }

    @Test("a sink that fails is tried again and misses nothing")
    func failing() async throws {
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let failures = Mutex(0)
        let sink = RecordingSink("failing") { _ in
            let count = failures.withLock { count in
                count += 1
                return count
            }
            if count <= 20 { throw SinkError.unavailable("no server") }
        }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink], clocks: clocks) { hub in
            try await submit(5, to: hub)
            await sink.wait(for: 15)
        }
        #expect(sink.positions == Array(1...15))
    }

    @Test("an event that is rejected again and again is parked, and the ones after it are delivered")
    func poison() async throws {
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let sink = RecordingSink("picky") { batch in
            if batch.events.contains(where: { $0.position == 4 }) {
                throw SinkError.rejected(position: 4, "it is poison")
            }
        }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink], clocks: clocks) { hub in
            try await submit(1, to: hub)
            await sink.wait(for: 3)
            try await submit(3, to: hub)
            await sink.wait(for: 9)
            let parked = try hub.memory.parkedEvents(of: "picky")
            #expect(parked.map(\.position) == [4])
            #expect(parked.first?.reason == "it is poison")
        }
        #expect(sink.positions.filter { $0 > 4 } == sink.positions.filter { $0 > 4 }.sorted())
        #expect(!sink.positions.contains(4))
        #expect(Set(sink.positions) == Set(1...12).subtracting([4]))
    }

    @Test("an event that breaks a sink is parked at once, and the ones after it are delivered")
    func poisonous() async throws {
        let tries = Mutex(0)
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let sink = RecordingSink("fragile") { batch in
            guard let event = batch.events.first(where: { $0.position == 4 }) else { return }
            tries.withLock { $0 += 1 }
            throw SinkError.poisonous(position: event.position, "it fell")
        }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink]) { hub in
            kept.withLock { $0 = hub.memory }
            try await submit(1, to: hub)
            await sink.wait(for: 3)
            try await submit(2, to: hub)
            await sink.wait(for: 9)
        }
        let parked = try #require(kept.withLock { $0 }).parkedEvents(of: "fragile")
        #expect(parked.map(\.position) == [4] && parked.first?.reason == "it fell")
        #expect(tries.withLock { $0 } == 1)
        #expect(Set(sink.positions) == Set(1...9).subtracting([4]))
    }

    /// Finds its place in the log when it is let.
    private struct LateSink: Sink {
        let name = "late"
        let gate: AsyncStream<Void>

        func resumePosition() async throws -> EventCursor? {
            for await _ in gate {}
            return nil
        }
        func deliver(_ batch: SinkBatch) async throws {}
    }

    @Test("a sink that has no place in the log yet is not said to be up to date")
    func unknownLag() async throws {
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let sinks: [any Sink] = [LateSink(gate: gate)]
        try await Harness.run(features: [ClosureFeature("echo")], sinks: sinks) { hub in
            try await submit(1, to: hub)
            let status = hub.sinks["late"]?.status
            #expect(status?.condition == .starting && status?.lag == nil)
            opener.finish()
            await hub.sinks["late"]?.opening()
            #expect(hub.sinks["late"]?.status.lag != nil)
        }
    }

    /// A time in which waits pass at once, but for the longest that a sink may ask for: each is told of.
    private func standing(_ waits: AsyncStream<Void>.Continuation) -> Clocks {
        var clocks = Clocks()
        clocks.sleep = { duration in
            guard duration == .seconds(3600) else { return await Task.yield() }
            waits.yield()
            try await ContinuousClock().sleep(for: duration)
        }
        return clocks
    }

    @Test(
        "an event that was parked on a suspicion which nothing bore out comes back to its place with the next hub"
    )
    func unproven() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let (waiting, waits) = AsyncStream.makeStream(of: Void.self)
        let sink = RecordingSink("fragile") { batch in
            guard let first = batch.events.first, first.position >= 4 else { return }
            if first.position == 4 { throw SinkError.poisonous(position: 4, "it fell") }
            throw SinkError.unavailable("it fell again", retryAfter: .seconds(3600))
        }
        try await Harness.run(
            features: [ClosureFeature("echo")],
            sinks: [sink],
            clocks: standing(waits)
        ) { hub in
            kept.withLock { $0 = hub.memory }
            try await submit(1, to: hub)
            await sink.wait(for: 3)
            try await submit(2, to: hub)
            for await _ in waiting { break }
            #expect(try hub.memory.parkedEvents(of: "fragile").map(\.position) == [4])
        }
        let store = try #require(kept.withLock { $0 })
        #expect(try store.parkedEvents(of: "fragile").isEmpty)
        let mended = RecordingSink("fragile")
        try await Harness.run(features: [], sinks: [mended], previous: store) { _ in
            await mended.wait(for: 9)
        }
        #expect(mended.positions == Array(4...9))
    }

    @Test("an event that was parked for nothing comes back to its place when the sink turns out to be broken")
    func acquitted() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let (broken, breaks) = AsyncStream.makeStream(of: Void.self)
        let sink = RecordingSink("fragile") { batch in
            guard let first = batch.events.first, first.position >= 4 else { return }
            if first.position == 4 { throw SinkError.poisonous(position: 4, "it fell") }
            throw SinkError.broken("it falls always", acquitting: 4)
        }
        try await Harness.run(
            features: [ClosureFeature("echo")],
            sinks: [sink],
            clocks: standing(breaks)
        ) { hub in
            kept.withLock { $0 = hub.memory }
            try await submit(1, to: hub)
            await sink.wait(for: 3)
            try await submit(3, to: hub)
            for await _ in broken { break }
            #expect(try hub.memory.parkedEvents(of: "fragile").isEmpty)
            let status = hub.sinks["fragile"]?.status
            #expect(
                status?.cursor?.position == 3 && status?.parked == 0 && status?.lastError == "it falls always"
            )
        }
        // Another takes its place.
        let store = try #require(kept.withLock { $0 })
        let mended = RecordingSink("fragile")
        try await Harness.run(features: [], sinks: [mended], previous: store) { _ in
            await mended.wait(for: 12)
        }
        #expect(mended.positions == Array(4...12))
    }

    @Test("a sink that begins now gets what is committed between the hub's start and its own")
    func startsNow() async throws {
        let store = InMemoryTaskStore()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let bus = ObserverBus(store: store, logger: logger)
        let ids = IDGenerator()
        func add(at time: Timestamp) throws {
            _ = try store.add(
                [AcceptedTask(id: ids.taskID(at: time), new: NewTask(featureID: "echo"))],
                batch: nil,
                at: time
            )
        }
        try add(at: Timestamp(milliseconds: 1))
        try await bus.start()
        let sink = RecordingSink("now", start: .now)
        let runner = SinkRunner(sink: sink, bus: bus, store: store, logger: logger)
        try add(at: Timestamp(milliseconds: 2))
        bus.committed(try store.events(after: 1, limit: 10).events)
        let running = [Task { try await bus.run() }, Task { await runner.run() }]
        await sink.wait(for: 2)
        #expect(sink.positions == [2])
        for task in running {
            task.cancel()
            _ = await task.result
        }
    }

    @Test("a sink goes on after the last event it delivered when the hub is back")
    func resumes() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let first = RecordingSink("log")
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [first]) { hub in
            kept.withLock { $0 = hub.memory }
            try await submit(3, to: hub)
            await first.wait(for: 9)
        }
        let store = try #require(kept.withLock { $0 })
        let second = RecordingSink("log")
        try await Harness.run(
            features: [ClosureFeature("echo")],
            sinks: [second],
            previous: store
        ) { hub in
            _ = try await hub.add("echo")
            await second.wait(for: 12)
        }
        #expect(first.positions + second.positions == Array(1...12))
    }

    @Test("a reader whose cursor is of another log is told of the gap and begins at the oldest event")
    func foreignCursor() async throws {
        try await Harness.run(features: [ClosureFeature("echo")]) { hub in
            try await submit(1, to: hub)
            let reader = hub.bus.reader(after: EventCursor(epoch: "another", position: 99))
            let batch = try #require(try await reader.next())
            #expect(batch.gap?.reason == .newEpoch)
            #expect(batch.events.first?.position == 1)
        }
    }
}
