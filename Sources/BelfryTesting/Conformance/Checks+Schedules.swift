// What is kept beside tasks: schedules and the tasks that they make, the state of groups.

import BelfryCore

extension StoreConformance {
    static let schedules: [StoreCheck] = [
        StoreCheck("a schedule is kept as it is, over a restart, and listed by name") { bench in
            let full = full(bench)
            try await bench.store.saveSchedule(full, replacing: nil)
            try await bench.store.saveSchedule(bench.schedule("archive"), replacing: nil)
            try expectEqual(try await bench.store.schedules().last, full, "the schedule")
            let schedules = try await bench.reopened().store.schedules()
            try expectEqual(schedules.map(\.name), ["archive", "nightly"], "the names")
            try expectEqual(schedules[1], full, "the schedule after a restart")
        },
        StoreCheck("a schedule replaces the one that its author saw, and no other") { bench in
            var schedule = bench.schedule("nightly")
            try await refused("one that is not there", schedule, replacing: 1, bench)
            try await bench.store.saveSchedule(schedule, replacing: nil)
            try await refused("one that is there already", schedule, replacing: nil, bench)
            schedule.revision = 2
            schedule.rule = "every 1h"
            try await bench.store.saveSchedule(schedule, replacing: 1)
            schedule.rule = "every 2h"
            try await refused("one that has changed", schedule, replacing: 1, bench)
            try expectEqual(try await bench.store.schedules().map(\.rule), ["every 1h"], "the rule")
            try expectEqual(try await bench.store.status().newest, 0, "the events")
        },
        StoreCheck("a removed schedule is gone, and its name is free") { bench in
            try await bench.store.saveSchedule(bench.schedule("nightly"), replacing: nil)
            try expect(try await bench.store.removeSchedule("nightly"), "there was none to remove")
            try expect(try await !bench.store.removeSchedule("nightly"), "it was removed twice")
            try expectEqual(try await bench.store.schedules(), [], "the schedules")
            try await bench.store.saveSchedule(bench.schedule("nightly"), replacing: nil)
        },
        StoreCheck("a firing makes its tasks and moves the schedule on, once") { bench in
            let schedule = bench.schedule("nightly")
            try await bench.store.saveSchedule(schedule, replacing: nil)
            let firing = bench.firing(of: schedule, 2)
            let added = try await bench.store.fire(firing, at: bench.now)
            try expectEqual(added?.map(\.task.id), firing.tasks.map(\.id), "the tasks")
            try expectEqual(try await bench.store.schedules(), [firing.after], "the schedule")
            let kinds = try await bench.kindsOf {
                try expectEqual(
                    try await bench.store.fire(firing, at: bench.now),
                    nil,
                    "the same firing again"
                )
            }
            try expectEqual(kinds, [], "the events of the second")
            let reopened = try await bench.reopened()
            try expectEqual(try await reopened.store.fire(firing, at: bench.now), nil, "after a restart")
            try expectEqual(try await reopened.claim().count, 2, "the tasks that can start")
        },
        StoreCheck("a firing that was decided on another state of the schedule makes nothing") { bench in
            var schedule = bench.schedule("nightly")
            try await bench.store.saveSchedule(schedule, replacing: nil)
            let firing = bench.firing(of: schedule, 1)
            (schedule.revision, schedule.isPaused) = (2, true)
            try await bench.store.saveSchedule(schedule, replacing: 1)
            try expectEqual(try await bench.store.fire(firing, at: bench.now), nil, "a changed schedule")
            _ = try await bench.store.removeSchedule("nightly")
            try expectEqual(try await bench.store.fire(firing, at: bench.now), nil, "a removed schedule")
            try expectEqual(try await bench.store.schedules(), [], "the schedules")
            try expectEqual(try await bench.store.status().newest, 0, "the events")
        },
        StoreCheck("a firing of a schedule that is gone makes nothing of another by its name") { bench in
            let firing = bench.firing(of: bench.schedule("nightly"), 1)
            bench.clock.advance(by: .seconds(60))
            let other = bench.schedule("nightly")
            try await bench.store.saveSchedule(other, replacing: nil)
            try expectEqual(try await bench.store.fire(firing, at: bench.now), nil, "the tasks")
            try expectEqual(try await bench.store.schedules(), [other], "the schedules")
        },
        StoreCheck("a change of a schedule that is gone is no change of another by its name") { bench in
            var paused = bench.schedule("nightly")
            try await bench.store.saveSchedule(paused, replacing: nil)
            (paused.isPaused, paused.revision) = (true, 2)
            _ = try await bench.store.removeSchedule("nightly")
            bench.clock.advance(by: .seconds(60))
            let other = bench.schedule("nightly")
            try await bench.store.saveSchedule(other, replacing: nil)
            try await refused("the change", paused, replacing: 1, bench)
            try expectEqual(try await bench.store.schedules(), [other], "the schedules")
        },
        StoreCheck("a firing whose task is refused leaves the schedule as it was; one without tasks moves it")
        {
            bench in
            try await bench.add(1) { $0.unique = UniqueRule() }
            let schedule = bench.schedule("nightly")
            try await bench.store.saveSchedule(schedule, replacing: nil)
            var firing = bench.firing(of: schedule, 2)
            firing.tasks[1].new.unique = UniqueRule()
            let kinds = try await bench.kindsOf {
                try await expectRefusal("the firing", \.isConflict) {
                    try await bench.store.fire(firing, at: bench.now)
                }
            }
            try expectEqual(kinds, [], "the events")
            try expectEqual(try await bench.store.schedules(), [schedule], "the schedule")
            firing.tasks = []
            try expectEqual(try await bench.store.fire(firing, at: bench.now), [], "the tasks of none")
            try expectEqual(try await bench.store.schedules(), [firing.after], "the schedule after it")
        },
    ]

