// Tasks that come after others: what holds them back, what lets them go, and what ends them.

import BelfryCore

extension StoreConformance {
    static let dependencies: [StoreCheck] = [
        StoreCheck("a task is held until what it comes after is done, and then starts") { bench in
            let first = try await bench.addOne()
            let second = try await bench.add(after: [first])
            try expectEqual(second.holdCount, 1, "what holds it")
            try expectEqual(try await bench.claim().map(\.task.id), [first.id], "what can start")
            let kinds = try await bench.kindsOf {
                try await bench.settle(
                    Claim(taskID: first.id, fence: 1),
                    .completed(TaskResult(value: nil))
                )
            }
            try expectEqual(kinds, [.completed], "the events")
            let freed = try await bench.stored(second.id)
            try expectEqual(
                [freed.holdCount, Int(freed.revision)],
                [0, 2],
                "what holds it, and its revision"
            )
            try expectEqual(try await bench.claim().map(\.task.id), [second.id], "what can start then")
        },
        StoreCheck("a task waits for all that it comes after, also where one is named twice") { bench in
            let tasks = try await bench.add(3)
            let last = try await bench.add(after: [tasks[2], tasks[0], tasks[1], tasks[0]])
            try expectEqual(last.holdCount, 3, "what holds it")
            let edges = try await bench.edges(of: last)
            try expectEqual(edges.map(\.number), [3, 1, 2], "the order of the submission")
            for claimed in try await bench.claim(3) {
                try expect(try await bench.stored(last.id).holdCount > 0, "it is let go too early")
                try await bench.complete(claimed)
            }
            try expectEqual(
                try await bench.edges(of: last).map(\.isSatisfied),
                [true, true, true],
                "the edges"
            )
            try expectEqual(try await bench.claim().map(\.task.id), [last.id], "what can start")
        },
        StoreCheck("tasks of one submission come after one another in whatever order they are named") {
            bench in
            var (a, b, c) = (bench.submission(), bench.submission(), bench.submission())
            c.new.after = [b.id, a.id]
            b.new.after = [a.id]
            a.new.after = []
            let added = try await bench.store.add([c, a, b], batch: nil, at: bench.now)
            try expectEqual(added.map(\.task.number), [1, 2, 3], "the numbers")
            try expectEqual(added.map(\.task.holdCount), [2, 0, 1], "what holds them")
            var order: [TaskID] = []
            while let claimed = try await bench.claim(1).first {
                order.append(claimed.task.id)
                try await bench.complete(claimed)
            }
            try expectEqual(order, [a.id, b.id, c.id], "the order of their starts")
        },
        StoreCheck("what is done already holds nothing back") { bench in
            let done = try await bench.completed()
            let task = try await bench.add(after: [done])
            try expectEqual(task.holdCount, 0, "what holds it")
            try expectEqual(try await bench.edges(of: task).map(\.isSatisfied), [true], "the edge")
            try expectEqual(try await bench.claim().count, 1, "the claim")
        },
        StoreCheck(
            "when a dependency fails, those that come after it fail, down the line, each with its event"
        ) {
            bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task])
            let third = try await bench.add(after: [second])
            let events = try await bench.eventsOf { try await bench.fail(first) }
            try expectEqual(events.map(\.kind), [.failed, .failed, .failed], "the events")
            try expectEqual(events.compactMap { $0.task?.number }, [1, 2, 3], "their tasks")
            try expectEqual(events[2].draft.error?.code, "dependency_failed", "the event's error")
            let task = try await bench.stored(third.id)
            try expectEqual(task.status, .failed, "the status")
            try expectEqual(task.error?.code, "dependency_failed", "the error")
            try expect(task.error?.message.contains("#2") == true, "the error does not name what failed")
            try expectEqual([task.holdCount, task.attempt], [0, 0], "what holds it, and its attempts")
            try expectEqual(task.finishedAt, bench.now, "finishedAt")
            try expectEqual(try await bench.store.status().counts[.failed], 3, "the count of failed tasks")
        },
        StoreCheck("a dependency that is tried again fails nobody") { bench in
            let first = try await bench.running { $0.maxAttempts = 2 }
            let second = try await bench.add(after: [first.task])
            try await bench.fail(first, retryable: true)
            try expectEqual(try await bench.stored(second.id), second, "the one that waits")
            try await bench.complete(bench.claimOne())
            try expectEqual(try await bench.claim().map(\.task.id), [second.id], "what can start")
        },
        StoreCheck("with the policy run a task starts whatever became of what it comes after") { bench in
            let first = try await bench.running()
            let other = try await bench.addOne()
            let task = try await bench.add(after: [first.task, other], policy: .run)
            try await bench.fail(first)
            try expectEqual(try await bench.stored(task.id).holdCount, 1, "what holds it after the failure")
            _ = try await bench.store.requestCancel(other.id, at: bench.now)
            try expectEqual(try await bench.claim().map(\.task.id), [task.id], "what can start")
            let late = try await bench.add(after: [other], policy: .run)
            try expectEqual(late.holdCount, 0, "what holds a task after one that was cancelled before")
        },
        StoreCheck("a failure stops at a task with the policy run") { bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task], policy: .run)
            let third = try await bench.add(after: [second])
            try await bench.fail(first)
            try expectEqual(try await bench.stored(third.id), third, "the one behind it")
            try await bench.complete(bench.claimOne())
            try expectEqual(try await bench.claim().map(\.task.id), [third.id], "what can start")
        },
        StoreCheck("cancelling what others wait for ends them too, whether it was pending or ran") { bench in
            let pending = try await bench.addOne { $0.priority = -1 }
            let running = try await bench.running()
            let tasks = [try await bench.add(after: [pending]), try await bench.add(after: [running.task])]
            let kinds = try await bench.kindsOf {
                _ = try await bench.store.requestCancel(pending.id, at: bench.now)
            }
            try expectEqual(kinds, [.cancelled, .failed], "the events of the pending one")
            _ = try await bench.store.requestCancel(running.task.id, at: bench.now)
            try expectEqual(try await bench.stored(tasks[1].id), tasks[1], "while the running one is told")
            try await bench.settle(running.claim, .cancelled)
            for task in tasks {
                let error = try await bench.stored(task.id).error
                try expect(
                    error?.message.contains("was cancelled") == true,
                    "the error: \(error?.message ?? "")"
                )
            }
        },
        StoreCheck("a rescue that fails a task ends what comes after it") { bench in
            let first = try await bench.running { $0.onInterrupt = .fail }
            let second = try await bench.add(after: [first.task])
            let rescue = Rescue(alive: [], bootID: "boot-2", leaseTime: .zero, isSoleOwner: true)
            _ = try await bench.store.rescue(rescue, at: bench.now)
            try expectEqual(try await bench.stored(second.id).error?.code, "dependency_failed", "the error")
        },
        StoreCheck("a batch counts what fails because another failed, and finishes after the last of it") {
            bench in
            let first = try await bench.running()
            let batch = try await bench.addBatch(2) { $0.after = [first.task.id] }
            let events = try await bench.eventsOf { try await bench.fail(first) }
            try expectEqual(events.map(\.kind), [.failed, .failed, .failed, .batchFinished], "the events")
            try expectEqual(try await bench.store.batch(batch.id)?.failed, 2, "the batch's count")
            let kinds = try await bench.kindsOf { try await bench.retry(first.task) }
            try expectEqual(kinds, [.retried, .retried, .retried], "the events of the retry")
            try expectEqual(try await bench.store.batch(batch.id)?.finished, 0, "the count after the retry")
        },
        StoreCheck("dependencies, with what is satisfied, outlast a restart; tasks without any are left out")
        {
            bench in
            let done = try await bench.completed()
            let waiting = try await bench.addOne()
            let task = try await bench.add(after: [waiting, done])
            let reopened = try await bench.reopened()
            let found = try await reopened.store.dependencies(of: [task.id, waiting.id, done.id])
            try expectEqual(
                found,
                [
                    task.id: [
                        TaskDependency(id: waiting.id, number: 2, status: .pending, isSatisfied: false),
                        TaskDependency(id: done.id, number: 1, status: .completed, isSatisfied: true),
                    ]
                ],
                "the dependencies"
            )
            let nobody = try await reopened.store.dependencies(of: [reopened.ids.taskID(at: reopened.now)])
            try expectEqual(nobody, [:], "those of an unknown task")
            try await reopened.complete(reopened.claimOne())
            try expectEqual(try await reopened.claim().map(\.task.id), [task.id], "what can start")
        },
    ]

    static let dependencyRetries: [StoreCheck] = [
        StoreCheck("retrying what failed brings back those that failed with it, and they run") { bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task])
            let third = try await bench.add(after: [second])
            try await bench.fail(first)
            let events = try await bench.eventsOf { try await bench.retry(first.task) }
            try expectEqual(events.map(\.kind), [.retried, .retried, .retried], "the events")
            let back = try await bench.stored(third.id)
            try expectEqual(back.status, .pending, "the status of the last one")
            try expectEqual(back.error, nil, "its error")
            for task in [first.task, second, third] {
                let claimed = try await bench.claim()
                try expectEqual(claimed.map(\.task.id), [task.id], "what can start")
                try await bench.complete(claimed[0])
            }
        },
        StoreCheck("what failed by itself, or was cancelled, is not brought back") { bench in
            let first = try await bench.running()
            let cancelled = try await bench.add(after: [first.task])
            let other = try await bench.add(after: [first.task], policy: .run)
            _ = try await bench.store.requestCancel(cancelled.id, at: bench.now)
            try await bench.fail(first)
            try await bench.fail(bench.claimOne())
            try await bench.retry(first.task)
            try expectEqual(try await bench.stored(cancelled.id).status, .cancelled, "the cancelled one")
            try expectEqual(try await bench.stored(other.id).error?.code, "exit_status", "the failed one")
        },
        StoreCheck("a task that comes back waits for its time and its release as before") { bench in
            let first = try await bench.running()
            let due = bench.now.adding(.seconds(60))
            let delayed = try await bench.add(after: [first.task]) { $0.notBefore = due }
            let stashed = try await bench.add(after: [first.task]) { $0.isStashed = true }
            try await bench.fail(first)
            let reopened = try await bench.reopened()
            try await reopened.retry(first.task)
            try await reopened.complete(reopened.claimOne())
            try expectEqual(try await reopened.claim(), [], "what can start")
            try expectEqual(try await reopened.store.pendingWork().nextDue, due, "the next time")
            bench.clock.advance(by: .seconds(60))
            try expectEqual(try await reopened.claim().map(\.task.id), [delayed.id], "what can start in time")
            _ = try await reopened.store.setStashed(false, stashed.id, at: reopened.now)
            try expectEqual(
                try await reopened.claim().map(\.task.id),
                [stashed.id],
                "what can start when released"
            )
        },
        StoreCheck("a task comes back only when all that failed has been retried") { bench in
            try await bench.add(2)
            let both = try await bench.claim(2)
            let task = try await bench.add(after: both.map(\.task))
            for claimed in both { try await bench.fail(claimed) }
            try await bench.retry(both[0].task)
            try expectEqual(try await bench.stored(task.id).status, .failed, "the status after one retry")
            try await bench.retry(both[1].task)
            let back = try await bench.stored(task.id)
            try expectEqual(back.status, .pending, "the status after both")
            try expectEqual(back.holdCount, 2, "what holds it")
        },
        StoreCheck("a retry minds what was done while the task was final") { bench in
            try await bench.add(2)
            let both = try await bench.claim(2)
            let failed = try await bench.add(after: both.map(\.task))
            let cancelled = try await bench.add(after: both.map(\.task))
            _ = try await bench.store.requestCancel(cancelled.id, at: bench.now)
            try await bench.fail(both[0])
            try await bench.complete(both[1])
            try await bench.retry(both[0].task)
            try expectEqual(
                try await bench.stored(failed.id).holdCount,
                1,
                "what holds the one that came back"
            )
            try await bench.complete(bench.claimOne())
            try expectEqual(try await bench.retry(cancelled).holdCount, 0, "what holds the cancelled one")
            try expectEqual(
                try await bench.edges(of: cancelled).map(\.isSatisfied),
                [true, true],
                "its edges"
            )
            try expectEqual(
                try await bench.claim().map(\.task.id),
                [failed.id, cancelled.id],
                "what can start"
            )
        },
        StoreCheck("a retry of a task whose dependency has failed is refused, and changes nothing") { bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task])
            try await bench.fail(first)
            let before = try await bench.stored(second.id)
            let kinds = try await bench.kindsOf {
                try await expectRefusal("the retry", \.isDependency) { try await bench.retry(second) }
            }
            try expectEqual(kinds, [], "the events")
            try expectEqual(try await bench.stored(second.id), before, "the task")
        },
        StoreCheck("a dependency that failed and was cleared has still failed, also after a restart") {
            bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task])
            try await bench.fail(first)
            var filter = ClearFilter()
            (filter.ids, filter.statuses) = ([first.task.id], [.failed])
            try expectEqual(try await bench.store.clear(filter, at: bench.now).count, 1, "what is cleared")
            let reopened = try await bench.reopened()
            let before = try await reopened.stored(second.id)
            try await expectRefusal("the retry", { $0.isDependency && "\($0)".contains("#1") }) {
                try await reopened.retry(second)
            }
            try expectEqual(try await reopened.stored(second.id), before, "the task")
            let edges = try await reopened.edges(of: second)
            try expectEqual(edges.map(\.status), [.failed], "how its edge ended")
            try expectEqual(edges.map(\.isRemoved), [true], "whether it is gone")
        },
        StoreCheck("a dependency that was completed and cleared holds nothing back, and keeps its place") {
            bench in
            try await bench.add(2)
            let both = try await bench.claim(2)
            let third = try await bench.add(after: both.map(\.task))
            _ = try await bench.store.requestCancel(third.id, at: bench.now)
            for claimed in both { try await bench.complete(claimed) }
            var filter = ClearFilter()
            filter.ids = [both[0].task.id]
            _ = try await bench.store.clear(filter, at: bench.now)
            try expectEqual(try await bench.retry(third).holdCount, 0, "what holds it")
            let edges = try await bench.edges(of: third)
            try expectEqual(edges.map(\.id), both.map(\.task.id), "the edges")
            try expectEqual(edges.map(\.isSatisfied), [true, true], "whether they hold")
            try expectEqual(edges.map(\.isRemoved), [true, false], "which is gone")
        },
        StoreCheck("a retry of a task whose dependency is on its way waits for it") { bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task])
            _ = try await bench.store.requestCancel(second.id, at: bench.now)
            try expectEqual(try await bench.retry(second).holdCount, 1, "what holds it")
            try await bench.complete(first)
            try expectEqual(try await bench.claim().map(\.task.id), [second.id], "what can start")
        },
        StoreCheck("what came after a task and is done stays done when that task is retried") { bench in
            let first = try await bench.completed()
            let second = try await bench.add(after: [first])
            try await bench.complete(bench.claimOne())
            let done = try await bench.stored(second.id)
            try await bench.retry(first)
            try await bench.fail(bench.claimOne())
            try expectEqual(try await bench.stored(second.id), done, "the second task")
        },
    ]
}

extension StoreBench {
    /// Adds a task that comes after others.
    func add(
        after tasks: [BackgroundTask],
        policy: DependencyPolicy = .fail,
        change: (inout NewTask) -> Void = { _ in }
    ) async throws -> BackgroundTask {
        try await addOne { new in
            new.after = tasks.map(\.id)
            new.options.onDependencyFailure = policy
            change(&new)
        }
    }

    func edges(of task: BackgroundTask) async throws -> [TaskDependency] {
        try await store.dependencies(of: [task.id])[task.id] ?? []
    }

    @discardableResult
    func retry(_ task: BackgroundTask) async throws -> BackgroundTask {
        try await store.retry(task.id, attempts: 1, context: nil, at: now)
    }
}

extension TaskStoreError {
    var isDependency: Bool {
        if case .dependency = self { true } else { false }
    }
}
