// Every way in which a task changes its state, as pure functions. Stores apply what comes out in
// one transaction and decide nothing themselves; Docs/States.md draws the same picture.

/// Something that happens to a task.
public enum TaskAction: Sendable {
    /// A worker takes the task and starts an attempt.
    case claim(by: WorkerID, lease: Lease)
    /// The attempt succeeded.
    case complete(TaskResult)
    /// The attempt failed; when another is due it may start after `retryAfter`.
    case fail(TaskFailure, retryAfter: Duration)
    /// The attempt ended because someone cancelled it.
    case confirmCancel
    /// The attempt was cut off: its worker died, its lease ran out, or the hub shut down.
    case interrupt
    /// Someone wants the task cancelled.
    case requestCancel
    /// Someone wants a final task run again, with up to `attempts` more attempts, once `holds` others that
    /// it comes after are done.
    case retry(attempts: Int, holds: Int = 0)
    /// What the task failed because of was retried: it waits again as it did, for `holds` others, for its time
    /// and for whoever put it aside.
    case comeBack(holds: Int)
    /// The feature cannot go on now and wants another attempt after `delay`; this one does not count.
    case snooze(delay: Duration, message: String?)
    /// One of the tasks that this one comes after is done.
    case dependencyDone
    /// One of the tasks that this one comes after did not complete.
    case dependencyFailed(TaskFailure)
    /// The task's deadline has passed while it waited.
    case expire
    /// Someone puts the task aside, or lets it go again.
    case stash
    case release
    /// Someone changes what a pending task is. `turn` is its new place, when it has one.
    case edit(TaskEdit, turn: Int64?)
}

/// The changes that an action makes: the task afterwards, its events, and what becomes of its attempt.
public struct Transition: Sendable {
    public enum AttemptChange: Sendable, Equatable {
        case none
        case opened
        case closed(Attempt.Outcome, TaskFailure?)
    }

    public var task: BackgroundTask
    public var events: [TaskEvent.Draft]
    public var attempt: AttemptChange
}

/// An action that a task's state does not allow.
public struct TransitionError: Error, Hashable, Sendable {
    public let status: TaskStatus
    public let reason: String
}

/// One run of a feature on a task.
public struct Attempt: Hashable, Sendable {
    public enum Outcome: String, Sendable {
        case completed, failed, cancelled, interrupted, snoozed
    }

    public var taskID: TaskID
    /// Counted from 1.
    public var number: Int
    public var fence: Int64
    public var owner: WorkerID
    public var startedAt: Timestamp
    public var finishedAt: Timestamp?
    /// Nil while the attempt runs.
    public var outcome: Outcome?
    public var error: TaskFailure?

    public init(
        taskID: TaskID,
        number: Int,
        fence: Int64,
        owner: WorkerID,
        startedAt: Timestamp,
        finishedAt: Timestamp? = nil,
        outcome: Outcome? = nil,
        error: TaskFailure? = nil
    ) {
        self.taskID = taskID
        self.number = number
        self.fence = fence
        self.owner = owner
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.outcome = outcome
        self.error = error
    }

    /// The attempt that runs on a task now; nil when none does.
    public init?(running task: BackgroundTask) {
        guard task.status == .processing, let owner = task.owner, let startedAt = task.startedAt else {
            return nil
        }
        self.init(
            taskID: task.id,
            number: task.attempt,
            fence: task.fence,
            owner: owner,
            startedAt: startedAt
        )
    }
}

extension BackgroundTask {
    /// The changes that `action` makes to this task at `now`.
    ///
    /// - Throws: ``TransitionError`` when the task's state does not allow the action.
    public func applying(_ action: TaskAction, at now: Timestamp) throws(TransitionError) -> Transition {
        switch action {
        case .claim(let worker, let lease): try claimed(by: worker, lease: lease, at: now)
        case .complete(let result): try completed(result, at: now)
        case .fail(let failure, let delay): try failed(failure.bounded, retryAfter: delay, at: now)
        case .confirmCancel: try ended(.cancelled, attempt: .cancelled, at: now)
        case .interrupt: try interrupted(at: now)
        case .requestCancel: try cancelRequested(at: now)
        case .retry(let attempts, let holds): try retried(attempts: attempts, holds: holds, at: now)
        case .comeBack(let holds): try cameBack(holds: holds, at: now)
        case .snooze(let delay, let message): try snoozed(for: delay, message, at: now)
        case .dependencyDone: try unheld(at: now)
        case .dependencyFailed(let failure): try failedWaiting(failure, comesBack: true, at: now)
        case .expire: try failedWaiting(.deadline(deadline ?? now), comesBack: false, at: now)
        case .stash: try stashed(at: now)
        case .release: try unstashed(at: now)
        case .edit(let edit, let turn): try edited(edit, turn: turn, at: now)
        }
    }

    private func claimed(by worker: WorkerID, lease: Lease, at now: Timestamp) throws(TransitionError)
        -> Transition
    {
        guard status == .pending else { throw refusal("only a pending task can be claimed") }
        guard holdCount == 0 else { throw refusal("the task is held back") }
        if let notBefore, now < notBefore { throw refusal("the task may not start before \(notBefore)") }
        var task = touched(at: now)
        task.status = .processing
        task.progress = 0
        task.message = nil
        task.attempt += 1
        task.fence += 1
        task.owner = worker
        task.lease = lease
        task.notBefore = nil
        task.startedAt = now
        task.finishedAt = nil
        return Transition(
            task: task,
            events: [TaskEvent.Draft(.started, task: TaskSummary(task))],
            attempt: .opened
        )
    }

    private func completed(_ result: TaskResult, at now: Timestamp) throws(TransitionError) -> Transition {
        var transition = try ended(.completed, attempt: .completed, at: now)
        transition.task.progress = 100
        transition.task.result = result
        transition.task.error = nil
        transition.restateEvent { $0.result = result }
        return transition
    }