    private static func refused(
        _ what: String,
        _ schedule: Schedule,
        replacing revision: Int64?,
        _ bench: StoreBench
    ) async throws {
        try await expectRefusal(what, \.isConflict) {
            try await bench.store.saveSchedule(schedule, replacing: revision)
        }
    }

    /// A schedule with everything that one can have.
    private static func full(_ bench: StoreBench) -> Schedule {
        var new = NewTask(featureID: "paint", params: ["prompt": "a \u{0} b", "steps": 7])
        new.title = "a lighthouse"
        (new.userID, new.origin, new.notify) = ("ada", "org.example.App", .outcome)
        (new.labels, new.priority, new.group) = (["a", "b"], -3, "night")
        new.needs = TaskNeeds(slots: 2, resources: ["gpu": 1])
        (new.delay, new.timeout, new.isStashed) = (.seconds(5), .milliseconds(2500), true)
        new.options.timeouts = TaskTimeouts(attempt: .seconds(30), idle: .seconds(3))
        new.options.retry = RetryPolicy()
        new.options.schedule = "nightly"
        (new.maxAttempts, new.onInterrupt) = (3, .fail)
        new.unique = UniqueRule()
        // What is kept is kept, also what a submission could not say any more.
        new.context = SubmissionContext(
            workingDirectory: "/tmp",
            umask: 0o7777,
            environment: ["LANG": "C\u{0}"]
        )
        var schedule = bench.schedule("nightly")
        schedule.task = new
        (schedule.isPaused, schedule.catchUp, schedule.zone) = (true, .all, "Europe/Berlin")
        schedule.lastTick = bench.now.adding(.seconds(-60))
        schedule.lastTask = bench.ids.taskID(at: bench.now)
        (schedule.made, schedule.missed, schedule.revision) = (7, 2, 9)
        schedule.updatedAt = bench.now.adding(.milliseconds(1))
        return schedule
    }

    static let groups: [StoreCheck] = [
        StoreCheck("groups are kept by name, replaced, and forgotten when they are as others are") { bench in
            var night = TaskGroup(name: "night")
            (night.slots, night.state) = (2, .paused)
            var all = TaskGroup(name: TaskGroup.all)
            all.state = .draining
            for group in [night, all, TaskGroup(name: "other")] { try await bench.store.saveGroup(group) }
            let reopened = try await bench.reopened()
            try expectEqual(try await reopened.store.groups(), [all, night], "the groups")
            night.slots = nil
            try await reopened.store.saveGroup(night)
            try await reopened.store.saveGroup(TaskGroup(name: TaskGroup.all))
            try expectEqual(try await reopened.store.groups(), [night], "the groups after the change")
            try expectEqual(try await reopened.store.status().newest, 0, "the events")
        },
        StoreCheck("a store holds no group back by itself: what may start is the request's to say") { bench in
            var night = TaskGroup(name: "default")
            night.state = .paused
            try await bench.store.saveGroup(night)
            try await bench.add(1)
            try expectEqual(try await bench.claim().count, 1, "a claim")
        },
    ]

