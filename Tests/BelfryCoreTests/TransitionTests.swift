// Every action on a task in every status: what it becomes, or that it is refused.

import BelfryCore
import Testing

@Suite("Transitions")
struct TransitionTests {
    /// An action by name, so that failures can be read.
    struct Action: Sendable, CustomStringConvertible {
        let description: String
        let action: TaskAction
        /// The status, the events and the attempt's change for each status that allows the action.
        let allowed: [TaskStatus: Outcome]

        struct Outcome: Sendable {
            let status: TaskStatus
            let events: [TaskEvent.Kind]
            var attempt = Transition.AttemptChange.none
        }
    }

    static let actions: [Action] = [
        Action(
            description: "claim",
            action: .claim(by: WorkerID("worker-2"), lease: Example.lease),
            allowed: [.pending: .init(status: .processing, events: [.started], attempt: .opened)]
        ),
        Action(
            description: "complete",
            action: .complete(TaskResult()),
            allowed: [
                .processing: .init(
                    status: .completed,
                    events: [.completed],
                    attempt: .closed(.completed, nil)
                )
            ]
        ),
        Action(
            description: "fail for good",
            action: .fail(Example.failure, retryAfter: .seconds(9)),
            allowed: [
                .processing: .init(
                    status: .failed,
                    events: [.failed],
                    attempt: .closed(.failed, Example.failure)
                )
            ]
        ),
        Action(
            description: "fail and try again",
            action: .fail(Example.retryable, retryAfter: .seconds(9)),
            allowed: [
                .processing: .init(
                    status: .pending,
                    events: [.retrying],
                    attempt: .closed(.failed, Example.retryable)
                )
            ]
        ),
        Action(
            description: "confirm a cancel",
            action: .confirmCancel,
            allowed: [
                .processing: .init(
                    status: .cancelled,
                    events: [.cancelled],
                    attempt: .closed(.cancelled, nil)
                )
            ]
        ),
        Action(
            description: "interrupt",
            action: .interrupt,
            allowed: [
                .processing: .init(
                    status: .pending,
                    events: [.interrupted],
                    attempt: .closed(.interrupted, nil)
                )
            ]
        ),
        Action(
            description: "request a cancel",
            action: .requestCancel,
            allowed: [
                .pending: .init(status: .cancelled, events: [.cancelled]),
                .processing: .init(status: .processing, events: [.cancelRequested]),
            ]
        ),
        Action(
            description: "retry",
            action: .retry(attempts: 2),
            allowed: [
                .completed: .init(status: .pending, events: [.retried]),
                .failed: .init(status: .pending, events: [.retried]),
                .cancelled: .init(status: .pending, events: [.retried]),
            ]
        ),
        Action(
            description: "snooze",
            action: .snooze(delay: .seconds(9), message: nil),
            allowed: [
                .processing: .init(
                    status: .pending,
                    events: [.snoozed],
                    attempt: .closed(.snoozed, nil)
                )
            ]
        ),
        Action(
            description: "a dependency done that nobody waited for",
            action: .dependencyDone,
            allowed: [:]
        ),
        Action(
            description: "a dependency failed",
            action: .dependencyFailed(Example.failure),
            allowed: [.pending: .init(status: .failed, events: [.failed])]
        ),
        Action(
            description: "expire",
            action: .expire,
            allowed: [.pending: .init(status: .failed, events: [.failed])]
        ),
        Action(
            description: "stash",
            action: .stash,
            allowed: [.pending: .init(status: .pending, events: [.stashed])]
        ),
        Action(
            description: "edit",
            action: .edit(TaskEdit(), turn: 3),
            allowed: [.pending: .init(status: .pending, events: [.edited])]
        ),
    ]

