// The transitions of tasks that wait: for others, for a time, for a person.

import BelfryCore
import Testing

@Suite("Transitions of waiting tasks")
struct WaitingTests {
    @Test("a snooze does not count, says why, and is over with the next claim")
    func snooze() throws {
        let running = try Example.task(.processing)
        let transition = try running.applying(
            .snooze(delay: .seconds(30), message: "Busy."),
            at: Example.later
        )
        let due = Example.later.adding(.seconds(30))
        let task = transition.task
        #expect((task.attempt, task.maxAttempts) == (1, 4))
        #expect((task.notBefore, task.message) == (due, "Busy."))
        #expect(task.error == nil)
        #expect(transition.attempt == .closed(.snoozed, TaskFailure("snoozed", "Busy.")))
        #expect(transition.events[0].notBefore == due)
        #expect(transition.events[0].duration == .milliseconds(1500))
        #expect(transition.events[0].error?.message == "Busy.")
        let claim = TaskAction.claim(by: Example.worker, lease: Example.lease)
        #expect(throws: TransitionError.self) { try task.applying(claim, at: Example.later) }
        #expect(try task.applying(claim, at: due).task.message == nil)
    }

    @Test("a snooze's reason is kept within its bounds")
    func longReason() throws {
        let long = String(repeating: "\u{1F5FC}", count: 10_000)
        let snooze = TaskAction.snooze(delay: .zero, message: long)
        let transition = try Example.task(.processing).applying(snooze, at: Example.later)
        #expect(transition.task.message?.utf8.count ?? 0 <= 500)
        #expect(transition.events[0].error?.message.utf8.count ?? 0 <= 4096)
    }

    @Test("a snooze of a task that is to be cancelled cancels it")
    func snoozeWhileCancelling() throws {
        let asked = try Example.task(.processing).applying(.requestCancel, at: Example.now).task
        let ended = try asked.applying(.snooze(delay: .seconds(30), message: nil), at: Example.later)
        #expect(ended.task.status == .cancelled)
        #expect(ended.attempt == .closed(.cancelled, nil))
    }

    @Test("each thing that is done holds a task back less, and none is taken for another")
    func held() throws {
        var task = Example.task { $0.isStashed = true }
        task.holdCount += 2
        for count in [2, 1] {
            let transition = try task.applying(.dependencyDone, at: Example.later)
            #expect(transition.events.isEmpty)
            #expect(transition.task.revision == task.revision + 1)
            task = transition.task
            #expect(task.holdCount == count)
        }
        // What is left is the stash.
        #expect(throws: TransitionError.self) { try task.applying(.dependencyDone, at: Example.later) }
        #expect(try task.applying(.release, at: Example.later).task.holdCount == 0)
    }

    @Test("a task that fails while it waits is held by nothing any more, and no attempt was made")
    func failsWaiting() throws {
        var task = Example.task {
            $0.isStashed = true
            $0.notBefore = Example.later
            $0.deadline = Example.later
        }
        task.holdCount += 1
        let failure = TaskFailure.dependency(try Example.task(.failed))
        for (action, code) in [
            (TaskAction.dependencyFailed(failure), "dependency_failed"), (.expire, "deadline"),
        ] {
            let transition = try task.applying(action, at: Example.later)
            #expect(transition.task.error?.code == code)
            #expect(transition.events[0].error == transition.task.error)
            #expect(transition.events[0].duration == nil)
            #expect(transition.task.holdCount == 0)
            #expect(transition.task.attempt == 0)
            // Only what may come back keeps what it waits for besides.
            #expect(transition.task.isStashed == (code == "dependency_failed"))
            #expect((transition.task.notBefore != nil) == (code == "dependency_failed"))
        }
        let error = try task.applying(.expire, at: Example.later).task.error
        #expect(error?.message == "It was not done by 2026-01-01T00:00:01.500Z.")
    }

