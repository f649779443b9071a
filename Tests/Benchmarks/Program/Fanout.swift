// How fast one event stream reaches many sinks.

import BelfryCore
import BelfrySQLite
import BelfryService
import Logging
import ServiceLifecycle
import Synchronization

extension Bench {
    /// Row 11: one event stream to 8 sinks that count what they get. The events come to the bus as a store
    /// hands them over, a commit's worth at a time, and no faster than the slowest sink takes them.
    func sinks() async throws {
        let (sinks, count, commit) = (8, 400_000, 200)
        let store = try await SQLiteTaskStore.open(.init(path: makeDirectory("sinks") + "/bench.sqlite"))
        let fanout = Fanout(sinks: sinks, store: store)
        let (took, cpu) = try await fanout.run(count: count, commit: commit)
        try await store.close()
        let deliveries = fanout.sinks.reduce(0) { $0 + $1.count }
        Self.report(
            "one stream to 8 sinks",
            Double(deliveries) / took,
            "deliveries/s",
            "\(count) events, \(commit) in a commit"
        )
        Self.report(
            "one stream to 8 sinks, CPU",
            cpu / Double(deliveries) * 1e6,
            "µs/delivery",
            "user and system"
        )
    }
}

/// A bus and its sinks, with a store that has nothing.
private struct Fanout {
    let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    let sinks: [Counter]
    let store: any TaskStore

    init(sinks count: Int, store: any TaskStore) {
        sinks = (0..<count).map { Counter(name: "counter-\($0)") }
        self.store = store
    }

    /// - Returns: seconds until the last sink has the last event, and of CPU time.
    func run(count: Int, commit: Int) async throws -> (took: Double, cpu: Double) {
        let bus = ObserverBus(store: store, logger: logger)
        try await bus.start()
        let runners = sinks.map { SinkRunner(sink: $0, bus: bus, store: store, logger: logger) }
        let services = ServiceGroup(services: [bus] + runners, logger: logger)
        let records = records(count, epoch: bus.newest.epoch)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            let cpu = Bench.cpuTime()
            group.addTask { try await services.run() }
            let start = ContinuousClock.now
            for first in stride(from: 0, to: count, by: commit) {
                bus.committed(Array(records[first..<min(first + commit, count)]))
                // Less than the ring behind, or they would read the store, which has nothing.
                await reached(first - 2000)
            }
            await reached(count)
            let figures = (Bench.seconds(ContinuousClock.now - start), Bench.cpuTime() - cpu)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            return figures
        }
    }

    private func reached(_ position: Int) async {
        for sink in sinks { await sink.reached(position) }
    }

    private func records(_ count: Int, epoch: String) -> [EventRecord] {
        let ids = IDGenerator()
        let now = SystemWallClock().now
        return (1...count).map { position in
            let new = NewTask(featureID: "noop")
            let task = BackgroundTask(new, id: ids.taskID(at: now), number: Int64(position), at: now)
            let event = TaskEvent(
                cursor: EventCursor(epoch: epoch, position: Int64(position)),
                time: now,
                draft: TaskEvent.Draft(.added, task: TaskSummary(task))
            )
            return EventRecord(event)
        }
    }
}

/// Counts, and lets who waits for an event know of it.
private final class Counter: Sink {
    let name: String
    var cursorKeeper: CursorKeeper { .nobody }
    var count: Int { state.withLock { $0.count } }

    private struct State {
        var position = 0
        var count = 0
        var waiting: (position: Int, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())

    init(name: String) { self.name = name }

    func deliver(_ batch: SinkBatch) async throws {
        guard let last = batch.events.last else { return }
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.position = Int(last.position)
            state.count += batch.events.count
            guard let waiting = state.waiting, waiting.position <= state.position else { return nil }
            state.waiting = nil
            return waiting.continuation
        }
        waiting?.resume()
    }

    func reached(_ position: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.position < position { state.waiting = (position, continuation) }
                return state.position >= position
            }
            if isThere { continuation.resume() }
        }
    }
}
