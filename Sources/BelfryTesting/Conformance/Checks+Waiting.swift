// Tasks that wait for a person or a time: put aside, out of time, snoozed, and what they know when they go on.

import BelfryCore

extension StoreConformance {
    static let stashing: [StoreCheck] = [
        StoreCheck("a stashed task does not start until it is released; each makes one event") { bench in
            let task = try await bench.addOne()
            let events = try await bench.eventsOf { _ = try await bench.stash(task) }
            let stashed = try await bench.stored(task.id)
            try expectEqual(events.map(\.kind), [.stashed], "the events")
            try expectEqual(events[0].task, TaskSummary(stashed), "the event's summary")
            try expect(stashed.isStashed && stashed.status == .pending, "it is not stashed")
            try expectEqual(try await bench.claim(), [], "a claim")
            try expectEqual(try await bench.kindsOf { _ = try await bench.stash(task) }, [], "a second stash")
            let kinds = try await bench.kindsOf { _ = try await bench.release(task) }
            try expectEqual(kinds, [.released], "the events of the release")
            try expectEqual(
                try await bench.kindsOf { _ = try await bench.release(task) },
                [],
                "a second release"
            )
            try expectEqual(try await bench.claim().map(\.task.id), [task.id], "a claim after it")
        },
        StoreCheck("a task that is submitted stashed waits over a restart") { bench in
            let task = try await bench.addOne { $0.isStashed = true }
            let reopened = try await bench.reopened()
            try expectEqual(try await reopened.claim(), [], "a claim")
            try expectEqual(try await reopened.store.pendingWork().lanes, [task.lane], "the pending lanes")
            _ = try await reopened.release(task)
            try expectEqual(try await reopened.claim().count, 1, "a claim after its release")
        },
        StoreCheck("a stashed task that waits for a time too is due when both are over, in either order") {
            bench in
            let due = bench.now.adding(.seconds(10))
            let early = try await bench.addOne { ($0.isStashed, $0.notBefore) = (true, due) }
            let late = try await bench.addOne { ($0.isStashed, $0.notBefore) = (true, due) }
            try expectEqual(try await bench.store.pendingWork().nextDue, nil, "the next time of stashed ones")
            _ = try await bench.release(early)
            try expectEqual(try await bench.store.pendingWork().nextDue, due, "the next time")
            try expectEqual(try await bench.claim(), [], "a claim too early")
            bench.clock.advance(by: .seconds(10))
            try expectEqual(try await bench.claim().map(\.task.id), [early.id], "a claim in time")
            _ = try await bench.release(late)
            try expectEqual(try await bench.claim().map(\.task.id), [late.id], "a claim after the release")
        },
        StoreCheck("a stashed task that comes after another starts when both are over, in either order") {
            bench in
            let first = try await bench.running()
            let early = try await bench.add(after: [first.task]) { $0.isStashed = true }
            let late = try await bench.add(after: [first.task])
            _ = try await bench.stash(late)
            _ = try await bench.release(early)
            try expectEqual(try await bench.claim(), [], "a claim before the first is done")
            try await bench.complete(first)
            try expectEqual(try await bench.claim().map(\.task.id), [early.id], "a claim after it")
            _ = try await bench.release(late)
            try expectEqual(try await bench.claim().map(\.task.id), [late.id], "a claim after the release")
        },
        StoreCheck("a stashed task can be cancelled, and is not stashed when it is retried") { bench in
            let task = try await bench.addOne { $0.isStashed = true }
            let cancelled = try await bench.store.requestCancel(task.id, at: bench.now)
            try expectEqual(cancelled.status, .cancelled, "the status")
            try expect(!cancelled.isStashed && cancelled.holdCount == 0, "it is held")
            try await bench.retry(task)
            try expectEqual(try await bench.claim().map(\.task.id), [task.id], "a claim after its retry")
        },
        StoreCheck("only pending tasks are stashed and released; of an unknown one that is said") { bench in
            let running = try await bench.running()
            let done = try await bench.completed()
            for (task, isStashed) in [
                (running.task, true), (running.task, false), (done, true), (done, false),
            ] {
                try await expectRefusal("a \(task.status) task", \.isRefused) {
                    try await bench.store.setStashed(isStashed, task.id, at: bench.now)
                }
            }
            try await expectRefusal("an unknown task", \.isNotFound) {
                try await bench.store.setStashed(true, bench.ids.taskID(at: bench.now), at: bench.now)
            }
        },
    ]

