// How attempts end and what becomes of the task: completed, failed, tried again, cancelled, retried.

import BelfryCore

extension StoreConformance {
    static let outcomes: [StoreCheck] = [
        StoreCheck("a completed task keeps its result, and its event tells of it") { bench in
            let claimed = try await bench.running()
            bench.clock.advance(by: .milliseconds(1500))
            let artifact = TaskResult.Artifact(uri: "file:///tmp/a%20b.png", mime: "image/png", size: 12)
            let result = TaskResult(value: ["seed": 7], artifacts: [artifact])
            let events = try await bench.eventsOf {
                try await bench.settle(claimed.claim, .completed(result))
            }
            let task = try await bench.stored(claimed.task.id)
            try expectEqual(task.status, .completed, "the status")
            try expectEqual(task.result, result, "the result")
            try expectEqual(task.progress, 100, "the progress")
            try expectEqual(task.finishedAt, bench.now, "finishedAt")
            try expectEqual(task.owner, nil, "the owner")
            try expectEqual(task.lease, nil, "the lease")
            try expectEqual(events.map(\.kind), [.completed], "the events")
            try expectEqual(events[0].draft.result, result, "the event's result")
            try expectEqual(events[0].draft.duration, .milliseconds(1500), "the event's duration")
            try expectEqual(events[0].task, TaskSummary(task), "the event's summary")
        },
        StoreCheck("a failure that no attempt can mend is final at once") { bench in
            let claimed = try await bench.running { $0.maxAttempts = 5 }
            let failure = TaskFailure(
                "no_model",
                "There is no model.",
                fix: "Install one.",
                logTail: "line\n"
            )
            let events = try await bench.eventsOf {
                try await bench.settle(claimed.claim, .failed(failure, retryAfter: .seconds(9)))
            }
            let task = try await bench.stored(claimed.task.id)
            try expectEqual(task.status, .failed, "the status")
            try expectEqual(task.error, failure, "the error")
            try expectEqual(events.map(\.kind), [.failed], "the events")
            try expectEqual(events[0].draft.error?.code, "no_model", "the event's error")
        },
        StoreCheck("a retryable failure waits for its backoff and is tried again, up to maxAttempts") {
            bench in
            let first = try await bench.running { $0.maxAttempts = 2 }
            let due = bench.now.adding(.seconds(5))
            let events = try await bench.eventsOf {
                try await bench.fail(first, retryable: true, after: .seconds(5))
            }
            let waiting = try await bench.stored(first.task.id)
            try expectEqual(waiting.status, .pending, "the status while it waits")
            try expectEqual(waiting.notBefore, due, "notBefore")
            try expectEqual(events.map(\.kind), [.retrying], "the events")
            try expectEqual(events[0].draft.notBefore, due, "the event's notBefore")
            try expectEqual(try await bench.claim(), [], "a claim during the backoff")
            try expectEqual(
                try await bench.store.pendingWork().nextDue,
                due,
                "the next time that something is due"
            )
            bench.clock.advance(by: .seconds(5))
            let second = try await bench.claimOne()
            try expectEqual(second.task.attempt, 2, "the attempt")
            try expectEqual(
                try await bench.fail(second, retryable: true).status,
                .failed,
                "after the last attempt"
            )
        },
        StoreCheck("an interrupted attempt is run again and does not count") { bench in
            let first = try await bench.running { $0.maxAttempts = 1 }
            let kinds = try await bench.kindsOf { try await bench.settle(first.claim, .interrupted) }
            try expectEqual(kinds, [.interrupted], "the events")
            let second = try await bench.claimOne()
            try expectEqual(second.task.attempt, 2, "the attempt")
            try expectEqual(second.task.maxAttempts, 2, "maxAttempts")
            try expectEqual(try await bench.complete(second).status, .completed, "the outcome")
        },
        StoreCheck("an interrupted attempt fails the task when its policy says so") { bench in
            let claimed = try await bench.running {
                $0.onInterrupt = .fail
                $0.maxAttempts = 5
            }
            let task = try await bench.settle(claimed.claim, .interrupted)
            try expectEqual(task.status, .failed, "the status")
            try expectEqual(task.error?.code, "interrupted", "the error")
            try expectEqual(
                try await bench.store.attempts(of: task.id).map(\.outcome),
                [.interrupted],
                "the attempt"
            )
        },
        StoreCheck("each final fence has one final event") { bench in
            for number in 0..<12 {
                let claimed = try await bench.running()
                switch number % 3 {
                case 0: try await bench.complete(claimed)
                case 1: try await bench.fail(claimed)
                default: try await bench.settle(claimed.claim, .cancelled)
                }
            }
            let finals = try await bench.events().filter {
                [.completed, .failed, .cancelled].contains($0.kind)
            }
            try expectEqual(
                finals.compactMap { $0.task?.number },
                Array(1...12),
                "the tasks with a final event"
            )
        },
        StoreCheck("progress is the latest value: no event, percent and message apart, revision up") {
            bench in
            let claimed = try await bench.running()
            bench.clock.advance(by: .seconds(1))
            let kinds = try await bench.kindsOf {
                _ = try await bench.store.saveProgress(
                    [ProgressValue(claim: claimed.claim, percent: 12.5, message: "step 1")],
                    at: bench.now
                )
            }
            let first = try await bench.stored(claimed.task.id)
            try expectEqual(kinds, [], "the events")
            try expectEqual(first.progress, 12.5, "the progress")
            try expectEqual(first.message, "step 1", "the message")
            try expectEqual(first.updatedAt, bench.now, "updatedAt")
            try expect(first.revision > claimed.task.revision, "the revision did not grow")
            _ = try await bench.store.saveProgress(
                [ProgressValue(claim: claimed.claim, percent: nil, message: "step 2")],
                at: bench.now
            )
            _ = try await bench.store.saveProgress(
                [ProgressValue(claim: claimed.claim, percent: 30, message: nil)],
                at: bench.now
            )
            let last = try await bench.stored(claimed.task.id)
            try expectEqual(last.progress, 30, "the progress; nil leaves it as it is")
            try expectEqual(last.message, "step 2", "the message; nil leaves it as it is")
        },
        StoreCheck("progress and message of one attempt are gone with the next") { bench in
            let first = try await bench.running { $0.maxAttempts = 2 }
            _ = try await bench.store.saveProgress(
                [ProgressValue(claim: first.claim, percent: 80, message: "nearly")],
                at: bench.now
            )
            try await bench.fail(first, retryable: true)
            let second = try await bench.claimOne()
            try expectEqual(second.task.progress, 0, "the progress")
            try expectEqual(second.task.message, nil, "the message")
        },
        StoreCheck("every change makes the revision grow by one and moves updatedAt") { bench in
            var seen = [try await bench.addOne { $0.maxAttempts = 2 }]
            func step(_ change: () async throws -> BackgroundTask) async throws {
                bench.clock.advance(by: .seconds(1))
                seen.append(try await change())
                try expectEqual(seen.last?.updatedAt, bench.now, "updatedAt of change \(seen.count)")
            }
            try await step { try await bench.claimOne().task }
            try await step { try await bench.settle(claim(of: seen), .interrupted) }
            try await step { try await bench.claimOne().task }
            try await step { try await bench.store.requestCancel(seen[0].id, at: bench.now) }
            try await step { try await bench.settle(claim(of: seen), .cancelled) }
            try await step {
                try await bench.store.retry(seen[0].id, attempts: 1, context: nil, at: bench.now)
            }
            try expectEqual(seen.map(\.revision), Array(1...7), "the revisions")
            try expectEqual(try await bench.stored(seen[0].id), seen.last, "the stored task")
            let revisions = try await bench.events().compactMap { $0.task?.revision }
            try expectEqual(revisions, Array(1...7), "the revisions in the events")
        },
    ]

