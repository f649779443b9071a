// What is kept of finished work.

import BelfryCore
import BelfryService
import BelfryTesting
import Logging
import Testing

@Suite("Keeping house", .timeLimit(.minutes(1)))
struct JanitorTests {
    private func sweep(_ hub: Harness, _ change: (inout Retention) -> Void) async {
        var retention = Retention()
        change(&retention)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        await Janitor(hub.service, retention: retention, logger: logger).sweep()
    }

    private func finish(_ count: Int, _ hub: Harness) async throws -> [TaskID] {
        var ids: [TaskID] = []
        for _ in 0..<count {
            let task = try await hub.add("paint")
            try await hub.event(.completed, of: task.id)
            ids.append(task.id)
        }
        return ids
    }

    private func left(_ hub: Harness) async throws -> [TaskID] {
        try await hub.service.allTasks().map(\.id).reversed()
    }

    @Test("tasks go at their age, by status")
    func age() async throws {
        let wall = ManualWallClock()
        try await Harness.run(features: [ClosureFeature("paint")], clocks: Clocks(wall: wall)) { hub in
            let old = try await finish(1, hub)
            wall.advance(by: .seconds(86_400))
            let young = try await finish(1, hub)
            await sweep(hub) { $0.age = [.failed: .seconds(1)] }
            #expect(try await left(hub) == old + young)
            await sweep(hub) { $0.age = [.completed: .seconds(86_400 / 2)] }
            #expect(try await left(hub) == young)
        }
    }

    @Test("the newest stay when only so many may")
    func count() async throws {
        let wall = ManualWallClock()
        try await Harness.run(features: [ClosureFeature("paint")], clocks: Clocks(wall: wall)) { hub in
            let ids = try await finish(5, hub)
            await sweep(hub) { $0.count = 2 }
            #expect(try await left(hub) == Array(ids.suffix(2)))
        }
    }

    @Test("events go at their age, and readers that had not come so far are told")
    func events() async throws {
        let wall = ManualWallClock()
        try await Harness.run(
            features: [ClosureFeature("paint")],
            ringCapacity: 1,
            clocks: Clocks(wall: wall)
        ) { hub in
            _ = try await finish(1, hub)
            wall.advance(by: .seconds(100 * 86_400))
            _ = try await finish(1, hub)
            await sweep(hub) { _ in }
            let page = try await hub.store.events(after: 0, limit: 100)
            #expect(page.oldest == 4)
            #expect(page.events.map(\.position) == [4, 5, 6])
            let reader = hub.bus.reader(after: EventCursor(epoch: page.epoch, position: 1))
            let batch = try #require(try await reader.next())
            #expect(batch.gap?.from == 2)
            #expect(batch.gap?.to == 3)
        }
    }
}
