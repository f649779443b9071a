// What survives a restart, and what holds when many write at once.

import BelfryCore
import Synchronization

extension StoreConformance {
    static let reopening: [StoreCheck] = [
        StoreCheck("a store that is opened again has everything it had") { bench in
            let batch = try await bench.addBatch(3) {
                $0.context = SubmissionContext(workingDirectory: "/tmp")
            }
            let claimed = try await bench.claim(2)
            try await bench.complete(claimed[0])
            try await bench.store.saveCursor(EventCursor(epoch: "e", position: 4), of: "file")
            try await bench.store.park(ParkedEvent(sink: "file", position: 2, reason: "odd", time: bench.now))
            let before = try await contents(bench, batch.id)
            let reopened = try await bench.reopened()
            let after = try await contents(reopened, batch.id)
            try expectEqual(after.tasks, before.tasks, "the tasks")
            try expectEqual(after.events, before.events, "the events")
            try expectEqual(after.attempts, before.attempts, "the attempts")
            try expectEqual(after.batch, before.batch, "the batch")
            try expectEqual(after.status, before.status, "the status, epoch included")
            let cursor = try await reopened.store.cursor(of: "file")
            try expectEqual(cursor, EventCursor(epoch: "e", position: 4), "the cursor")
            try expectEqual(try await reopened.store.parkedEvents(of: "file").count, 1, "the parked events")
            try expectEqual(
                try await reopened.claimOne().context,
                SubmissionContext(workingDirectory: "/tmp"),
                "the context"
            )
        },
        StoreCheck("numbers, positions and fences go on after a restart, also when everything was cleared") {
            bench in
            let task = try await bench.completed()
            _ = try await bench.store.clear(ClearFilter(), at: bench.now)
            let newest = try await bench.store.status().newest
            let reopened = try await bench.reopened()
            let next = try await reopened.addOne()
            try expectEqual(next.number, task.number + 1, "the next number")
            try expectEqual(try await reopened.store.status().newest, newest + 1, "the next position")
        },
        StoreCheck("a claim is good over a restart until it is rescued") { bench in
            let claimed = try await bench.running()
            let reopened = try await bench.reopened()
            try expectEqual(try await reopened.stored(claimed.task.id), claimed.task, "the running task")
            let rescue = Rescue(alive: [], bootID: "boot-2", leaseTime: .zero, isSoleOwner: true)
            let rescued = try await reopened.store.rescue(rescue, at: reopened.now)
            try expectEqual(rescued.map(\.id), [claimed.task.id], "the rescued tasks")
            try await expectRefusal("the outcome of the old claim", \.isLeaseLost) {
                try await reopened.complete(claimed)
            }
        },
        StoreCheck("waiting tasks still wait after a restart, and are due in time") { bench in
            let due = bench.now.adding(.seconds(30))
            try await bench.add(1) { $0.notBefore = due }
            let reopened = try await bench.reopened()
            let work = try await reopened.store.pendingWork()
            try expectEqual(work.nextDue, due, "the next time")
            try expectEqual(try await reopened.claim(), [], "a claim too early")
            reopened.clock.advance(by: .seconds(30))
            try expectEqual(try await reopened.claim().count, 1, "a claim in time")
        },
        StoreCheck("a store that was closed was not left uncleanly") { bench in
            try await bench.add(1)
            let reopened = try await bench.reopened()
            try expect(!(try await reopened.store.status().wasUnclean), "a closed store counts as unclean")
            try expectEqual(try await reopened.store.status().counts[.pending], 1, "its tasks")
        },
    ]

    private struct Contents {
        var tasks: [BackgroundTask]
        var events: [TaskEvent]
        var attempts: [[Attempt]]
        var batch: TaskBatch?
        var status: StoreStatus
    }

    private static func contents(_ bench: StoreBench, _ batch: BatchID) async throws -> Contents {
        let tasks = try await bench.store.tasks(TaskQuery()).tasks
        var attempts: [[Attempt]] = []
        for task in tasks { attempts.append(try await bench.store.attempts(of: task.id)) }
        return Contents(
            tasks: tasks,
            events: try await bench.events(),
            attempts: attempts,
            batch: try await bench.store.batch(batch),
            status: try await bench.store.status()
        )
    }

    static let concurrency: [StoreCheck] = [
        StoreCheck("a task is claimed by one worker, however many ask at once") { bench in
            try await bench.add(200)
            let numbers = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for worker in 0..<16 {
                    group.addTask {
                        var mine: [Int64] = []
                        while true {
                            let claimed = try await bench.claim(3, worker: WorkerID("worker-\(worker)"))
                            if claimed.isEmpty { return mine }
                            mine += claimed.map(\.task.number)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try expectEqual(numbers.sorted(), Array(1...200), "the numbers that were claimed")
            let started = try await bench.events().filter { $0.kind == .started }
            try expectEqual(started.count, 200, "the number of task.started")
        },
        StoreCheck("of many that settle one attempt at once, one succeeds") { bench in
            let batch = try await bench.addBatch(1)
            let claimed = try await bench.claimOne()
            let wins = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        do { try await bench.complete(claimed) } catch let error as TaskStoreError
                            where error.isLeaseLost
                        { return 0 }
                        return 1
                    }
                }
                return try await group.reduce(0, +)
            }
            try expectEqual(wins, 1, "the number of outcomes taken")
            try expectEqual(try await bench.store.batch(batch.id)?.completed, 1, "the batch's count")
        },
        StoreCheck("the same submission from many at once is one task") { bench in
            let submission = bench.submission { $0.idempotencyKey = "order-7" }
            let sameKey = bench.submission { $0.idempotencyKey = "order-7" }
            let news = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<12 {
                    group.addTask {
                        let added = try await bench.store.add(
                            [index % 2 == 0 ? submission : sameKey],
                            batch: nil,
                            at: bench.now
                        )
                        return added.count(where: \.isNew)
                    }
                }
                return try await group.reduce(0, +)
            }
            try expectEqual(news, 1, "the number of new tasks")
            try expectEqual(try await bench.events().count, 1, "the number of events")
        },
        StoreCheck("a reader beside 8 writers sees every position once and in order") { bench in
            let (writers, each) = (8, 25)
            // Each task is added, claimed and completed: three events, whoever works on it.
            let total = Int64(writers * each * 3)
            let seen = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for writer in 0..<writers {
                    group.addTask {
                        try await write(each, to: bench, as: writer)
                        return []
                    }
                }
                group.addTask { try await read(until: total, from: bench) }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try expectEqual(seen, Array(1...total), "the positions")
            try expectEqual(
                try await bench.store.status().counts[.completed],
                writers * each,
                "completed tasks"
            )
        },
    ]

    private static func write(_ count: Int, to bench: StoreBench, as writer: Int) async throws {
        let feature = "writer-\(writer)"
        let lane = Lane(group: "default", featureID: feature)
        for _ in 0..<count {
            try await bench.add(1, feature)
            let claimed = try await bench.claim(1, lanes: [lane: 1], worker: WorkerID(feature))
            for task in claimed { try await bench.complete(task) }
        }
    }

    private static func read(until last: Int64, from bench: StoreBench) async throws -> [Int64] {
        var seen: [Int64] = []
        while (seen.last ?? 0) < last {
            try Task.checkCancellation()
            let page = try await bench.store.events(after: seen.last ?? 0, limit: 64)
            seen += page.events.map(\.position)
            if page.events.isEmpty { await Task.yield() }
        }
        return seen
    }
}