    @Test("a task that failed because of another comes back as it waited, and no other does")
    func comeBack() throws {
        let task = Example.task { ($0.isStashed, $0.notBefore) = (true, Example.later) }
        let failure = TaskFailure.dependency(try Example.task(.failed))
        let failed = try task.applying(.dependencyFailed(failure), at: Example.now).task
        let back = try failed.applying(.comeBack(holds: 2), at: Example.later)
        #expect((back.task.status, back.task.holdCount, back.task.isStashed) == (.pending, 3, true))
        #expect((back.task.notBefore, back.task.maxAttempts) == (Example.later, 3))
        #expect(back.task.error == nil)
        #expect(back.events.map(\.kind) == [.retried])
        #expect(try failed.applying(.retry(attempts: 1), at: Example.later).task.notBefore == nil)
        #expect(try !failed.applying(.retry(attempts: 1), at: Example.later).task.isStashed)
        for status in TaskStatus.allCases {
            #expect(throws: TransitionError.self) {
                try Example.task(status).applying(.comeBack(holds: 0), at: Example.later)
            }
        }
    }

    @Test("stashing and releasing twice is the same as once")
    func stash() throws {
        let task = Example.task()
        let stashed = try task.applying(.stash, at: Example.later).task
        #expect((stashed.isStashed, stashed.holdCount) == (true, 1))
        let again = try stashed.applying(.stash, at: Example.later)
        #expect(again.task == stashed)
        #expect(again.events.isEmpty)
        let released = try stashed.applying(.release, at: Example.later)
        #expect((released.task.isStashed, released.task.holdCount) == (false, 0))
        #expect(released.events.map(\.kind) == [.released])
        let nothing = try task.applying(.release, at: Example.later)
        #expect(nothing.task == task)
        #expect(nothing.events.isEmpty)
        for status in TaskStatus.allCases where status != .pending {
            #expect(throws: TransitionError.self) {
                try Example.task(status).applying(.release, at: Example.later)
            }
        }
    }

    @Test("an edit changes what it names and leaves the rest, its state above all")
    func edit() throws {
        var task = Example.task { $0.isStashed = true }
        (task.turn, task.flow) = (5, "ada")
        var edit = TaskEdit()
        #expect(edit.isEmpty)
        (edit.title, edit.params, edit.priority) = ("another", ["a": 1], 9)
        #expect(!edit.isEmpty)
        let transition = try task.applying(.edit(edit, turn: nil), at: Example.later)
        var expected = task
        (expected.title, expected.params, expected.priority) = ("another", ["a": 1], 9)
        (expected.revision, expected.updatedAt) = (2, Example.later)
        #expect(transition.task == expected)
        #expect(transition.events.map(\.kind) == [.edited])
        #expect(try task.applying(.edit(edit, turn: -3), at: Example.later).task.turn == -3)
    }

    @Test("an edit takes a time away only when it says so, and counts attempts from now on")
    func editTimes() throws {
        let task = Example.task { ($0.notBefore, $0.deadline) = (Example.later, Example.later) }
        var edit = TaskEdit()
        edit.maxAttempts = 2
        let kept = try task.applying(.edit(edit, turn: nil), at: Example.now).task
        #expect((kept.notBefore, kept.deadline, kept.maxAttempts) == (Example.later, Example.later, 2))
        (edit.notBefore, edit.deadline) = (.some(nil), .some(nil))
        let without = try task.applying(.edit(edit, turn: nil), at: Example.now).task
        #expect((without.notBefore, without.deadline) == (nil, nil))
        let tried = try Example.task(.processing).applying(
            .fail(Example.retryable, retryAfter: .zero),
            at: Example.later
        ).task
        #expect(try tried.applying(.edit(edit, turn: nil), at: Example.later).task.maxAttempts == 3)
    }

    @Test("a retry waits for what is not done, and gives a deadline that is over as much time again")
    func retry() throws {
        let deadline = Example.now.adding(.seconds(10))
        let failed = try Example.task(.failed) { $0.deadline = deadline }
        let late = Example.now.adding(.seconds(100))
        let again = try failed.applying(.retry(attempts: 1, holds: 2), at: late).task
        #expect(again.holdCount == 2)
        #expect(again.deadline == late.adding(.seconds(10)))
        let early = deadline.adding(.milliseconds(-1))
        #expect(try failed.applying(.retry(attempts: 1), at: early).task.deadline == deadline)
        #expect(
            try failed.applying(.retry(attempts: 1), at: deadline).task.deadline
                == deadline.adding(.seconds(10))
        )
    }
}
