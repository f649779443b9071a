// What a sink does not want, how far it has got within a delivery, and what it asks the runner to wait for.

import BelfryCore
import BelfryService
import BelfryTesting
import Synchronization
import Testing

@Suite("Sinks that choose", .timeLimit(.minutes(1)))
struct SinkFilterTests {
    private func finish(_ count: Int, on hub: Harness) async throws {
        for _ in 0..<count {
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
        }
    }

    @Test("a sink gets only what it wants, and its cursor moves over the rest")
    func filtered() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let sink = ChoosySink(wants: { $0.kind == .completed })
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink]) { hub in
            kept.withLock { $0 = hub.memory }
            try await finish(2, on: hub)
            let last = try await hub.add("echo")
            try await hub.event(.completed, of: last.id)
            while hub.sinks["choosy"]?.status.lag != 0 { await Task.yield() }
        }
        #expect(sink.positions == [3, 6, 9])
        let value1 = try kept.withLock { $0 }?.cursor(of: "choosy")?.position
        #expect(value1 == 9)
    }

    @Test("a sink that wants nothing is not called, has no lag, and its place is kept at the end")
    func wantsNothing() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let sink = ChoosySink(wants: { _ in false })
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink]) { hub in
            kept.withLock { $0 = hub.memory }
            try await finish(2, on: hub)
            while hub.sinks["choosy"]?.status.lag != 0 { await Task.yield() }
            // Not a write for each event that passes.
            #expect(hub.store.calls(.saveCursor) == 1)
        }
        #expect(sink.positions.isEmpty)
        let value2 = try kept.withLock { $0 }?.cursor(of: "choosy")?.position
        #expect(value2 == 6)
    }

    @Test("a delivery that fails in its middle goes on after what it has reached")
    func reached() async throws {
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let failures = Mutex(0)
        let sink = ChoosySink(batchLimit: 100) { position in
            guard position == 5,
                failures.withLock({
                    $0 += 1
                    return $0
                }) == 1
            else { return }
            throw SinkError.unavailable("no way out")
        }
        try await Harness.run(features: [ClosureFeature("echo")], clocks: clocks) { hub in
            try await finish(3, on: hub)
            await hub.sinks.follow { [SinkSet.Plan(name: "choosy", key: 1) { sink }] }
            await sink.wait(for: 9)
        }
        #expect(sink.positions == Array(1...9))
    }

    @Test("what a sink reached within a delivery is kept when the hub dies in its middle")
    func reachedIsSaved() async throws {
        let gate = Gate()
        let sink = ChoosySink(batchLimit: 100) { position in if position == 5 { try await gate.wait() } }
        var clocks = Clocks(lease: TickingClock())
        clocks.sleep = { try await ContinuousClock().sleep(for: $0) }
        try await Harness.run(features: [ClosureFeature("echo")], clocks: clocks) { hub in
            try await finish(3, on: hub)
            await hub.sinks.follow { [SinkSet.Plan(name: "choosy", key: 1) { sink }] }
            await sink.wait(for: 4)
            while try hub.memory.cursor(of: "choosy")?.position != 4 { await Task.yield() }
            #expect(hub.sinks["choosy"]?.status.lag == 5)
            gate.open()
        }
    }

    @Test("no delivery is larger than the sink's limit")
    func batchLimit() async throws {
        let sink = ChoosySink(batchLimit: 2)
        try await Harness.run(features: [ClosureFeature("echo")]) { hub in
            try await finish(3, on: hub)
            await hub.sinks.follow { [SinkSet.Plan(name: "choosy", key: 1) { sink }] }
            await sink.wait(for: 9)
        }
        #expect(sink.sizes.max() == 2)
        #expect(sink.positions == Array(1...9))
    }

    @Test("a sink that says when to come back is asked then, within an hour")
    func retryAfter() async throws {
        let waits = Mutex<[Duration]>([])
        var clocks = Clocks()
        clocks.sleep = { time in
            waits.withLock { $0.append(time) }
            await Task.yield()
        }
        let failures = Mutex(0)
        let sink = ChoosySink { _ in
            switch failures.withLock({
                $0 += 1
                return $0
            }) {
            case 1: throw SinkError.unavailable("busy", retryAfter: .seconds(17))
            case 2: throw SinkError.unavailable("busy", retryAfter: .seconds(86_400))
            default: return
            }
        }
        try await Harness.run(features: [ClosureFeature("echo")], sinks: [sink], clocks: clocks) { hub in
            try await finish(1, on: hub)
            await sink.wait(for: 3)
        }
        // The worker waits, too.
        let asked: [Duration] = [.seconds(17), .seconds(3600)]
        #expect(waits.withLock { $0 }.filter(asked.contains) == asked)
    }
}

/// A sink that tells after each event how far it is.
private final class ChoosySink: Sink {
    let name = "choosy"
    let batchLimit: Int?
    private let choice: @Sendable (EventRecord) -> Bool
    private let handle: @Sendable (Int64) async throws -> Void
    private let recorder = RecordingSink("inner")
    private let counts = Mutex<[Int]>([])

    init(
        batchLimit: Int? = nil,
        wants: @escaping @Sendable (EventRecord) -> Bool = { _ in true },
        handle: @escaping @Sendable (Int64) async throws -> Void = { _ in }
    ) {
        self.batchLimit = batchLimit
        choice = wants
        self.handle = handle
    }

    convenience init(batchLimit: Int? = nil, _ handle: @escaping @Sendable (Int64) async throws -> Void) {
        self.init(batchLimit: batchLimit, handle: handle)
    }

    var positions: [Int64] { recorder.positions }
    var sizes: [Int] { counts.withLock { $0 } }
    func wait(for position: Int64) async { await recorder.wait(for: position) }
    func wants(_ event: EventRecord) -> Bool { choice(event) }

    func deliver(_ batch: SinkBatch) async throws { try await deliver(batch) { _ in } }

    func deliver(_ batch: SinkBatch, reached: @escaping @Sendable (Int64) async -> Void) async throws {
        counts.withLock { $0.append(batch.events.count) }
        for event in batch.events {
            try await handle(event.position)
            try await recorder.deliver(SinkBatch(events: [event]))
            await reached(event.position)
        }
    }
}

/// Each look at it finds a second gone.
private final class TickingClock: LeaseClock {
    let bootID = "boot"
    private let seconds = Mutex<Int64>(0)

    var now: Duration {
        .seconds(
            seconds.withLock { seconds in
                seconds += 1
                return seconds
            }
        )
    }
}
