// Schedules that fire.

import BelfryCore
import BelfryService
import BelfryTesting
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@Suite("The scheduler", .timeLimit(.minutes(1)))
struct SchedulerTests {
    private static let start = Timestamp("2026-06-01T00:00:00Z")!

    /// A hub whose scheduler goes by a clock that the test turns.
    private func run(
        previous: InMemoryTaskStore? = nil,
        at start: Timestamp = Self.start,
        features: [any Feature] = [ClosureFeature("paint")],
        _ body: @escaping @Sendable (Harness, ManualAlarm, Scheduler) async throws -> Void
    ) async throws {
        let alarm = ManualAlarm(clock: ManualWallClock(start))
        try await Harness.run(features: features, previous: previous, clocks: Clocks(wall: alarm.clock)) {
            hub in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let scheduler = Scheduler(hub.service, alarm: alarm, logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await scheduler.run() }
                try await body(hub, alarm, scheduler)
                group.cancelAll()
            }
        }
    }

    private func add(_ hub: Harness, _ rule: String, catchUp: CatchUp = .once) async throws -> Schedule {
        try await hub.service.addSchedule(
            "s",
            rule: rule,
            zone: "UTC",
            catchUp: catchUp,
            task: NewTask(featureID: "paint")
        )
    }

    private func made(_ hub: Harness) async throws -> Int { try await hub.service.allTasks().count }

    @Test("each tick makes one task, at its time")
    func ticks() async throws {
        try await run { hub, alarm, scheduler in
            _ = try await add(hub, "*/10 * * * *")
            scheduler.wake()
            for count in 1...3 {
                await alarm.hasSleeper()
                #expect(try await made(hub) == count - 1)
                alarm.advance(by: .seconds(600))
                _ = try await hub.events { [count] _ in
                    hub.memory.count(.completed) == count
                }
            }
            let schedule = try await hub.service.schedule("s")
            #expect(schedule.made == 3)
            #expect(schedule.lastTick == Self.start.adding(.seconds(1800)))
            let task = try #require(try await hub.service.allTasks().first)
            #expect(task.options.schedule == "s")
            #expect(schedule.lastTask == task.id)
        }
    }

    @Test(
        "ticks that were missed are made up for as the schedule says",
        arguments: [
            (CatchUp.skip, 0, 6), (.once, 1, 5), (.all, 6, 0),
        ]
    )
    func catchUp(_ rule: CatchUp, _ tasks: Int, _ missed: Int64) async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        try await run { hub, _, _ in
            _ = try await add(hub, "0 * * * *", catchUp: rule)
            kept.withLock { $0 = hub.memory }
        }
        // Six hours and a half later the hub is back.
        let later = Self.start.adding(.seconds(6 * 3600 + 1800))
        try await run(previous: kept.withLock { $0 }, at: later) { hub, alarm, _ in
            await alarm.hasSleeper()
            let schedule = try await hub.service.schedule("s")
            #expect(schedule.made == Int64(tasks))
            #expect(schedule.missed == missed)
            #expect(try await made(hub) == tasks)
            #expect(alarm.waiting == [Self.start.adding(.seconds(7 * 3600))])
        }
    }

    @Test("a clock that is set back makes no tick twice")
    func setBack() async throws {
        try await run { hub, alarm, scheduler in
            _ = try await add(hub, "*/10 * * * *")
            scheduler.wake()
            await alarm.hasSleeper()
            alarm.advance(by: .seconds(600))
            try await hub.event(.completed)
            await alarm.hasSleeper()
            alarm.setClock(to: Self.start)
            await alarm.hasSleeper()
            alarm.advance(by: .seconds(600))
            await alarm.hasSleeper()
            #expect(try await made(hub) == 1)
        }
    }

    @Test("a paused schedule makes nothing, and resumed goes on with the next tick")
    func pause() async throws {
        try await run { hub, alarm, scheduler in
            _ = try await add(hub, "*/10 * * * *", catchUp: .all)
            try await hub.service.setPaused(true, schedule: "s")
            alarm.advance(by: .seconds(3600))
            try await hub.service.setPaused(false, schedule: "s")
            scheduler.wake()
            await alarm.hasSleeper()
            #expect(try await made(hub) == 0)
            #expect(alarm.waiting.contains(Self.start.adding(.seconds(4200))))
            let task = try await hub.service.runNow(schedule: "s")
            try await hub.event(.completed, of: task.id)
        }
    }

    @Test("a tick whose feature is away makes no task and is counted, and the schedule goes on")
    func featureAway() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        try await run { hub, _, _ in
            _ = try await add(hub, "0 * * * *")
            kept.withLock { $0 = hub.memory }
        }
        let later = Self.start.adding(.seconds(3601))
        try await run(previous: kept.withLock { $0 }, at: later, features: []) { hub, alarm, _ in
            await alarm.hasSleeper()
            let schedule = try await hub.service.schedule("s")
            #expect(schedule.missed == 1)
            #expect(schedule.made == 0)
            #expect(schedule.nextAt == Self.start.adding(.seconds(7200)))
        }
    }

    @Test("a tick whose task a unique rule rejects is counted, and the schedule goes on")
    func rejected() async throws {
        let gate = Gate()
        let slow = ClosureFeature("slow") { _, _ in
            try await gate.wait()
            return TaskResult()
        }
        try await run(features: [slow]) { hub, alarm, scheduler in
            var task = NewTask(featureID: "slow")
            task.unique = UniqueRule()
            try await hub.service.addSchedule("s", rule: "0 * * * *", zone: "UTC", task: task)
            scheduler.wake()
            await alarm.hasSleeper()
            alarm.advance(by: .seconds(3600))
            try await hub.event(.started)
            await alarm.hasSleeper()
            alarm.advance(by: .seconds(3600))
            await alarm.hasSleeper()
            let schedule = try await hub.service.schedule("s")
            #expect(schedule.made == 1)
            #expect(schedule.missed == 1)
            gate.open()
            try await hub.event(.completed)
        }
    }

    @Test("of several missed ticks that a unique rule takes for the same, the first makes its task")
    func rejectedAmongOthers() async throws {
        let kept = Mutex<InMemoryTaskStore?>(nil)
        try await run { hub, _, _ in
            var task = NewTask(featureID: "paint")
            task.unique = UniqueRule()
            try await hub.service.addSchedule("s", rule: "0 * * * *", zone: "UTC", catchUp: .all, task: task)
            kept.withLock { $0 = hub.memory }
        }
        let later = Self.start.adding(.seconds(4 * 3600))
        try await run(previous: kept.withLock { $0 }, at: later) { hub, alarm, _ in
            await alarm.hasSleeper()
            let schedule = try await hub.service.schedule("s")
            #expect(schedule.made == 1)
            #expect(schedule.missed == 3)
            #expect(try await made(hub) == 1)
        }
    }

    @Test("a schedule that cannot be is refused, with the field")
    func refused() async throws {
        try await run { hub, _, _ in
            for (name, rule, zone, pointer) in [
                ("a b", "@daily", "UTC", "/name"), ("s", "61 * * * *", "UTC", "/rule"),
                ("s", "@daily", "Europe/Berln", "/zone"),
            ] {
                let error = await #expect(throws: BelfryError.self) {
                    try await hub.service.addSchedule(
                        name,
                        rule: rule,
                        zone: zone,
                        task: NewTask(featureID: "paint")
                    )
                }
                #expect(error?.pointer == pointer)
            }
            await #expect(throws: BelfryError.self) {
                try await hub.service.addSchedule(
                    "s",
                    rule: "@daily",
                    zone: "UTC",
                    task: NewTask(featureID: "x")
                )
            }
            _ = try await add(hub, "@daily")
            let twice = await #expect(throws: BelfryError.self) { try await add(hub, "@daily") }
            #expect(twice?.code == .conflict)
            let unknown = await #expect(throws: BelfryError.self) { try await hub.service.schedule("t") }
            #expect(unknown?.code == .notFound)
        }
    }
}

extension InMemoryTaskStore {
    fileprivate func count(_ status: TaskStatus) -> Int { (try? self.status().counts[status]) ?? 0 }
}
