// What crosses tasks: the counts of a batch, the rescue of dead attempts, clearing away.

import BelfryCore

extension StoreConformance {
    static let batches: [StoreCheck] = [
        StoreCheck("batch.added comes first, then its tasks, and the batch can be read") { bench in
            let batch = try await bench.addBatch(3)
            let events = try await bench.events()
            try expectEqual(events.map(\.kind), [.batchAdded, .added, .added, .added], "the events")
            try expectEqual(events[0].batch?.id, batch.id, "the event's batch")
            try expectEqual(events[0].task, nil, "the event's task")
            let stored = try await unwrap(bench.store.batch(batch.id), "the batch")
            try expectEqual(stored, events[0].batch, "the batch beside its event")
            try expectEqual([stored.total, stored.finished], [3, 0], "total and finished")
        },
        StoreCheck("a batch counts how its tasks end, and finishes once, after the last event of its tasks") {
            bench in
            let batch = try await bench.addBatch(3)
            let claimed = try await bench.claim(2)
            try await bench.complete(claimed[0])
            try await bench.fail(claimed[1])
            let halfway = try await unwrap(bench.store.batch(batch.id), "the batch")
            try expectEqual(
                [halfway.completed, halfway.failed, halfway.cancelled],
                [1, 1, 0],
                "the counts so far"
            )
            let events = try await bench.eventsOf {
                _ = try await bench.store.requestCancel(batch.tasks[2].id, at: bench.now)
            }
            try expectEqual(events.map(\.kind), [.cancelled, .batchFinished], "the events of the last one")
            let counts = events[1].batch.map { [$0.completed, $0.failed, $0.cancelled] }
            try expectEqual(counts, [1, 1, 1], "the counts in the event")
            try expectEqual(try await bench.store.batch(batch.id), events[1].batch, "the stored batch")
            let all = try await bench.events().filter { $0.kind == .batchFinished }
            try expectEqual(all.count, 1, "the number of batch.finished")
        },
        StoreCheck("an attempt that is tried again does not count, and cancelling a running task counts once")
        { bench in
            let batch = try await bench.addBatch(2) { $0.maxAttempts = 2 }
            let claimed = try await bench.claim(2)
            try await bench.fail(claimed[0], retryable: true)
            try await bench.settle(claimed[1].claim, .interrupted)
            try expectEqual(
                try await bench.store.batch(batch.id)?.finished,
                0,
                "finished after the first attempts"
            )
            let again = try await bench.claim(2)
            _ = try await bench.store.requestCancel(again[0].task.id, at: bench.now)
            try expectEqual(try await bench.store.batch(batch.id)?.finished, 0, "finished after the request")
            try await bench.settle(again[0].claim, .cancelled)
            try expectEqual(try await bench.store.batch(batch.id)?.cancelled, 1, "cancelled")
        },
        StoreCheck("a batch whose task is retried is open again and finishes again, once") { bench in
            let batch = try await bench.addBatch(2)
            for claimed in try await bench.claim(2) { try await bench.fail(claimed) }
            _ = try await bench.store.retry(batch.tasks[0].id, attempts: 1, context: nil, at: bench.now)
            try expectEqual(try await bench.store.batch(batch.id)?.failed, 1, "failed while one runs again")
            let kinds = try await bench.kindsOf { try await bench.complete(bench.claimOne()) }
            try expectEqual(kinds, [.started, .completed, .batchFinished], "the events of the retry")
            let counts = try await bench.store.batch(batch.id).map { [$0.completed, $0.failed] }
            try expectEqual(counts, [1, 1], "the counts at the end")
        },
        StoreCheck("a batch that is sent again makes no second batch") { bench in
            let submissions = [bench.submission(), bench.submission()]
            func send() async throws -> (BatchID, [AddedTask]) {
                let batch = TaskBatch(
                    id: bench.ids.batchID(at: bench.now),
                    title: "",
                    total: 2,
                    createdAt: bench.now
                )
                let tasks = submissions.map { submission in
                    var submission = submission
                    submission.new.batchID = batch.id
                    return submission
                }
                return (batch.id, try await bench.store.add(tasks, batch: batch, at: bench.now))
            }
            let (first, _) = try await send()
            var second: (id: BatchID, tasks: [AddedTask])?
            let kinds = try await bench.kindsOf { second = try await send() }
            try expectEqual(kinds, [], "the repeat's events")
            try expectEqual(second?.tasks.map(\.isNew), [false, false], "isNew")
            try expectEqual(
                Set(second?.tasks.map(\.task.batchID) ?? []),
                [first],
                "the batch of the stored tasks"
            )
            let ghost = try await bench.store.batch(unwrap(second, "the repeat").id)
            try expectEqual(ghost, nil, "the second batch: it could never finish")
        },
        StoreCheck("a batch that is partly a repeat counts its new tasks, so that it can finish") { bench in
            let known = bench.submission()
            _ = try await bench.store.add([known], batch: nil, at: bench.now)
            let batch = TaskBatch(
                id: bench.ids.batchID(at: bench.now),
                title: "",
                total: 2,
                createdAt: bench.now
            )
            var repeated = known
            repeated.new.batchID = batch.id
            let fresh = bench.submission { $0.batchID = batch.id }
            _ = try await bench.store.add([repeated, fresh], batch: batch, at: bench.now)
            try expectEqual(try await bench.store.batch(batch.id)?.total, 1, "the total")
            for claimed in try await bench.claim() { try await bench.complete(claimed) }
            let finished = try await bench.events().filter { $0.kind == .batchFinished }
            try expectEqual(finished.count, 1, "the number of batch.finished")
        },
    ]

