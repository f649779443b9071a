// Who gets which task, and what a claim is worth afterwards.

import BelfryCore

extension StoreConformance {
    static let claiming: [StoreCheck] = [
        StoreCheck("a claimed task is processing, with owner, lease, attempt 1 and a higher fence") { bench in
            let added = try await bench.addOne()
            bench.clock.advance(by: .seconds(3))
            let claimed = try await bench.claimOne()
            let task = claimed.task
            try expectEqual(task, try await bench.stored(added.id), "the stored task")
            try expectEqual(task.status, .processing, "the status")
            try expectEqual(task.owner, StoreBench.worker, "the owner")
            try expectEqual(task.lease, bench.lease(), "the lease")
            try expectEqual(task.attempt, 1, "the attempt")
            try expect(task.fence > added.fence, "the fence did not rise")
            try expectEqual(task.startedAt, bench.now, "startedAt")
            try expectEqual(try await bench.events(after: 1).map(\.kind), [.started], "the events")
        },
        StoreCheck("a claimed task is not claimed again") { bench in
            try await bench.add(1)
            _ = try await bench.claimOne()
            try expectEqual(try await bench.claim(worker: WorkerID("worker-2")), [], "the second claim")
        },
        StoreCheck("claims are by priority, then in the order of submission, across lanes") { bench in
            for (feature, priority) in [
                ("paint", 0), ("upscale", 5), ("paint", 5), ("upscale", -1), ("paint", 0),
            ] {
                try await bench.add(1, feature) { $0.priority = priority }
            }
            let lanes = [
                Lane(group: "default", featureID: "paint"): 9,
                Lane(group: "default", featureID: "upscale"): 9,
            ]
            let first = try await bench.claim(4, lanes: lanes)
            try expectEqual(Set(first.map(\.task.number)), [1, 2, 3, 5], "the four most urgent")
            try expectEqual(try await bench.claim(4, lanes: lanes).map(\.task.number), [4], "the rest")
        },
        StoreCheck("tasks that are claimed together come in order") { bench in
            for priority in [0, 2, 1, 2] { try await bench.add(1) { $0.priority = priority } }
            try expectEqual(try await bench.claim().map(\.task.number), [2, 4, 3, 1], "the numbers")
        },
        StoreCheck("a claim takes no more than its slots, and no more of a lane than that lane's") { bench in
            try await bench.add(5, "paint")
            try await bench.add(5, "upscale")
            let paint = Lane(group: "default", featureID: "paint")
            let upscale = Lane(group: "default", featureID: "upscale")
            let one = try await bench.claim(10, lanes: [paint: 2, upscale: 1])
            try expectEqual(one.filter { $0.task.lane == paint }.count, 2, "tasks of the lane with 2")
            try expectEqual(one.filter { $0.task.lane == upscale }.count, 1, "tasks of the lane with 1")
            try expectEqual(
                try await bench.claim(3, lanes: [paint: 9, upscale: 9]).count,
                3,
                "tasks for 3 slots"
            )
            try expectEqual(try await bench.claim(0, lanes: [paint: 9]), [], "tasks for no slot")
        },
        StoreCheck("lanes that are not named are not claimed; a lane is a group and a feature") { bench in
            try await bench.add(1, "paint") { $0.group = "gpu" }
            try await bench.add(1, "upscale")
            try expectEqual(
                try await bench.claim(9, lanes: [Lane(group: "default", featureID: "paint"): 9]),
                [],
                "another lane"
            )
            let gpu = try await bench.claim(9, lanes: [Lane(group: "gpu", featureID: "paint"): 9])
            try expectEqual(gpu.map(\.task.number), [1], "the group's lane")
        },
        StoreCheck("a task waits for its notBefore, and not a millisecond longer") { bench in
            let due = bench.now.adding(.seconds(10))
            try await bench.add(1) { $0.notBefore = due }
            bench.clock.advance(by: .milliseconds(9999))
            try expectEqual(try await bench.claim(), [], "a claim too early")
            bench.clock.advance(by: .milliseconds(1))
            try expectEqual(try await bench.claim().count, 1, "a claim in time")
        },
        StoreCheck("a waiting task holds up nobody behind it") { bench in
            try await bench.add(1) {
                $0.notBefore = bench.now.adding(.seconds(10))
                $0.priority = 9
            }
            try await bench.add(1)
            try expectEqual(try await bench.claim(1).map(\.task.number), [2], "the numbers")
        },
        StoreCheck("a task that was due waits again when the clock is set back, and it is told for when") {
            bench in
            let due = bench.now.adding(.seconds(10))
            try await bench.add(1) { $0.notBefore = due }
            bench.clock.advance(by: .seconds(10))
            let other = Lane(group: "default", featureID: "other")
            try expectEqual(try await bench.claim(1, lanes: [other: 1]), [], "a claim of another lane")
            bench.clock.advance(by: .seconds(-5))
            try expectEqual(try await bench.claim(), [], "a claim too early")
            try expectEqual(try await bench.store.pendingWork().nextDue, due, "the next time")
            bench.clock.advance(by: .seconds(5))
            try expectEqual(try await bench.claim().count, 1, "a claim in time")
        },
        StoreCheck("pending work names the lanes of pending tasks and the next time one becomes due") {
            bench in
            let soon = bench.now.adding(.seconds(5))
            try await bench.add(1, "paint")
            try await bench.add(1, "upscale") { $0.notBefore = bench.now.adding(.seconds(9)) }
            try await bench.add(1, "upscale") { $0.notBefore = soon }
            _ = try await bench.addOne("idle")
            let work = try await bench.store.pendingWork()
            let names = ["paint", "upscale", "idle"].map { Lane(group: "default", featureID: $0) }
            try expect(work.lanes.isSuperset(of: names), "lanes are missing: \(work.lanes)")
            try expectEqual(work.nextDue, soon, "the next time")
        },
        StoreCheck("work that is running, finished or due is no longer waited for") { bench in
            try await bench.add(1) { $0.notBefore = bench.now.adding(.seconds(5)) }
            bench.clock.advance(by: .seconds(5))
            let claimed = try await bench.claimOne()
            try expectEqual(
                try await bench.store.pendingWork(),
                PendingWork(lanes: [], nextDue: nil),
                "work while it runs"
            )
            try await bench.fail(claimed, retryable: false)
            try expectEqual(
                try await bench.store.pendingWork(),
                PendingWork(lanes: [], nextDue: nil),
                "work after it failed"
            )
        },
        StoreCheck("a claim brings the submitter's context; the environment goes when the task is final") {
            bench in
            let context = SubmissionContext(
                workingDirectory: "/home/ada/\u{E9}t\u{E9}",
                umask: 0o027,
                environment: ["LANG": "C", "EMPTY": ""]
            )
            let first = try await bench.running {
                $0.context = context
                $0.maxAttempts = 2
            }
            try expectEqual(first.context, context, "the context of the first attempt")
            try await bench.fail(first, retryable: true)
            let second = try await bench.claimOne()
            try expectEqual(second.context, context, "the context of the second attempt")
            try await bench.complete(second)
            _ = try await bench.store.retry(second.task.id, attempts: 1, context: nil, at: bench.now)
            let third = try await bench.claimOne()
            var kept = context
            kept.environment = nil
            try expectEqual(third.context, kept, "the context after the task was final")
            try await bench.complete(third)
            _ = try await bench.store.retry(third.task.id, attempts: 1, context: context, at: bench.now)
            try expectEqual(try await bench.claimOne().context, context, "the context given again by a retry")
        },
        StoreCheck("attempts are rows of their own, oldest first, each with how it ended") { bench in
            let first = try await bench.running { $0.maxAttempts = 3 }
            bench.clock.advance(by: .seconds(2))
            try await bench.fail(first, retryable: true)
            let second = try await bench.claimOne(worker: WorkerID("worker-2"))
            let open = try await bench.store.attempts(of: first.task.id)
            try expectEqual(open.map(\.outcome), [.failed, nil], "the outcomes while the second runs")
            try await bench.complete(second)
            let attempts = try await bench.store.attempts(of: first.task.id)
            try expectEqual(attempts.map(\.number), [1, 2], "the numbers")
            try expectEqual(attempts.map(\.fence), [first.task.fence, second.task.fence], "the fences")
            try expectEqual(attempts.map(\.owner), [StoreBench.worker, WorkerID("worker-2")], "the owners")
            try expectEqual(attempts.map(\.outcome), [.failed, .completed], "the outcomes")
            try expectEqual(attempts[0].error?.code, "exit_status", "the first one's error")
            try expectEqual(attempts[1].error, nil, "the second one's error")
            try expectEqual(
                attempts[0].finishedAt?.since(attempts[0].startedAt),
                .seconds(2),
                "the time it took"
            )
            try expectEqual(Set(attempts.map(\.taskID)), [first.task.id], "the task")
        },
    ]