    static let keeping: [StoreCheck] = [
        StoreCheck("a clear can leave the newest of those that match, and says how many would go") { bench in
            let done = try await ended(bench, 5)
            try await bench.fail(bench.running())
            func count(_ keeping: Int) async throws -> Int {
                var filter = ClearFilter()
                (filter.keeping, filter.limit) = (keeping, 2)
                return try await bench.store.countClearable(filter)
            }
            var counts: [Int] = []
            for keeping in [0, 2, 5, 9] { counts.append(try await count(keeping)) }
            try expectEqual(counts, [5, 3, 0, 0], "how many would go, keeping 0, 2, 5 and 9")
            try expectEqual(try await clear(bench) { $0.keeping = 9 }, [], "keeping more than there are")
            try expectEqual(
                try await clear(bench) { ($0.keeping, $0.limit) = (2, 2) },
                [1, 2],
                "two at most"
            )
            try expectEqual(try await clear(bench) { ($0.keeping, $0.limit) = (2, 2) }, [3], "the next")
            try expectEqual(try await clear(bench) { ($0.keeping, $0.limit) = (2, 2) }, [], "then none")
            let left = try await bench.store.tasks(TaskQuery()).tasks.map(\.id)
            try expectEqual(Array(left.dropFirst()), [done[4].id, done[3].id], "what is left")
        },
        StoreCheck("what stays counts among those that match, by the time that they ended") { bench in
            try await bench.add(4)
            let claimed = try await bench.claim(4)
            for index in [2, 0, 3, 1] {
                bench.clock.advance(by: .seconds(1))
                try await bench.complete(claimed[index])
            }
            _ = try await bench.completed { $0.labels = ["other"] }
            bench.clock.advance(by: .seconds(1))
            let cleared = try await clear(bench) {
                ($0.keeping, $0.ids) = (1, claimed.prefix(2).map(\.task.id))
            }
            try expectEqual(cleared, [1], "of the first two, without the one that ended last")
            try expectEqual(try await clear(bench) { $0.keeping = 2 }, [3, 4], "of all")
        },
        StoreCheck("a task that is named twice is cleared once") { bench in
            let done = try await ended(bench, 2)
            var filter = ClearFilter()
            filter.ids = [done[1].id, done[0].id, done[1].id]
            try expectEqual(try await bench.store.countClearable(filter), 2, "how many would go")
            let kinds = try await bench.kindsOf {
                let removed = try await bench.store.clear(filter, at: bench.now)
                try expectEqual(removed.map(\.number), [1, 2], "what was removed")
            }
            try expectEqual(kinds, [.removed, .removed], "the events")
            try expectEqual(
                try await bench.store.status().counts[.completed] ?? 0,
                0,
                "the count of completed"
            )
        },
        StoreCheck("a clear can be limited to a feature, a batch and a label, and counts alike") { bench in
            let batch = try await bench.addBatch(2) { $0.labels = ["a", "b"] }
            for claimed in try await bench.claim() { try await bench.complete(claimed) }
            _ = try await bench.completed { $0.labels = ["b"] }
            _ = try await bench.completed()
            let filters: [(Int, (inout ClearFilter) -> Void)] = [
                (0, { $0.featureID = "upscale" }), (2, { $0.batchID = batch.id }), (3, { $0.label = "b" }),
                (2, { ($0.label, $0.keeping) = ("b", 1) }), (4, { $0.featureID = "paint" }),
            ]
            for (count, change) in filters {
                var filter = ClearFilter()
                change(&filter)
                try expectEqual(try await bench.store.countClearable(filter), count, "how many would go")
            }
            try expectEqual(try await clear(bench) { $0.label = "b" }, [1, 2, 3], "those with the label")
        },
    ]

    /// Completed tasks, a second between them.
    private static func ended(_ bench: StoreBench, _ count: Int) async throws -> [BackgroundTask] {
        var tasks: [BackgroundTask] = []
        for _ in 0..<count {
            tasks.append(try await bench.completed())
            bench.clock.advance(by: .seconds(1))
        }
        return tasks
    }

    private static func clear(_ bench: StoreBench, _ change: (inout ClearFilter) -> Void) async throws
        -> [Int64]
    {
        var filter = ClearFilter()
        change(&filter)
        return try await bench.store.clear(filter, at: bench.now).map(\.number)
    }
}

extension StoreBench {
    fileprivate func schedule(_ name: String) -> Schedule {
        var task = NewTask(featureID: "paint")
        task.title = name
        return Schedule(
            name: name,
            rule: "every 1m",
            zone: "UTC",
            catchUp: .once,
            task: task,
            nextAt: now.adding(.seconds(60)),
            at: now
        )
    }

    fileprivate func firing(of schedule: Schedule, _ count: Int) -> ScheduleFiring {
        let tasks = (0..<count).map { _ in submission() }
        var after = schedule
        after.revision += 1
        after.made += Int64(count)
        after.lastTask = tasks.last?.id
        after.lastTick = schedule.nextAt
        after.nextAt = now.adding(.seconds(120))
        return ScheduleFiring(revision: schedule.revision, tasks: tasks, after: after)
    }
}
