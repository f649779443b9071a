// How things stand at a scrape: the queue, its oldest task, what runs, and how far sinks are behind.

import BelfryCore
import BelfryMetrics
import BelfryTesting
import Testing

@testable import BelfryService

@Suite("The hub's gauges", .timeLimit(.minutes(1)))
struct HubGaugesTests {
    let registry = MetricsRegistry()

    private func gauges(of hub: Harness) -> HubGauges {
        let parts = HubGauges.Parts(
            store: hub.store,
            bus: hub.bus,
            worker: hub.worker,
            sinks: hub.sinks,
            clocks: hub.clocks
        )
        return HubGauges(parts, factory: registry)
    }

    @Test("the depth of the queue, the age of its oldest task, what runs and the slots are as they are")
    func queue() async throws {
        let wall = ManualWallClock()
        let gate = Gate()
        let feature = ClosureFeature("long") { _, _ in
            try await gate.wait()
            return TaskResult()
        }
        var clocks = Clocks(wall: wall)
        clocks.sleep = { _ in try await ContinuousClock().sleep(for: .seconds(3600)) }
        try await Harness.run(features: [feature], clocks: clocks, concurrency: 1) { hub in
            let gauges = gauges(of: hub)
            await gauges.refresh()
            #expect(registry.value("belfry_oldest_due_task_age_seconds") == "0")
            #expect(registry.value("belfry_worker_running_attempts") == "0")
            let first = try await hub.add("long")
            try await hub.event(.started, of: first.id)
            // Waits for its time; the one after it is the oldest that is due.
            _ = try await hub.add("long") { $0.notBefore = wall.now.adding(.seconds(3600)) }
            wall.advance(by: .seconds(5))
            let third = try await hub.add("long")
            try await hub.event(.added, of: third.id)
            wall.advance(by: .milliseconds(90_500))
            await gauges.refresh()
            #expect(registry.value("belfry_tasks{status=\"pending\"}") == "2")
            #expect(registry.value("belfry_tasks{status=\"processing\"}") == "1")
            #expect(registry.value("belfry_tasks{status=\"completed\"}") == "0")
            #expect(registry.value("belfry_oldest_due_task_age_seconds") == "90.5")
            #expect(registry.value("belfry_worker_running_attempts") == "1")
            #expect(registry.value("belfry_worker_slots") == "1")
            #expect(registry.value("belfry_event_position") == "4")
            #expect(registry.value("belfry_start_time_seconds") == "1767225600")
            #expect(registry.value("belfry_build_info{version=\"\(BelfryVersion.current)\"}") == "1")
            gate.open()
        }
    }

    @Test("a sink that hangs shows its lag, one that fails its condition, one that rejects what is parked")
    func sinks() async throws {
        let gate = Gate()
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let hung = RecordingSink("hung") { batch in
            if batch.events.contains(where: { $0.position > 3 }) { try await gate.wait() }
        }
        let failing = RecordingSink("failing") { _ in throw SinkError.unavailable("no server") }
        let picky = RecordingSink("picky") { batch in
            if batch.events.contains(where: { $0.position == 1 }) {
                throw SinkError.rejected(position: 1, "poison")
            }
        }
        try await Harness.run(
            features: [ClosureFeature("echo")],
            sinks: [hung, failing, picky],
            clocks: clocks
        ) { hub in
            let gauges = gauges(of: hub)
            let first = try await hub.add("echo")
            try await hub.event(.completed, of: first.id)
            await hung.wait(for: 3)
            let second = try await hub.add("echo")
            try await hub.event(.completed, of: second.id)
            await picky.wait(for: 6)
            while hub.sinks["failing"]?.status.condition != .failing { await Task.yield() }
            await gauges.refresh()
            #expect(registry.value("belfry_sink_lag_events{sink=\"hung\"}") == "3")
            #expect(registry.value("belfry_sink_lag_events{sink=\"failing\"}") == "6")
            #expect(registry.value("belfry_sink_parked_events{sink=\"picky\"}") == "1")
            #expect(registry.value("belfry_sink_condition{condition=\"failing\",sink=\"failing\"}") == "1")
            #expect(registry.value("belfry_sink_condition{condition=\"running\",sink=\"failing\"}") == "0")
            #expect(registry.value("belfry_sink_condition{condition=\"running\",sink=\"hung\"}") == "1")
            #expect(registry.value("belfry_bus_readers") == "3")
            gate.open()
        }
    }

    @Test("a store that does not answer leaves its values unknown and the others as they are")
    func brokenStore() async throws {
        try await Harness.run(features: [ClosureFeature("echo")], concurrency: 3) { hub in
            let gauges = gauges(of: hub)
            hub.store.fail(.status)
            await gauges.refresh()
            #expect(registry.value("belfry_store_readable") == "0")
            #expect(registry.value("belfry_tasks{status=\"pending\"}") == "NaN")
            #expect(registry.value("belfry_oldest_due_task_age_seconds") == "NaN")
            #expect(registry.value("belfry_worker_slots") == "3")
            await gauges.refresh()
            #expect(registry.value("belfry_store_readable") == "1")
            #expect(registry.value("belfry_tasks{status=\"pending\"}") == "0")
        }
    }
}
