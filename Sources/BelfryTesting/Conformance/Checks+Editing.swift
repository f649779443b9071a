// What may be changed about a task that waits, and what a claim makes of it.

import BelfryCore

extension StoreConformance {
    static let editing: [StoreCheck] = [
        StoreCheck("an edit changes what it names, makes one event, and is read back as it was returned") {
            bench in
            let task = try await bench.addOne { $0.labels = ["old"] }
            bench.clock.advance(by: .seconds(1))
            let edit = everything(bench)
            let events = try await bench.eventsOf {
                _ = try await bench.store.edit(task.id, edit, at: bench.now)
            }
            let expected = try changed(task, by: edit, at: bench.now)
            try expectEqual(try await bench.stored(task.id), expected, "the task")
            let reopened = try await bench.reopened()
            try expectEqual(try await reopened.stored(task.id), expected, "the task after a restart")
            try expectEqual(events.map(\.kind), [.edited], "the events")
            try expectEqual(events[0].task, TaskSummary(expected), "the event's summary")
        },
        StoreCheck("an edit leaves what it does not name, and takes away times") { bench in
            let task = try await bench.addOne {
                $0.notBefore = bench.now.adding(.seconds(60))
                $0.deadline = bench.now.adding(.seconds(90))
                $0.options.retry = .never
                $0.needs = TaskNeeds(slots: 2)
            }
            var edit = TaskEdit()
            edit.title = "another title"
            var expected = task
            (expected.title, expected.revision) = ("another title", 2)
            try expectEqual(try await bench.store.edit(task.id, edit, at: bench.now), expected, "the task")
            edit = TaskEdit()
            (edit.notBefore, edit.deadline) = (.some(nil), .some(nil))
            (expected.notBefore, expected.deadline, expected.revision) = (nil, nil, 3)
            try expectEqual(
                try await bench.store.edit(task.id, edit, at: bench.now),
                expected,
                "without times"
            )
            let work = try await bench.store.pendingWork()
            try expectEqual([work.nextDue, work.nextDeadline], [nil, nil], "the next times")
            let claimed = try await bench.claim(needing: [TaskNeeds(slots: 2)], slots: 2)
            try expectEqual(claimed.map(\.task.id), [task.id], "a claim")
        },
        StoreCheck("claims follow the group, the needs and the priority that an edit gives") { bench in
            let tasks = try await bench.add(3)
            var edit = TaskEdit()
            (edit.group, edit.needs) = ("night", TaskNeeds(slots: 2))
            let moved = try await bench.store.edit(tasks[0].id, edit, at: bench.now).lane
            try expectEqual(try await bench.store.pendingWork().lanes, [moved, tasks[1].lane], "the lanes")
            edit = TaskEdit()
            edit.priority = 1
            _ = try await bench.store.edit(tasks[2].id, edit, at: bench.now)
            try expectEqual(try await bench.claim().map(\.task.number), [3, 2], "what the old lane has")
            let night = try await bench.claim(9, lanes: [moved: 9])
            try expectEqual(night.map(\.task.number), [1], "what the new lane has")
        },
        StoreCheck("claims follow the time that an edit gives") { bench in
            let task = try await bench.addOne()
            let due = bench.now.adding(.seconds(10))
            var edit = TaskEdit()
            edit.notBefore = due
            _ = try await bench.store.edit(task.id, edit, at: bench.now)
            try expectEqual(try await bench.claim(), [], "a claim too early")
            try expectEqual(try await bench.store.pendingWork().nextDue, due, "the next time")
            edit.notBefore = bench.now.adding(.seconds(5))
            _ = try await bench.store.edit(task.id, edit, at: bench.now)
            bench.clock.advance(by: .seconds(5))
            try expectEqual(try await bench.claim().map(\.task.id), [task.id], "a claim at the second time")
        },
        StoreCheck("an edited task that is held stays held") { bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task])
            var edit = TaskEdit()
            (edit.notBefore, edit.priority) = (.some(nil), 9)
            let edited = try await bench.store.edit(second.id, edit, at: bench.now)
            try expectEqual(edited.holdCount, 1, "what holds it")
            try expectEqual(try await bench.claim(), [], "a claim")
            try await bench.complete(first)
            try expectEqual(try await bench.claim().map(\.task.id), [second.id], "a claim after the first")
        },
        StoreCheck("attempts that an edit gives count from the next one on") { bench in
            let first = try await bench.running { $0.maxAttempts = 2 }
            try await bench.fail(first, retryable: true)
            var edit = TaskEdit()
            edit.maxAttempts = 1
            let edited = try await bench.store.edit(first.task.id, edit, at: bench.now)
            try expectEqual(edited.maxAttempts, 2, "the attempt that is the last")
            let last = try await bench.fail(bench.claimOne(), retryable: true)
            try expectEqual(last.status, .failed, "the status after one more attempt")
        },
        StoreCheck("only pending tasks are changed, and a refusal changes nothing") { bench in
            let running = try await bench.running()
            let done = try await bench.completed()
            for task in [running.task, done] {
                let kinds = try await bench.kindsOf {
                    try await expectRefusal("a \(task.status) task", \.isRefused) {
                        try await bench.store.edit(task.id, everything(bench), at: bench.now)
                    }
                }
                try expectEqual(kinds, [], "the events")
                try expectEqual(try await bench.stored(task.id), task, "the task")
            }
            try await expectRefusal("an unknown task", \.isNotFound) {
                try await bench.store.edit(bench.ids.taskID(at: bench.now), TaskEdit(), at: bench.now)
            }
        },
    ]

    /// What a first edit that names everything makes of a new task.
    private static func changed(_ task: BackgroundTask, by edit: TaskEdit, at now: Timestamp) throws
        -> BackgroundTask
    {
        var task = task
        task.title = try unwrap(edit.title, "a title")
        task.params = try unwrap(edit.params, "params")
        task.priority = try unwrap(edit.priority, "a priority")
        task.group = try unwrap(edit.group, "a group")
        task.needs = try unwrap(edit.needs, "needs")
        task.notBefore = try unwrap(edit.notBefore, "a time")
        task.deadline = try unwrap(edit.deadline, "a deadline")
        task.labels = try unwrap(edit.labels, "labels")
        task.maxAttempts = try unwrap(edit.maxAttempts, "attempts")
        task.notify = try unwrap(edit.notify, "a policy")
        task.options = try unwrap(edit.options, "options")
        (task.revision, task.updatedAt) = (2, now)
        return task
    }

    /// A change to all that can be changed.
    private static func everything(_ bench: StoreBench) -> TaskEdit {
        var edit = TaskEdit()
        edit.title = "another title"
        edit.params = ["prompt": "a castle", "steps": 7]
        edit.priority = -3
        edit.group = "night"
        edit.needs = TaskNeeds(slots: 2, resources: ["gpu": 1])
        edit.notBefore = bench.now.adding(.seconds(60))
        edit.deadline = bench.now.adding(.seconds(90))
        edit.labels = ["a", "b\u{0}c"]
        edit.maxAttempts = 7
        edit.notify = NotifyPolicy.none
        var options = TaskOptions()
        options.timeouts = TaskTimeouts(attempt: .seconds(30), idle: .milliseconds(1500))
        options.retry = RetryPolicy()
        options.retry?.retryOn = ["*"]
        options.onDependencyFailure = .run
        options.schedule = "nightly"
        edit.options = options
        return edit
    }
}