    @Test("every action in every status", arguments: actions, TaskStatus.allCases)
    func table(_ action: Action, _ status: TaskStatus) throws {
        let task = try Example.task(status)
        guard let outcome = action.allowed[status] else {
            let error = #expect(throws: TransitionError.self) {
                try task.applying(action.action, at: Example.later)
            }
            #expect(error?.status == status)
            #expect(error?.reason.isEmpty == false)
            return
        }
        let transition = try task.applying(action.action, at: Example.later)
        #expect(transition.task.status == outcome.status)
        #expect(transition.events.map(\.kind) == outcome.events)
        #expect(transition.attempt == outcome.attempt)
        try checkWhatAlwaysHolds(task, transition)
    }

    /// The rules that do not depend on the action.
    private func checkWhatAlwaysHolds(_ before: BackgroundTask, _ transition: Transition) throws {
        let after = transition.task
        #expect(after.revision == before.revision + 1)
        #expect(after.updatedAt == Example.later)
        #expect(transition.events.map(\.task) == [TaskSummary(after)])
        #expect((after.finishedAt != nil) == after.status.isFinal)
        #expect((after.owner != nil) == (after.status == .processing))
        #expect((after.lease != nil) == (after.status == .processing))
        let changesSides = (before.status == .processing) != (after.status == .processing)
        #expect(after.fence == before.fence + (changesSides ? 1 : 0))
        #expect((after.id, after.number, after.createdAt) == (before.id, before.number, before.createdAt))
        #expect(after.params == before.params)
    }

    @Test("a claim starts an attempt with a clean slate")
    func claim() throws {
        let task = try Example.task(.pending) { $0.notBefore = Example.later }
        let claimed = try task.applying(.claim(by: Example.worker, lease: Example.lease), at: Example.later)
            .task
        #expect(claimed.attempt == 1)
        #expect(claimed.owner == Example.worker)
        #expect(claimed.lease == Example.lease)
        #expect(claimed.startedAt == Example.later)
        #expect(claimed.notBefore == nil)
    }

    @Test("a task that is held or waits for a time cannot be claimed")
    func notClaimable() throws {
        let claim = TaskAction.claim(by: Example.worker, lease: Example.lease)
        var held = try Example.task(.pending)
        held.holdCount = 1
        #expect(throws: TransitionError.self) { try held.applying(claim, at: Example.now) }
        let waiting = try Example.task(.pending) { $0.notBefore = Example.later }
        let error = #expect(throws: TransitionError.self) { try waiting.applying(claim, at: Example.now) }
        #expect(error?.reason == "the task may not start before 2026-01-01T00:00:01.500Z")
    }

    @Test("completing keeps the result, says how long it took, and is all the way")
    func complete() throws {
        let result = TaskResult(value: ["seed": 7], artifacts: [.init(uri: "file:///a.png")])
        let done = try Example.task(.processing).applying(.complete(result), at: Example.later)
        #expect(done.task.result == result)
        #expect(done.task.progress == 100)
        #expect(done.events[0].task?.progress == 100)
        #expect(done.events[0].result == result)
        #expect(done.events[0].duration == .milliseconds(1500))
        #expect(done.task.duration == .milliseconds(1500))
    }

    @Test("a retryable failure waits, and is final when the attempts are used up")
    func budget() throws {
        var task = try Example.task(.pending) { $0.maxAttempts = 2 }
        task = try task.applying(.claim(by: Example.worker, lease: Example.lease), at: Example.now).task
        let first = try task.applying(.fail(Example.retryable, retryAfter: .seconds(9)), at: Example.later)
        #expect(first.task.notBefore == Example.later.adding(.seconds(9)))
        #expect(first.events[0].notBefore == first.task.notBefore)
        #expect(first.events[0].error == Example.retryable)
        #expect(first.events[0].duration == .milliseconds(1500))
        #expect(first.task.error == Example.retryable)
        let due = Example.later.adding(.seconds(9))
        task = try first.task.applying(.claim(by: Example.worker, lease: Example.lease), at: due).task
        #expect(task.error == Example.retryable)
        let second = try task.applying(.fail(Example.retryable, retryAfter: .seconds(9)), at: due)
        #expect(second.task.status == .failed)
        #expect(second.task.notBefore == nil)
        #expect(second.events.map(\.kind) == [.failed])
        #expect(second.events[0].error == Example.retryable)
    }

    @Test("an interrupted attempt does not count against the budget")
    func interrupt() throws {
        let again = try Example.task(.processing).applying(.interrupt, at: Example.later).task
        #expect(again.maxAttempts == 4)
        #expect(again.attempt == 1)
        #expect(again.notBefore == nil)
        #expect(again.progress == 0)
    }

    @Test("an interrupted attempt that may not run twice fails and says how to go on")
    func interruptFails() throws {
        let task = try Example.task(.processing) { $0.onInterrupt = .fail }
        let transition = try task.applying(.interrupt, at: Example.later)
        #expect(transition.task.status == .failed)
        #expect(transition.task.error?.code == "interrupted")
        #expect(transition.task.error?.fix == "Run it again with: belfry retry 7")
        #expect(transition.events[0].error?.code == "interrupted")
        #expect(transition.attempt == .closed(.interrupted, transition.task.error))
    }

    @Test("a running task that is to be cancelled ends cancelled, unless it completes first")
    func cancelRequested() throws {
        let asked = try Example.task(.processing).applying(.requestCancel, at: Example.now).task
        #expect(asked.isCancelRequested)
        let again = try asked.applying(.requestCancel, at: Example.later)
        #expect(again.task == asked)
        #expect(again.events.isEmpty)
        let actions: [(TaskAction, TaskStatus)] = [
            (.fail(Example.retryable, retryAfter: .zero), .cancelled), (.interrupt, .cancelled),
            (.confirmCancel, .cancelled), (.complete(TaskResult()), .completed),
        ]
        for (action, status) in actions {
            let ended = try asked.applying(action, at: Example.later)
            #expect(ended.task.status == status)
            #expect(!ended.task.isCancelRequested)
            #expect(ended.task.error == nil)
        }
    }

    @Test("a retry forgets how the task ended and gives it new attempts")
    func retry() throws {
        let failed = try Example.task(.failed)
        let again = try failed.applying(.retry(attempts: 2), at: Example.later).task
        #expect(again.error == nil)
        #expect(again.startedAt == nil)
        #expect(again.maxAttempts == failed.attempt + 2)
        #expect(
            try failed.applying(.retry(attempts: 0), at: Example.later).task.maxAttempts == failed.attempt + 1
        )
        #expect(
            try Example.task(.completed).applying(.retry(attempts: 1), at: Example.later).task.result == nil
        )
    }

    @Test("a failure is kept within its bounds")
    func bounded() throws {
        let long = String(repeating: "\u{1F5FC}", count: 10_000)
        let failure = TaskFailure(long, long, fix: long, logTail: long + "end")
        let kept = try Example.task(.processing).applying(
            .fail(failure, retryAfter: .zero),
            at: Example.later
        )
        let error = try #require(kept.task.error)
        #expect(error.code.utf8.count <= 64)
        #expect(error.message.utf8.count <= 4096 && error.message.hasSuffix("\u{2026}"))
        #expect(error.fix?.utf8.count ?? 0 <= 1024)
        #expect(error.logTail?.utf8.count ?? 0 <= 8192)
        #expect(error.logTail?.hasSuffix("\u{1F5FC}end") == true)
    }
}