    static let fencing: [StoreCheck] = [
        StoreCheck("the fence rises with each claim and each time a task leaves processing") { bench in
            var fences: [Int64] = [try await bench.addOne { $0.maxAttempts = 3 }.fence]
            for _ in 0..<2 {
                let claimed = try await bench.claimOne()
                fences.append(claimed.task.fence)
                fences.append(try await bench.fail(claimed, retryable: true).fence)
            }
            let last = try await bench.claimOne()
            fences += [last.task.fence, try await bench.complete(last).fence]
            try expect(
                zip(fences, fences.dropFirst()).allSatisfy { $0 < $1 },
                "the fences do not rise: \(fences)"
            )
        },
        StoreCheck("an outcome with a stale fence is refused and changes nothing") { bench in
            let (stale, current) = try await reclaimed(bench)
            let before = try await bench.events()
            for outcome in [
                Settlement.Outcome.completed(TaskResult()),
                .failed(TaskFailure("late", "late"), retryAfter: .zero),
                .cancelled, .interrupted,
            ] {
                try await expectRefusal("a late outcome", \.isLeaseLost) {
                    try await bench.settle(stale, outcome)
                }
            }
            try expectEqual(try await bench.stored(current.task.id), current.task, "the task")
            try expectEqual(try await bench.events(), before, "the events")
            try expectEqual(
                try await bench.store.attempts(of: stale.taskID).map(\.outcome),
                [.interrupted, nil],
                "the attempts"
            )
        },
        StoreCheck("the same worker's earlier claim is as stale as a stranger's") { bench in
            let (stale, current) = try await reclaimed(bench, by: StoreBench.worker)
            try await expectRefusal("the outcome of the first claim", \.isLeaseLost) {
                try await bench.settle(stale, .completed(TaskResult()))
            }
            try expectEqual(
                try await bench.complete(current).status,
                .completed,
                "the second claim's outcome"
            )
        },
        StoreCheck("an outcome is taken once: the second with the same fence is refused") { bench in
            let claimed = try await bench.running()
            let done = try await bench.complete(claimed)
            try await expectRefusal("the same outcome again", \.isLeaseLost) {
                try await bench.complete(claimed)
            }
            try expectEqual(try await bench.stored(claimed.task.id), done, "the task")
            let finals = try await bench.events().filter { $0.kind == .completed }
            try expectEqual(finals.count, 1, "the number of final events")
        },
        StoreCheck("a fence that nobody was given is refused, also on a task that waits") { bench in
            let task = try await bench.addOne()
            try await expectRefusal("an outcome of an unclaimed task", { $0.isLeaseLost || $0.isRefused }) {
                try await bench.settle(Claim(taskID: task.id, fence: task.fence), .completed(TaskResult()))
            }
            let waiting = Claim(taskID: task.id, fence: task.fence)
            let value = ProgressValue(claim: waiting, percent: 50, message: nil)
            try expectEqual(
                try await bench.store.saveProgress([value], at: bench.now),
                [waiting],
                "progress of an unclaimed task"
            )
            try expectEqual(
                try await bench.store.extendLeases([waiting], to: bench.lease()),
                [waiting],
                "the lease of an unclaimed task"
            )
            try expectEqual(try await bench.stored(task.id), task, "the unclaimed task")
            let claimed = try await bench.claimOne()
            try await expectRefusal("a fence from the future", \.isLeaseLost) {
                try await bench.settle(
                    Claim(taskID: task.id, fence: claimed.task.fence + 1),
                    .completed(TaskResult())
                )
            }
            let unknown = Claim(taskID: bench.ids.taskID(at: bench.now), fence: 1)
            try await expectRefusal("an unknown task", { $0.isLeaseLost || $0.isNotFound }) {
                try await bench.settle(unknown, .cancelled)
            }
        },
        StoreCheck("progress with a stale fence is dropped and reported, the rest is written") { bench in
            let (stale, current) = try await reclaimed(bench)
            let other = try await bench.running()
            let unknown = Claim(taskID: bench.ids.taskID(at: bench.now), fence: 1)
            let lost = try await bench.store.saveProgress(
                [
                    ProgressValue(claim: stale, percent: 99, message: "late"),
                    ProgressValue(claim: other.claim, percent: 40, message: "halfway"),
                    ProgressValue(claim: unknown, percent: 1, message: nil),
                    ProgressValue(claim: current.claim, percent: 10, message: nil),
                ],
                at: bench.now
            )
            try expectEqual(Set(lost), [stale, unknown], "the claims that are lost")
            try expectEqual(try await bench.stored(other.task.id).progress, 40, "the other task's progress")
            try expectEqual(
                try await bench.stored(current.task.id).progress,
                10,
                "the current attempt's progress"
            )
            try expectEqual(
                try await bench.stored(current.task.id).message,
                nil,
                "the current attempt's message"
            )
        },
        StoreCheck("leases of stale claims are not extended and reported, the rest is extended") { bench in
            let (stale, current) = try await reclaimed(bench)
            let other = try await bench.running()
            let done = try await bench.running()
            try await bench.complete(done)
            let lost = try await bench.store.extendLeases(
                [stale, other.claim, done.claim],
                to: bench.lease(500)
            )
            try expectEqual(Set(lost), [stale, done.claim], "the claims that are lost")
            try expectEqual(
                try await bench.stored(other.task.id).lease,
                bench.lease(500),
                "the lease that is held"
            )
            try expectEqual(
                try await bench.stored(current.task.id).lease,
                bench.lease(),
                "the other one's lease"
            )
        },
        StoreCheck("one refused outcome touches none of those that come with it") { bench in
            let (stale, _) = try await reclaimed(bench)
            try await bench.add(20)
            let claims = try await bench.claim(20).map(\.claim)
            try expectEqual(claims.count, 20, "the number of claims")
            let statuses = try await withThrowingTaskGroup(of: TaskStatus?.self) { group in
                for claim in claims + [stale, stale] {
                    group.addTask {
                        do { return try await bench.settle(claim, .completed(TaskResult())).status } catch let
                            error
                            as TaskStoreError where error.isLeaseLost
                        { return nil }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try expectEqual(statuses.count { $0 == .completed }, 20, "the number of outcomes taken")
            try expectEqual(statuses.count { $0 == nil }, 2, "the number of outcomes refused")
        },
    ]

    /// A task whose first attempt was given up for dead and which another claim runs now.
    private static func reclaimed(
        _ bench: StoreBench,
        by worker: WorkerID = WorkerID("worker-2")
    ) async throws -> (stale: Claim, current: ClaimedTask) {
        let first = try await bench.running()
        let rescue = Rescue(alive: [], bootID: StoreBench.bootID, leaseTime: .seconds(61), isSoleOwner: false)
        _ = try await bench.store.rescue(rescue, at: bench.now)
        return (first.claim, try await bench.claimOne(worker: worker))
    }
}