    static let deadlines: [StoreCheck] = [
        StoreCheck("a task whose deadline passes while it waits fails, and is not started any more") {
            bench in
            let deadline = bench.now.adding(.seconds(10))
            let task = try await bench.addOne { $0.deadline = deadline }
            try expectEqual(try await bench.store.pendingWork().nextDeadline, deadline, "the next deadline")
            bench.clock.advance(by: .milliseconds(9999))
            try expectEqual(try await bench.store.expire(limit: 9, at: bench.now), [], "expired too early")
            bench.clock.advance(by: .milliseconds(1))
            try expectEqual(try await bench.claim(), [], "a claim when it is over")
            let events = try await bench.eventsOf {
                let expired = try await bench.store.expire(limit: 9, at: bench.now)
                try expectEqual(expired, [try await bench.stored(task.id)], "what expired")
                try expectEqual(expired[0].status, .failed, "the status")
                try expectEqual(expired[0].error?.code, "deadline", "the error")
            }
            try expectEqual(events.map(\.kind), [.failed], "the events")
            try expectEqual(events[0].draft.error?.code, "deadline", "the event's error")
            try expectEqual(try await bench.store.pendingWork().nextDeadline, nil, "the deadline after it")
        },
        StoreCheck("held, stashed and delayed tasks expire too, those that run or are done do not") { bench in
            let deadline = bench.now.adding(.seconds(10))
            let running = try await bench.running { $0.deadline = deadline }
            let waiting = [
                try await bench.add(after: [running.task]) { $0.deadline = deadline },
                try await bench.addOne { ($0.deadline, $0.isStashed) = (deadline, true) },
                try await bench.addOne {
                    ($0.deadline, $0.notBefore) = (deadline, bench.now.adding(.seconds(60)))
                },
            ]
            bench.clock.advance(by: .seconds(10))
            let expired = try await bench.store.expire(limit: 9, at: bench.now)
            try expectEqual(Set(expired.map(\.id)), Set(waiting.map(\.id)), "what expired")
            try expect(expired.allSatisfy { $0.holdCount == 0 && !$0.isStashed }, "something is still held")
            try expectEqual(try await bench.stored(running.task.id), running.task, "the running one")
        },
        StoreCheck("as many expire as are asked for, the earliest deadline first") { bench in
            for seconds in [3, 1, 2] {
                try await bench.add(1) { $0.deadline = bench.now.adding(.seconds(seconds)) }
            }
            bench.clock.advance(by: .seconds(9))
            func expire() async throws -> [Int64] {
                try await bench.store.expire(limit: 2, at: bench.now).map(\.number)
            }
            try expectEqual(try await expire(), [2, 3], "the first two")
            try expectEqual(try await expire(), [1], "the last one")
            try expectEqual(try await expire(), [], "then none")
        },
        StoreCheck("what comes after an expired task fails with it, once") { bench in
            let deadline = bench.now.adding(.seconds(10))
            let first = try await bench.addOne { $0.deadline = deadline }
            let second = try await bench.add(after: [first]) { $0.deadline = deadline }
            let third = try await bench.add(after: [first])
            bench.clock.advance(by: .seconds(10))
            let kinds = try await bench.kindsOf { _ = try await bench.store.expire(limit: 9, at: bench.now) }
            try expectEqual(kinds, [.failed, .failed, .failed], "the events")
            for task in [second, third] {
                try expectEqual(try await bench.stored(task.id).error?.code, "dependency_failed", "the error")
            }
        },
        StoreCheck("a retry after the deadline gives as much time again; before it, the deadline stays") {
            bench in
            let deadline = bench.now.adding(.seconds(10))
            let task = try await bench.addOne { $0.deadline = deadline }
            bench.clock.advance(by: .seconds(3))
            _ = try await bench.store.requestCancel(task.id, at: bench.now)
            try expectEqual(try await bench.retry(task).deadline, deadline, "the deadline in time")
            bench.clock.advance(by: .seconds(97))
            _ = try await bench.store.expire(limit: 9, at: bench.now)
            try expectEqual(
                try await bench.retry(task).deadline,
                bench.now.adding(.seconds(10)),
                "the deadline after it was over"
            )
            let reopened = try await bench.reopened()
            try expectEqual(
                try await reopened.store.pendingWork().nextDeadline,
                reopened.now.adding(.seconds(10)),
                "the next deadline after a restart"
            )
            try expectEqual(try await reopened.claim().count, 1, "a claim")
        },
    ]