    static let rescuing: [StoreCheck] = [
        StoreCheck("the sole owner rescues every attempt that is not its own, whatever its lease says") {
            bench in
            let dead = try await bench.running()
            try await bench.add(1)
            let alive = try await bench.claimOne(worker: WorkerID("alive"))
            let rescued = try await rescue(bench, alive: ["alive"], isSoleOwner: true)
            try expectEqual(rescued.map(\.id), [dead.task.id], "the rescued tasks")
            try expectEqual(rescued, [try await bench.stored(dead.task.id)], "the task as it is afterwards")
            try expectEqual(rescued[0].status, .pending, "its status")
            try expectEqual(try await bench.stored(alive.task.id), alive.task, "the one that lives")
        },
        StoreCheck("among several owners a lease is good until it expires") { bench in
            let claimed = try await bench.running()
            try expectEqual(try await rescue(bench, leaseTime: 59), [], "rescued before the lease expired")
            try expectEqual(
                try await rescue(bench, leaseTime: 60).map(\.id),
                [claimed.task.id],
                "rescued when it expired"
            )
        },
        StoreCheck("an extended lease is not rescued at the old time") { bench in
            let claimed = try await bench.running()
            _ = try await bench.store.extendLeases([claimed.claim], to: bench.lease(120))
            try expectEqual(try await rescue(bench, leaseTime: 100), [], "rescued at the old time")
            try expectEqual(try await rescue(bench, leaseTime: 120).count, 1, "rescued at the new time")
        },
        StoreCheck("a lease from another boot is void") { bench in
            try await bench.add(1)
            let claimed = try await bench.claimOne(lease: bench.lease(1_000_000, bootID: "boot-0"))
            try expectEqual(try await rescue(bench, leaseTime: 1).map(\.id), [claimed.task.id], "rescued")
        },
        StoreCheck("rescue counts in batches, closes attempts, and minds what was asked of each task") {
            bench in
            let batch = try await bench.addBatch(3) { new in
                new.onInterrupt = .fail
                new.notify = .none
            }
            _ = try await bench.claim(2)
            _ = try await bench.store.requestCancel(batch.tasks[1].id, at: bench.now)
            let events = try await bench.eventsOf {
                let rescued = try await rescue(bench, isSoleOwner: true)
                try expectEqual(rescued.map(\.status), [.failed, .cancelled], "the statuses")
            }
            try expectEqual(events.map(\.kind), [.failed, .cancelled], "the events")
            let counts = try await bench.store.batch(batch.id).map { [$0.failed, $0.cancelled, $0.finished] }
            try expectEqual(counts, [1, 1, 2], "the batch's counts")
            let outcomes = try await bench.store.attempts(of: batch.tasks[0].id).map(\.outcome)
            try expectEqual(outcomes, [.interrupted], "the attempt")
        },
        StoreCheck("rescue of a store where nothing is dead writes nothing") { bench in
            let done = try await bench.completed()
            let waiting = try await bench.addOne()
            let kinds = try await bench.kindsOf {
                try expectEqual(try await rescue(bench, isSoleOwner: true), [], "the rescued tasks")
            }
            try expectEqual(kinds, [], "the events")
            try expectEqual(try await bench.store.tasks(TaskQuery()).tasks, [waiting, done], "the tasks")
        },
    ]