    private func failed(
        _ failure: TaskFailure,
        retryAfter delay: Duration,
        at now: Timestamp
    ) throws(TransitionError) -> Transition {
        if isCancelRequested { return try ended(.cancelled, attempt: .cancelled, at: now) }
        guard failure.isRetryable, attempt < maxAttempts else {
            var transition = try ended(.failed, attempt: .failed, failure: failure, at: now)
            transition.task.error = failure
            transition.restateEvent { $0.error = failure }
            return transition
        }
        return try requeued(
            .retrying,
            attempt: .failed,
            failure: failure,
            notBefore: now.adding(delay),
            at: now
        )
    }

    private func interrupted(at now: Timestamp) throws(TransitionError) -> Transition {
        if isCancelRequested { return try ended(.cancelled, attempt: .cancelled, at: now) }
        if onInterrupt == .rerun {
            var transition = try requeued(
                .interrupted,
                attempt: .interrupted,
                failure: nil,
                notBefore: nil,
                at: now
            )
            // Not the task's fault: the attempt does not count against its budget.
            transition.task.maxAttempts += 1
            transition.restateEvent { _ in }
            return transition
        }
        let failure = TaskFailure(
            "interrupted",
            "The hub stopped while this ran, and it may not be run twice by itself.",
            fix: "Run it again with: belfry retry \(number)"
        )
        var transition = try ended(.failed, attempt: .interrupted, failure: failure, at: now)
        transition.task.error = failure
        transition.restateEvent { $0.error = failure }
        return transition
    }

    private func cancelRequested(at now: Timestamp) throws(TransitionError) -> Transition {
        switch status {
        case .pending:
            var task = touched(at: now)
            task.status = .cancelled
            task.notBefore = nil
            task.holdCount = 0
            task.isStashed = false
            task.finishedAt = now
            return Transition(
                task: task,
                events: [TaskEvent.Draft(.cancelled, task: TaskSummary(task))],
                attempt: .none
            )
        case .processing where isCancelRequested:
            return Transition(task: self, events: [], attempt: .none)
        case .processing:
            var task = touched(at: now)
            task.isCancelRequested = true
            let event = TaskEvent.Draft(.cancelRequested, task: TaskSummary(task))
            return Transition(task: task, events: [event], attempt: .none)
        case .completed, .failed, .cancelled:
            throw refusal("it is already \(status.rawValue)")
        }
    }

    func retried(attempts: Int, holds: Int, at now: Timestamp) throws(TransitionError) -> Transition {
        guard status.isFinal else { throw refusal("only a finished task can be retried") }
        var task = touched(at: now)
        task.status = .pending
        task.progress = 0
        task.message = nil
        task.result = nil
        task.error = nil
        task.isCancelRequested = false
        task.notBefore = nil
        task.startedAt = nil
        task.finishedAt = nil
        task.holdCount = holds
        task.isStashed = false
        if let deadline, deadline <= now { task.deadline = now.adding(deadline.since(createdAt)) }
        task.maxAttempts = task.attempt + max(1, attempts)
        return Transition(
            task: task,
            events: [TaskEvent.Draft(.retried, task: TaskSummary(task))],
            attempt: .none
        )
    }

    /// The attempt is over and so is the task.
    private func ended(
        _ final: TaskStatus,
        attempt outcome: Attempt.Outcome,
        failure: TaskFailure? = nil,
        at now: Timestamp
    ) throws(TransitionError) -> Transition {
        guard status == .processing else { throw refusal("no attempt is running") }
        var task = released(at: now)
        task.status = final
        task.finishedAt = now
        var event = TaskEvent.Draft(Self.eventKind(of: final), task: TaskSummary(task))
        event.duration = task.duration
        return Transition(task: task, events: [event], attempt: .closed(outcome, failure))
    }

    /// The attempt is over; the task is pending again.
    func requeued(
        _ kind: TaskEvent.Kind,
        attempt outcome: Attempt.Outcome,
        failure: TaskFailure?,
        notBefore: Timestamp?,
        at now: Timestamp
    ) throws(TransitionError) -> Transition {
        guard status == .processing else { throw refusal("no attempt is running") }
        var task = released(at: now)
        task.status = .pending
        task.progress = 0
        task.notBefore = notBefore
        task.error = failure
        var event = TaskEvent.Draft(kind, task: TaskSummary(task))
        event.error = failure
        event.notBefore = notBefore
        event.duration = startedAt.map { now.since($0) }
        return Transition(task: task, events: [event], attempt: .closed(outcome, failure))
    }

    func touched(at now: Timestamp) -> BackgroundTask {
        var task = self
        task.revision += 1
        task.updatedAt = now
        return task
    }

    /// Out of `processing`: the fence rises, so that nothing of this attempt can be written after it.
    private func released(at now: Timestamp) -> BackgroundTask {
        var task = touched(at: now)
        task.fence += 1
        task.owner = nil
        task.lease = nil
        task.isCancelRequested = false
        task.message = nil
        return task
    }

    func refusal(_ reason: String) -> TransitionError {
        TransitionError(status: status, reason: reason)
    }

    private static func eventKind(of final: TaskStatus) -> TaskEvent.Kind {
        switch final {
        case .completed: .completed
        case .cancelled: .cancelled
        case .failed, .pending, .processing: .failed
        }
    }
}

extension Transition {
    /// Brings the one event up to date with the task after it, then lets `change` add to it.
    mutating func restateEvent(_ change: (inout TaskEvent.Draft) -> Void) {
        guard var event = events.first else { return }
        event.task = TaskSummary(task)
        change(&event)
        events[0] = event
    }
}
