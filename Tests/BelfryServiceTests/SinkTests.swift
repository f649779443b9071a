// How events reach sinks: in order, each once, and one sink's trouble is nobody else's.

import BelfryCore
import BelfryService
import BelfryTesting
import Synchronization
import Testing

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