    private static func rescue(
        _ bench: StoreBench,
        alive: [String] = [],
        leaseTime: Int = 0,
        isSoleOwner: Bool = false
    ) async throws -> [BackgroundTask] {
        let rescue = Rescue(
            alive: Set(alive.map { WorkerID($0) }),
            bootID: StoreBench.bootID,
            leaseTime: .seconds(leaseTime),
            isSoleOwner: isSoleOwner
        )
        return try await bench.store.rescue(rescue, at: bench.now)
    }

    static let clearing: [StoreCheck] = [
        StoreCheck("by default completed tasks are cleared, with one task.removed each, oldest first") {
            bench in
            let tasks = try await oneOfEach(bench)
            let events = try await bench.eventsOf {
                let removed = try await bench.store.clear(ClearFilter(), at: bench.now)
                try expectEqual(removed, [TaskSummary(tasks.completed)], "what was removed")
            }
            try expectEqual(events.map(\.kind), [.removed], "the events")
            try expectEqual(events[0].task, TaskSummary(tasks.completed), "the event's summary")
            try expectEqual(try await bench.store.task(tasks.completed.id), nil, "the task by id")
            try expectEqual(
                try await bench.store.task(number: tasks.completed.number),
                nil,
                "the task by number"
            )
            try expectEqual(try await bench.store.attempts(of: tasks.completed.id), [], "its attempts")
            try expectEqual(
                try await bench.store.tasks(TaskQuery()).tasks.count,
                4,
                "the number of tasks left"
            )
        },
        StoreCheck("pending and running tasks are never cleared, whatever is asked") { bench in
            let tasks = try await oneOfEach(bench)
            var filter = ClearFilter()
            filter.statuses = Set(TaskStatus.allCases)
            let removed = try await bench.store.clear(filter, at: bench.now)
            try expectEqual(
                Set(removed.map(\.status)),
                [.completed, .failed, .cancelled],
                "the statuses removed"
            )
            let left = try await bench.store.tasks(TaskQuery()).tasks.map(\.id)
            try expectEqual(Set(left), [tasks.pending.id, tasks.running.task.id], "what is left")
            try expectEqual(
                try await bench.complete(tasks.running).status,
                .completed,
                "the running one's outcome"
            )
        },
        StoreCheck("a clear can be limited to ids, to what finished before a time, and in number") { bench in
            var done: [BackgroundTask] = []
            for _ in 0..<6 {
                done.append(try await bench.completed())
                bench.clock.advance(by: .seconds(1))
            }
            func clear(_ change: (inout ClearFilter) -> Void) async throws -> [Int64] {
                var filter = ClearFilter()
                change(&filter)
                return try await bench.store.clear(filter, at: bench.now).map(\.number)
            }
            try expectEqual(try await clear { $0.ids = [] }, [], "no ids")
            try expectEqual(
                try await clear { $0.ids = [done[4].id, bench.ids.taskID(at: bench.now)] },
                [5],
                "one id"
            )
            try expectEqual(
                try await clear { $0.finishedBefore = done[1].finishedAt },
                [1],
                "finished before the 2nd"
            )
            try expectEqual(try await clear { $0.limit = 2 }, [2, 3], "two at most")
            try expectEqual(try await clear { $0.limit = 2 }, [4, 6], "two more")
            try expectEqual(try await clear { $0.limit = 2 }, [], "none left")
        },
        StoreCheck("what is cleared leaves its events and its number, and positions go on") { bench in
            let task = try await bench.completed()
            let before = try await bench.events()
            _ = try await bench.store.clear(ClearFilter(), at: bench.now)
            let after = try await bench.events()
            try expectEqual(Array(after.prefix(before.count)), before, "the events from before")
            try expectEqual(
                try await bench.store.events(of: task.id, limit: 9).last?.kind,
                .removed,
                "its last event"
            )
            try expectEqual(try await bench.addOne().number, task.number + 1, "the next number")
            try expectEqual(
                try await bench.events().last?.position,
                Int64(before.count) + 2,
                "the next position"
            )
        },
        StoreCheck("a cleared task's id and key are free again") { bench in
            let submission = bench.submission { $0.idempotencyKey = "order-7" }
            _ = try await bench.store.add([submission], batch: nil, at: bench.now)
            try await bench.complete(bench.claimOne())
            _ = try await bench.store.clear(ClearFilter(), at: bench.now)
            let again = try await bench.store.add([submission], batch: nil, at: bench.now)
            try expectEqual(again.map(\.isNew), [true], "isNew")
            try expectEqual(again.map(\.task.attempt), [0], "the attempts it remembers")
        },
        StoreCheck("late writes about a cleared task are refused") { bench in
            let claimed = try await bench.running()
            try await bench.complete(claimed)
            _ = try await bench.store.clear(ClearFilter(), at: bench.now)
            try await expectRefusal("an outcome", { $0.isLeaseLost || $0.isNotFound }) {
                try await bench.complete(claimed)
            }
            try expectEqual(
                try await bench.store.extendLeases([claimed.claim], to: bench.lease()),
                [claimed.claim],
                "the lease"
            )
            try await expectRefusal("a retry", \.isNotFound) {
                try await bench.store.retry(claimed.task.id, attempts: 1, context: nil, at: bench.now)
            }
        },
        StoreCheck("a batch stays while it has tasks and goes with the last of them") { bench in
            let batch = try await bench.addBatch(2)
            let claimed = try await bench.claim(2)
            try await bench.complete(claimed[0])
            _ = try await bench.store.clear(ClearFilter(), at: bench.now)
            let half = try await bench.store.batch(batch.id)
            try expectEqual(
                half.map { [$0.total, $0.completed] },
                [2, 1],
                "the counts with one task cleared"
            )
            let kinds = try await bench.kindsOf { try await bench.complete(claimed[1]) }
            try expectEqual(kinds, [.completed, .batchFinished], "the events of the last task")
            _ = try await bench.store.clear(ClearFilter(), at: bench.now)
            try expectEqual(try await bench.store.batch(batch.id), nil, "the batch with all tasks cleared")
        },
    ]

    private static func oneOfEach(_ bench: StoreBench) async throws -> (
        completed: BackgroundTask, pending: BackgroundTask, running: ClaimedTask
    ) {
        let completed = try await bench.completed()
        try await bench.fail(try await bench.running())
        _ = try await bench.store.requestCancel(try await bench.addOne().id, at: bench.now)
        let running = try await bench.running()
        return (completed, try await bench.addOne(), running)
    }
}