    private static func claim(of tasks: [BackgroundTask]) -> Claim {
        Claim(taskID: tasks[0].id, fence: tasks.last?.fence ?? 0)
    }

    static let cancelling: [StoreCheck] = [
        StoreCheck("a pending task is cancelled at once and never claimed") { bench in
            let task = try await bench.addOne { $0.notBefore = bench.now.adding(.seconds(5)) }
            let kinds = try await bench.kindsOf {
                let after = try await bench.store.requestCancel(task.id, at: bench.now)
                try expectEqual(after.status, .cancelled, "the status")
                try expectEqual(after.finishedAt, bench.now, "finishedAt")
            }
            try expectEqual(kinds, [.cancelled], "the events")
            bench.clock.advance(by: .seconds(10))
            try expectEqual(try await bench.claim(), [], "a claim")
            try expectEqual(
                try await bench.store.pendingWork(),
                PendingWork(lanes: [], nextDue: nil),
                "the pending work"
            )
            try expectEqual(try await bench.store.attempts(of: task.id), [], "the attempts")
        },
        StoreCheck("a running task is asked to stop once, and is cancelled when its attempt says so") {
            bench in
            let claimed = try await bench.running()
            let kinds = try await bench.kindsOf {
                let asked = try await bench.store.requestCancel(claimed.task.id, at: bench.now)
                try expectEqual(asked.status, .processing, "the status")
                try expect(asked.isCancelRequested, "the request is not noted")
                try expectEqual(
                    asked.fence,
                    claimed.task.fence,
                    "the fence: the claimant still has to answer"
                )
                try expectEqual(
                    try await bench.store.requestCancel(claimed.task.id, at: bench.now),
                    asked,
                    "the second request"
                )
                let ended = try await bench.settle(claimed.claim, .cancelled)
                try expectEqual(ended.status, .cancelled, "the status at the end")
                try expect(!ended.isCancelRequested, "the request outlives the attempt")
            }
            try expectEqual(kinds, [.cancelRequested, .cancelled], "the events")
            try expectEqual(
                try await bench.store.attempts(of: claimed.task.id).map(\.outcome),
                [.cancelled],
                "the attempt"
            )
        },
        StoreCheck(
            "a cancelled attempt that fails or is interrupted ends cancelled, one that completes completed"
        ) {
            bench in
            let failure = TaskFailure("exit_status", "The program ended with 1.", isRetryable: true)
            let outcomes: [(Settlement.Outcome, TaskStatus)] = [
                (.failed(failure, retryAfter: .zero), .cancelled), (.interrupted, .cancelled),
                (.completed(TaskResult()), .completed),
            ]
            for (outcome, status) in outcomes {
                let claimed = try await bench.running { $0.maxAttempts = 5 }
                _ = try await bench.store.requestCancel(claimed.task.id, at: bench.now)
                try expectEqual(try await bench.settle(claimed.claim, outcome).status, status, "the status")
            }
        },
        StoreCheck("a final task cannot be cancelled, an unknown one is not found") { bench in
            let done = try await bench.completed()
            let kinds = try await bench.kindsOf {
                try await expectRefusal("cancelling a completed task", \.isRefused) {
                    try await bench.store.requestCancel(done.id, at: bench.now)
                }
                try await expectRefusal("cancelling an unknown task", \.isNotFound) {
                    try await bench.store.requestCancel(bench.ids.taskID(at: bench.now), at: bench.now)
                }
            }
            try expectEqual(kinds, [], "the events")
            try expectEqual(try await bench.stored(done.id), done, "the task")
        },
    ]