    static let snoozing: [StoreCheck] = [
        StoreCheck("a snoozed attempt ends without counting, and another may start after the delay") {
            bench in
            let first = try await bench.running { $0.maxAttempts = 1 }
            bench.clock.advance(by: .seconds(2))
            let due = bench.now.adding(.seconds(30))
            let events = try await bench.eventsOf {
                try await bench.settle(first.claim, .snoozed(.seconds(30), "The server is busy."))
            }
            let waiting = try await bench.stored(first.task.id)
            try expectEqual(waiting.status, .pending, "the status")
            try expectEqual(waiting.notBefore, due, "notBefore")
            try expectEqual(waiting.message, "The server is busy.", "the message")
            try expectEqual(waiting.error, nil, "the error")
            try expectEqual([waiting.attempt, waiting.maxAttempts], [1, 2], "the attempts")
            try expectEqual(events.map(\.kind), [.snoozed], "the events")
            try expectEqual(events[0].task, TaskSummary(waiting), "the event's summary")
            try expectEqual(events[0].draft.notBefore, due, "the event's notBefore")
            try expectEqual(events[0].draft.duration, .seconds(2), "the event's duration")
            let attempts = try await bench.store.attempts(of: first.task.id)
            try expectEqual(attempts.map(\.outcome), [.snoozed], "the attempt's outcome")
            try expectEqual(attempts[0].error?.message, "The server is busy.", "the attempt's reason")
            try expectEqual(try await bench.claim(), [], "a claim too early")
            bench.clock.advance(by: .seconds(30))
            let second = try await bench.claimOne()
            try expectEqual(second.task.message, nil, "the next attempt's message")
            try expectEqual(try await bench.fail(second, retryable: true).status, .failed, "the last failure")
        },
        StoreCheck("a snoozed task that is to be cancelled is cancelled; a stale snooze is refused") {
            bench in
            let asked = try await bench.running()
            _ = try await bench.store.requestCancel(asked.task.id, at: bench.now)
            let ended = try await bench.settle(asked.claim, .snoozed(.seconds(30), nil))
            try expectEqual(ended.status, .cancelled, "the status")
            let kinds = try await bench.kindsOf {
                try await expectRefusal("a snooze after it", \.isLeaseLost) {
                    try await bench.settle(asked.claim, .snoozed(.seconds(30), nil))
                }
            }
            try expectEqual(kinds, [], "the events")
        },
    ]

    static let checkpoints: [StoreCheck] = [
        StoreCheck("the next attempt gets the last checkpoint, over a failure, a restart and a retry") {
            bench in
            let first = try await bench.running { $0.maxAttempts = 2 }
            try expectEqual(first.checkpoint, nil, "the first attempt's")
            for step in [1, 2] {
                try await bench.store.saveCheckpoint(["step": .int(Int64(step))], of: first.claim)
            }
            let kinds = try await bench.kindsOf {
                try await bench.store.saveCheckpoint(["step": 3, "text": "a\u{0}b"], of: first.claim)
            }
            try expectEqual(kinds, [], "the events of a checkpoint")
            try await bench.fail(first, retryable: true)
            let reopened = try await bench.reopened()
            let second = try await reopened.claimOne()
            try expectEqual(second.checkpoint, ["step": 3, "text": "a\u{0}b"], "the second attempt's")
            try expectEqual(try await reopened.fail(second).status, .failed, "the status")
            try await reopened.retry(first.task)
            let third = try await reopened.claimOne()
            try expectEqual(third.checkpoint, second.checkpoint, "the checkpoint after a retry")
        },
        StoreCheck("a completed task keeps no checkpoint, and nil forgets one") { bench in
            let first = try await bench.running()
            try await bench.store.saveCheckpoint(["step": 1], of: first.claim)
            try await bench.complete(first)
            try await bench.retry(first.task)
            let second = try await bench.claimOne()
            try expectEqual(second.checkpoint, nil, "the checkpoint after the task was completed")
            try await bench.store.saveCheckpoint(["step": 2], of: second.claim)
            try await bench.store.saveCheckpoint(nil, of: second.claim)
            try await bench.settle(second.claim, .interrupted)
            try expectEqual(try await bench.claimOne().checkpoint, nil, "the one that was forgotten")
        },
        StoreCheck("a checkpoint of a claim that is lost is refused and changes nothing") { bench in
            let first = try await bench.running()
            try await bench.store.saveCheckpoint(["step": 1], of: first.claim)
            try await bench.settle(first.claim, .interrupted)
            let unknown = Claim(taskID: bench.ids.taskID(at: bench.now), fence: 1)
            for claim in [first.claim, unknown] {
                try await expectRefusal("a late checkpoint", \.isLeaseLost) {
                    try await bench.store.saveCheckpoint(["step": 2], of: claim)
                }
            }
            try expectEqual(try await bench.claimOne().checkpoint, ["step": 1], "the checkpoint")
        },
    ]
}

extension StoreBench {
    fileprivate func stash(_ task: BackgroundTask) async throws -> BackgroundTask {
        try await store.setStashed(true, task.id, at: now)
    }

    fileprivate func release(_ task: BackgroundTask) async throws -> BackgroundTask {
        try await store.setStashed(false, task.id, at: now)
    }
}
