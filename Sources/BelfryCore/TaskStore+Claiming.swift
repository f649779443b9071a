// What workers and stores say to each other about the tasks that run.

/// The right to write about a task: valid while the task has this fence.
public struct Claim: Hashable, Sendable {
    public var taskID: TaskID
    public var fence: Int64

    public init(taskID: TaskID, fence: Int64) {
        self.taskID = taskID
        self.fence = fence
    }
}

/// What a worker can take now.
public struct ClaimRequest: Sendable {
    public var worker: WorkerID
    public var lease: Lease
    /// Slots that are free; a task takes one or more (``TaskNeeds``).
    public var slots: Int
    /// Tasks at most in each lane; lanes that are not named are not claimed.
    public var lanes: [Lane: Int]
    /// Slots that are free in each group; those that are not named have no limit of their own.
    public var groups: [String: Int] = [:]
    /// Tasks at most of each feature; those that are not named have no limit of their own.
    public var features: [String: Int] = [:]
    /// What is free of each resource; there is nothing of one that is not named.
    public var resources: [String: Int64] = [:]

    public init(worker: WorkerID, lease: Lease, slots: Int, lanes: [Lane: Int]) {
        self.worker = worker
        self.lease = lease
        self.slots = slots
        self.lanes = lanes
    }
}

/// A task that the caller now runs.
public struct ClaimedTask: Sendable, Hashable {
    public var task: BackgroundTask
    public var context: SubmissionContext?
    /// What an earlier attempt saved.
    public var checkpoint: JSONValue?
    /// Since when the task could have been claimed. Defaults to nil: unknown.
    public var dueSince: Timestamp?

    public var claim: Claim { Claim(taskID: task.id, fence: task.fence) }

    public init(
        task: BackgroundTask,
        context: SubmissionContext? = nil,
        checkpoint: JSONValue? = nil,
        dueSince: Timestamp? = nil
    ) {
        self.task = task
        self.context = context
        self.checkpoint = checkpoint
        self.dueSince = dueSince
    }
}

public struct PendingWork: Sendable, Hashable {
    public var lanes: Set<Lane>
    /// The earliest `notBefore` in the future; nil when nothing waits for a time.
    public var nextDue: Timestamp?
    /// The earliest deadline of a pending task.
    public var nextDeadline: Timestamp?

    public init(lanes: Set<Lane>, nextDue: Timestamp?, nextDeadline: Timestamp? = nil) {
        self.lanes = lanes
        self.nextDue = nextDue
        self.nextDeadline = nextDeadline
    }
}

/// How an attempt ended, as its claimant says.
public struct Settlement: Sendable {
    public enum Outcome: Sendable {
        case completed(TaskResult)
        case failed(TaskFailure, retryAfter: Duration)
        case cancelled
        /// Given back unfinished: the hub is shutting down.
        case interrupted
        /// Given back by the feature, to be tried again after a while.
        case snoozed(Duration, String?)
    }

    public var claim: Claim
    public var outcome: Outcome

    public init(claim: Claim, outcome: Outcome) {
        self.claim = claim
        self.outcome = outcome
    }

    public var action: TaskAction {
        switch outcome {
        case .completed(let result): .complete(result)
        case .failed(let failure, let delay): .fail(failure, retryAfter: delay)
        case .cancelled: .confirmCancel
        case .interrupted: .interrupt
        case .snoozed(let delay, let message): .snooze(delay: delay, message: message)
        }
    }
}

public struct ProgressValue: Sendable, Hashable {
    public var claim: Claim
    /// 0…100, or nil to leave the percentage as it is.
    public var percent: Double?
    /// nil leaves the message as it is.
    public var message: String?

    public init(claim: Claim, percent: Double?, message: String?) {
        self.claim = claim
        self.percent = percent
        self.message = message
    }
}

/// Which running attempts count as dead: those of other workers whose lease has run out, or,
/// where one process owns the store, all that are not `alive`.
public struct Rescue: Sendable {
    /// Attempts of these workers are left alone.
    public var alive: Set<WorkerID>
    public var bootID: String
    /// On the lease clock of this boot.
    public var leaseTime: Duration
    /// The caller owns the store alone: everyone who is not alive is dead, whatever their lease says.
    public var isSoleOwner: Bool

    public init(alive: Set<WorkerID>, bootID: String, leaseTime: Duration, isSoleOwner: Bool) {
        self.alive = alive
        self.bootID = bootID
        self.leaseTime = leaseTime
        self.isSoleOwner = isSoleOwner
    }

    /// Whether `task`'s attempt is to be interrupted.
    public func covers(_ task: BackgroundTask) -> Bool {
        guard task.status == .processing, let owner = task.owner, !alive.contains(owner) else { return false }
        guard !isSoleOwner, let lease = task.lease, lease.bootID == bootID else { return true }
        return lease.expiresAt <= leaseTime
    }
}