    static let retrying: [StoreCheck] = [
        StoreCheck("a final task is pending again, as if new, with a budget that counts from here") { bench in
            let claimed = try await bench.running { $0.maxAttempts = 1 }
            let failed = try await bench.fail(claimed, retryable: true)
            bench.clock.advance(by: .seconds(1))
            let kinds = try await bench.kindsOf {
                _ = try await bench.store.retry(failed.id, attempts: 2, context: nil, at: bench.now)
            }
            let task = try await bench.stored(failed.id)
            try expectEqual(kinds, [.retried], "the events")
            try expectEqual(task.status, .pending, "the status")
            try expectEqual(task.error, nil, "the error")
            try expectEqual(task.finishedAt, nil, "finishedAt")
            try expectEqual(task.maxAttempts, 3, "maxAttempts: one was made, two more")
            try await bench.fail(bench.claimOne(), retryable: true)
            let last = try await bench.claimOne()
            try expectEqual(last.task.attempt, 3, "the attempt")
            try expectEqual(try await bench.fail(last, retryable: true).status, .failed, "after the budget")
            try expectEqual(
                try await bench.store.attempts(of: task.id).map(\.number),
                [1, 2, 3],
                "the attempts"
            )
        },
        StoreCheck("completed and cancelled tasks can be retried, and forget their result") { bench in
            let done = try await bench.completed()
            let again = try await bench.store.retry(done.id, attempts: 1, context: nil, at: bench.now)
            try expectEqual(again.status, .pending, "the completed one's status")
            try expectEqual(again.result, nil, "its result")
            try expectEqual(again.progress, 0, "its progress")
            let cancelled = try await bench.addOne()
            _ = try await bench.store.requestCancel(cancelled.id, at: bench.now)
            let revived = try await bench.store.retry(cancelled.id, attempts: 1, context: nil, at: bench.now)
            try expectEqual(revived.status, .pending, "the cancelled one's status")
            try expectEqual(try await bench.claim().map(\.task.number), [1, 2], "both are claimed")
        },
        StoreCheck("a task that is not final cannot be retried, an unknown one is not found") { bench in
            let pending = try await bench.addOne()
            try await expectRefusal("retrying a pending task", \.isRefused) {
                try await bench.store.retry(pending.id, attempts: 1, context: nil, at: bench.now)
            }
            let running = try await bench.claimOne()
            try await expectRefusal("retrying a running task", \.isRefused) {
                try await bench.store.retry(running.task.id, attempts: 1, context: nil, at: bench.now)
            }
            try await expectRefusal("retrying an unknown task", \.isNotFound) {
                try await bench.store.retry(
                    bench.ids.taskID(at: bench.now),
                    attempts: 1,
                    context: nil,
                    at: bench.now
                )
            }
            try expectEqual(try await bench.stored(running.task.id), running.task, "the running task")
        },
    ]
}
