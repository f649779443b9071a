// What the service counts and times, read from the page that Prometheus would read.

import BelfryCore
import BelfryMetrics
import BelfryTesting
import Synchronization
import Testing

@testable import BelfryService

@Suite("The service's metrics", .timeLimit(.minutes(1)))
struct MetricsTests {
    let registry = MetricsRegistry()
    let instruments: Instruments

    init() { instruments = Instruments(metrics: ServiceMetrics(factory: registry)) }

    private func finished(_ feature: String, _ outcome: String) -> String? {
        registry.value("belfry_attempts_finished_total{feature=\"\(feature)\",outcome=\"\(outcome)\"}")
    }

    @Test("tasks and attempts are counted by feature, and attempts by how they ended")
    func counts() async throws {
        var clocks = Clocks(random: { 0 })
        clocks.sleep = { duration in
            // The next try is due at once, every other timer never.
            if duration < .seconds(2) { return await Task.yield() }
            try await ContinuousClock().sleep(for: .seconds(3600))
        }
        var policy = RetryPolicy()
        policy.initialDelay = .zero
        policy.maxAttempts = 3
        let features = [
            ClosureFeature("good"),
            ClosureFeature("flaky", retry: policy) { _, _ in
                throw TaskFailure("busy", "no", isRetryable: true)
            },
            ClosureFeature("long") { _, _ in
                try await Gate().wait()
                return TaskResult()
            },
        ]
        try await Harness.run(features: features, clocks: clocks, instruments: instruments) { hub in
            let id = TaskID("01a20d6e-f5e5-7a73-9734-542b94f96508")
            for _ in 0..<2 { _ = try await hub.add("good") { $0.id = id } }
            _ = try await hub.add("good")
            let flaky = try await hub.add("flaky")
            let long = try await hub.add("long")
            try await hub.event(.failed, of: flaky.id)
            try await hub.event(.started, of: long.id)
            _ = try await hub.service.cancel(long.id)
            try await hub.event(.cancelled, of: long.id)
            var left = 2
            _ = try await hub.events { event in
                if event.kind == .completed { left -= 1 }
                return left == 0
            }
        }
        #expect(
            registry.value("belfry_tasks_added_total{feature=\"good\"}") == "2",
            "the repeat does not count"
        )
        #expect(registry.value("belfry_attempts_started_total{feature=\"flaky\"}") == "3")
        #expect(finished("good", "completed") == "2")
        #expect(finished("flaky", "retrying") == "2")
        #expect(finished("flaky", "failed") == "1")
        #expect(finished("long", "cancelled") == "1")
        #expect(finished("long", "completed") == "0")
        #expect(registry.value("belfry_attempt_duration_seconds_count{feature=\"flaky\"}") == "3")
        #expect(registry.value("belfry_task_wait_seconds_count{feature=\"flaky\"}") == "3")
    }

    @Test("an attempt that the shutdown cut off is interrupted, and one that lost its lease is lost")
    func interrupted() async throws {
        let started = Gate()
        var clocks = Clocks()
        clocks.sleep = { duration in
            // The drain's deadline passes at once; leases are kept by nobody.
            if duration == .seconds(10) { return await Task.yield() }
            try await ContinuousClock().sleep(for: .seconds(3600))
        }
        let feature = ClosureFeature("long") { _, _ in
            started.open()
            try await Gate().wait()
            return TaskResult()
        }
        let stolen = Gate()
        let taken = ClosureFeature("taken") { _, _ in
            try await stolen.wait()
            return TaskResult()
        }
        // One slot: nothing is claimed while the first runs.
        try await Harness.run(
            features: [feature, taken],
            clocks: clocks,
            concurrency: 1,
            instruments: instruments
        ) { hub in
            let task = try await hub.add("taken")
            try await hub.event(.started, of: task.id)
            // Another owner of the store takes it for dead and gives it back.
            let rescue = Rescue(alive: [], bootID: "other", leaseTime: .zero, isSoleOwner: true)
            _ = try hub.memory.rescue(rescue, at: hub.clocks.wall.now)
            _ = try await hub.service.cancel(task.id)
            stolen.open()
            _ = try await hub.add("long")
            try await started.wait()
        }
        #expect(finished("long", "interrupted") == "1")
        #expect(finished("taken", "lost") == "1")
    }

    @Test("the wait is counted from when a task was due, on the time of day; the attempt on the lease clock")
    func times() async throws {
        let wall = ManualWallClock()
        let lease = ManualLeaseClock()
        let gate = Gate()
        var clocks = Clocks(wall: wall, lease: lease)
        clocks.sleep = { _ in try await ContinuousClock().sleep(for: .seconds(3600)) }
        let features = [
            ClosureFeature("first") { _, _ in
                try await gate.wait()
                return TaskResult()
            },
            ClosureFeature("second") { _, _ in
                lease.advance(by: .milliseconds(2500))
                return TaskResult()
            },
        ]
        try await Harness.run(
            features: features,
            clocks: clocks,
            concurrency: 1,
            instruments: instruments
        ) { hub in
            let first = try await hub.add("first")
            try await hub.event(.started, of: first.id)
            _ = try await hub.add("second") { $0.notBefore = wall.now.adding(.seconds(10)) }
            wall.advance(by: .seconds(40))
            gate.open()
            try await hub.event(.completed, of: first.id)
            var left = 2
            _ = try await hub.events { event in
                if event.kind == .completed { left -= 1 }
                return left == 0
            }
        }
        #expect(registry.value("belfry_task_wait_seconds_sum{feature=\"second\"}") == "30")
        #expect(registry.value("belfry_attempt_duration_seconds_sum{feature=\"second\"}") == "2.5")
        #expect(registry.value("belfry_attempt_duration_seconds_bucket{feature=\"second\",le=\"1\"}") == "0")
        #expect(registry.value("belfry_attempt_duration_seconds_bucket{feature=\"second\",le=\"5\"}") == "1")
    }

    @Test("every committed event is counted once by its type, however it came to the bus")
    func events() async throws {
        try await Harness.run(
            features: [ClosureFeature("echo")],
            ringCapacity: 2,
            instruments: instruments
        ) { hub in
            for _ in 0..<20 { _ = try await hub.add("echo") }
            var left = 20
            _ = try await hub.events { event in
                if event.kind == .completed { left -= 1 }
                return left == 0
            }
            hub.bus.committed()
            _ = try await hub.service.clearCompletedTasks()
            try await hub.event(.removed)
        }
        for kind in ["added", "started", "completed", "removed"] {
            #expect(registry.value("belfry_events_total{type=\"task.\(kind)\"}") == "20", "\(kind)")
        }
        #expect(registry.value("belfry_events_total{type=\"task.failed\"}") == "0")
    }

    @Test("features beyond the limit share one series, so that no client can fill the memory")
    func cardinality() throws {
        let metrics = try #require(instruments.metrics)
        for index in 0..<(ServiceMetrics.featureLimit + 50) { metrics["feature-\(index)"].accepted() }
        let lines = registry.page().split(separator: "\n").filter {
            $0.hasPrefix("belfry_tasks_added_total{")
        }
        #expect(lines.count == ServiceMetrics.featureLimit + 1)
        #expect(registry.value("belfry_tasks_added_total{feature=\"(other)\"}") == "50")
    }

    @Test("a group commit tells how long it took and what it carried")
    func commits() {
        instruments.metrics?.storeCommitted(requests: 12, in: .microseconds(1500))
        #expect(registry.value("belfry_store_commit_requests_sum") == "12")
        #expect(registry.value("belfry_store_commit_duration_seconds_sum") == "0.0015")
    }
}
