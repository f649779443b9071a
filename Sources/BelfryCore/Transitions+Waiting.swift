// The transitions of tasks that wait: for others, for a time, for a person.

extension BackgroundTask {
    /// The attempt is given back for a while, by the feature's own wish.
    func snoozed(for delay: Duration, _ message: String?, at now: Timestamp) throws(TransitionError)
        -> Transition
    {
        if isCancelRequested { return try applying(.confirmCancel, at: now) }
        let failure = message.map { TaskFailure("snoozed", $0).bounded }
        var transition = try requeued(
            .snoozed,
            attempt: .snoozed,
            failure: failure,
            notBefore: now.adding(delay),
            at: now
        )
        // Nothing failed: the attempt does not count against the budget.
        transition.task.maxAttempts += 1
        transition.task.error = nil
        transition.task.message = message?.truncated(toUTF8: 500)
        transition.restateEvent { _ in }
        return transition
    }

    func unheld(at now: Timestamp) throws(TransitionError) -> Transition {
        guard status == .pending, holdCount > (isStashed ? 1 : 0) else {
            throw refusal("nothing that it comes after holds it back")
        }
        var task = touched(at: now)
        task.holdCount -= 1
        return Transition(task: task, events: [], attempt: .none)
    }

    /// The task ends without an attempt. One that may come back keeps what it waits for besides.
    func failedWaiting(_ failure: TaskFailure, comesBack: Bool, at now: Timestamp) throws(TransitionError)
        -> Transition
    {
        guard status == .pending else { throw refusal("only a pending task can fail without an attempt") }
        var task = touched(at: now)
        task.status = .failed
        task.error = failure
        task.holdCount = 0
        if !comesBack {
            task.notBefore = nil
            task.isStashed = false
        }
        task.finishedAt = now
        var event = TaskEvent.Draft(.failed, task: TaskSummary(task))
        event.error = failure
        return Transition(task: task, events: [event], attempt: .none)
    }

    func cameBack(holds: Int, at now: Timestamp) throws(TransitionError) -> Transition {
        guard status == .failed, error?.code == TaskFailure.dependencyCode else {
            throw refusal("it did not fail because of another task")
        }
        let budget = max(1, maxAttempts - attempt)
        var transition = try retried(attempts: budget, holds: holds + (isStashed ? 1 : 0), at: now)
        transition.task.notBefore = notBefore
        transition.task.isStashed = isStashed
        return transition
    }

    func stashed(at now: Timestamp) throws(TransitionError) -> Transition {
        guard status == .pending else { throw refusal("only a pending task can be put aside") }
        guard !isStashed else { return Transition(task: self, events: [], attempt: .none) }
        var task = touched(at: now)
        task.isStashed = true
        task.holdCount += 1
        return Transition(
            task: task,
            events: [TaskEvent.Draft(.stashed, task: TaskSummary(task))],
            attempt: .none
        )
    }

    func unstashed(at now: Timestamp) throws(TransitionError) -> Transition {
        guard status == .pending else { throw refusal("only a pending task can be let go") }
        guard isStashed else { return Transition(task: self, events: [], attempt: .none) }
        var task = touched(at: now)
        task.isStashed = false
        task.holdCount -= 1
        return Transition(
            task: task,
            events: [TaskEvent.Draft(.released, task: TaskSummary(task))],
            attempt: .none
        )
    }

    func edited(_ edit: TaskEdit, turn: Int64?, at now: Timestamp) throws(TransitionError) -> Transition {
        guard status == .pending else { throw refusal("only a pending task can be changed") }
        var task = edit.applied(to: touched(at: now))
        task.turn = turn ?? task.turn
        return Transition(
            task: task,
            events: [TaskEvent.Draft(.edited, task: TaskSummary(task))],
            attempt: .none
        )
    }
}
