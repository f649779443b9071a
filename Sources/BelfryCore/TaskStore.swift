// What a store of tasks promises. Every engine passes the same conformance suite (BelfryTesting).

/// Durable tasks and their event log.
///
/// Each call is atomic: a state change and its events are committed together or not at all, and
/// when a call returns, what it did survives the death of any process. Calls may be grouped into
/// one commit; what one of them throws never touches another. Cancelling the caller does not
/// undo a call that has begun.
///
/// Stores decide nothing: what an action does to a task is ``BackgroundTask/applying(_:at:)``.
public protocol TaskStore: Sendable {
    /// The state of the event log and the counts of tasks.
    func status() async throws -> StoreStatus

    /// Accepts tasks, all or none, with their `task.added` events in the same order, preceded by
    /// `batch.added` when `batch` is given and at least one task is new. The batch's total is
    /// the count of its new tasks.
    ///
    /// Idempotency keys belong to a user: two users may use the same one.
    /// A task whose id or idempotency key is already there is answered with the stored task when
    /// the submission is a repeat (see ``NewTask/isRepeat(of:)``).
    /// A task that comes after others is held until they are done (``DependencyPolicy``); one that must not
    /// be there twice is treated as its ``UniqueRule`` says. What comes after a submission that made no task
    /// comes after the task that it is answered with.
    /// - Throws: ``TaskStoreError/conflict(_:)`` when id or key belong to another submission, or a unique
    ///   rule rejects it; ``TaskStoreError/dependency(_:)`` when a task comes after one that is not there,
    ///   that has failed, or after itself.
    func add(_ tasks: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) async throws -> [AddedTask]

    func task(_ id: TaskID) async throws -> BackgroundTask?
    func task(number: Int64) async throws -> BackgroundTask?
    func tasks(_ query: TaskQuery) async throws -> TaskPage
    func batch(_ id: BatchID) async throws -> TaskBatch?

    /// The attempts of a task, oldest first.
    func attempts(of id: TaskID) async throws -> [Attempt]

    /// The tasks that each of `ids` comes after, in the order of the submission. Tasks that come after none
    /// are left out.
    func dependencies(of ids: [TaskID]) async throws -> [TaskID: [TaskDependency]]

    /// Claims due tasks, as many as ``ClaimPlan`` lets start: by priority, then by turn, then in the order of
    /// submission. A task whose deadline has passed is not claimed any more.
    ///
    /// The claim is a lease: unless it is extended another worker may take the task over, and
    /// later writes with this fence are refused with ``TaskStoreError/leaseLost(_:)``.
    func claim(_ request: ClaimRequest, at now: Timestamp) async throws -> [ClaimedTask]

    /// The lanes that have pending tasks, held ones too, and the next times at which one becomes due or its
    /// deadline comes.
    func pendingWork() async throws -> PendingWork

    /// Extends the leases of running attempts.
    /// - Returns: the claims that are no longer the caller's.
    func extendLeases(_ claims: [Claim], to lease: Lease) async throws -> [Claim]

    /// Records how an attempt ended; each result stands alone.
    func settle(_ settlement: Settlement, at now: Timestamp) async throws -> BackgroundTask

    /// Writes the latest progress of running attempts; values of lost claims are dropped. It
    /// raises the revision and `updatedAt`, and makes no event.
    /// - Returns: the claims that are no longer the caller's.
    func saveProgress(_ values: [ProgressValue], at now: Timestamp) async throws -> [Claim]

    /// Keeps what a running attempt wants the next one to know; nil forgets it. Each takes the place of the
    /// one before. A completed task keeps none.
    /// - Throws: ``TaskStoreError/leaseLost(_:)``.
    func saveCheckpoint(_ checkpoint: JSONValue?, of claim: Claim) async throws

    /// Cancels a pending task, or notes that a running one is to be cancelled.
    func requestCancel(_ id: TaskID, at now: Timestamp) async throws -> BackgroundTask

    /// Makes a final task pending again, and with it those that failed because it had failed. A deadline that is
    /// over is as far away again as it was from the task's submission.
    /// - Throws: ``TaskStoreError/dependency(_:)`` when the task comes after one that has failed itself.
    func retry(
        _ id: TaskID,
        attempts: Int,
        context: SubmissionContext?,
        at now: Timestamp
    ) async throws -> BackgroundTask

    /// Changes a pending task.
    func edit(_ id: TaskID, _ edit: TaskEdit, at now: Timestamp) async throws -> BackgroundTask

    /// Puts a pending task aside, or lets it go again.
    func setStashed(_ isStashed: Bool, _ id: TaskID, at now: Timestamp) async throws -> BackgroundTask

    /// Fails pending tasks whose deadline has passed, at most `limit`; call again until there are none.
    func expire(limit: Int, at now: Timestamp) async throws -> [BackgroundTask]

    /// Interrupts the attempts that `rescue` describes as dead.
    /// - Returns: the tasks as they are afterwards.
    func rescue(_ rescue: Rescue, at now: Timestamp) async throws -> [BackgroundTask]

    /// Removes final tasks that match, those that ended first before others, each with a `task.removed` event. A batch
    /// goes with its last task.
    /// - Returns: what was removed, at most `filter.limit`; call again until it is empty.
    func clear(_ filter: ClearFilter, at now: Timestamp) async throws -> [TaskSummary]

    /// How many tasks ``clear(_:at:)`` would remove without its limit.
    func countClearable(_ filter: ClearFilter) async throws -> Int

    /// The groups that were set, by name; others have no limit and are open.
    func groups() async throws -> [TaskGroup]
    /// Keeps a group as it is now; a default one is forgotten.
    func saveGroup(_ group: TaskGroup) async throws

    /// All schedules, by name.
    func schedules() async throws -> [Schedule]
    /// Makes a schedule, or puts it in the place of the one with its name.
    /// - Parameter revision: the one that it replaces; nil when there must be none.
    /// - Throws: ``TaskStoreError/conflict(_:)`` when that is not what is there.
    func saveSchedule(_ schedule: Schedule, replacing revision: Int64?) async throws
    /// - Returns: whether there was one.
    func removeSchedule(_ name: String) async throws -> Bool
    /// Makes the tasks of due ticks and moves the schedule on, all or nothing: so each tick makes one task,
    /// whatever crashes.
    /// - Returns: nil when the schedule is gone or has changed since the firing was decided.
    func fire(_ firing: ScheduleFiring, at now: Timestamp) async throws -> [AddedTask]?

    /// Events after `position`, oldest first, at most `limit`.
    func events(after position: Int64, limit: Int) async throws -> EventPage

    /// The newest `limit` events of one task, oldest first.
    func events(of id: TaskID, limit: Int) async throws -> [EventRecord]

    /// Where a sink's instance has got to; nil when it never saved.
    func cursor(of sink: String) async throws -> EventCursor?
    func saveCursor(_ cursor: EventCursor, of sink: String) async throws

    /// Puts an event aside that a sink cannot deliver. A later one for the same sink and
    /// position takes its place.
    func park(_ parked: ParkedEvent) async throws
    func parkedEvents(of sink: String) async throws -> [ParkedEvent]

    /// Flushes and lets go of the files. Nothing may be called after it.
    func close() async throws
}

/// A submission that the service has checked and completed.
public struct AcceptedTask: Sendable, Hashable {
    public var id: TaskID
    public var new: NewTask
    /// Whose turn it is, see ``BackgroundTask/flow``.
    public var flow: String?

    public init(id: TaskID, new: NewTask, flow: String? = nil) {
        self.id = id
        self.new = new
        self.flow = flow
    }
}

public struct AddedTask: Sendable, Hashable {
    public var task: BackgroundTask
    /// False when the submission was a repeat and the task was there already.
    public var isNew: Bool

    public init(task: BackgroundTask, isNew: Bool) {
        self.task = task
        self.isNew = isNew
    }
}

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

    public var claim: Claim { Claim(taskID: task.id, fence: task.fence) }

    public init(task: BackgroundTask, context: SubmissionContext? = nil, checkpoint: JSONValue? = nil) {
        self.task = task
        self.context = context
        self.checkpoint = checkpoint
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

public struct TaskQuery: Sendable {
    /// Empty means any.
    public var statuses: Set<TaskStatus> = []
    public var featureID: String?
    public var batchID: BatchID?
    public var label: String?
    /// Tasks that are unfinished or were updated at or after this time.
    public var activeSince: Timestamp?
    /// Tasks with a number below this: the page before came to here.
    public var beforeNumber: Int64?
    /// At most 1,000. Defaults to 100.
    public var limit = 100

    public init() {}
}

/// Tasks, newest first.
public struct TaskPage: Sendable {
    public var tasks: [BackgroundTask]
    /// For the next page's `beforeNumber`; nil when this page reaches the oldest task.
    public var nextBefore: Int64?
    /// The log's last event when the page was read: subscribe after it and nothing is missed.
    public var asOf: EventCursor

    public init(tasks: [BackgroundTask], nextBefore: Int64?, asOf: EventCursor) {
        self.tasks = tasks
        self.nextBefore = nextBefore
        self.asOf = asOf
    }
}

public struct ClearFilter: Sendable, Hashable {
    /// Only final statuses count. Defaults to completed.
    public var statuses: Set<TaskStatus> = [.completed]
    /// Finished before this time.
    public var finishedBefore: Timestamp?
    public var featureID: String?
    public var batchID: BatchID?
    public var label: String?
    /// Only these, when given.
    public var ids: [TaskID]?
    /// The newest so many of those that match stay. Defaults to none.
    public var keeping = 0
    /// At most this many in one call. Defaults to 500.
    public var limit = 500

    public init() {}

    /// Whether a task matches, apart from ``keeping`` and ``limit``.
    public func covers(_ task: BackgroundTask) -> Bool {
        task.status.isFinal && statuses.contains(task.status)
            && finishedBefore.map { task.finishedAt ?? task.updatedAt < $0 } ?? true
            && featureID.map { $0 == task.featureID } ?? true
            && batchID.map { $0 == task.batchID } ?? true
            && label.map { task.labels.contains($0) } ?? true
            && ids.map { $0.contains(task.id) } ?? true
    }
}

public struct EventPage: Sendable {
    public var epoch: String
    public var events: [EventRecord]
    /// The oldest position that is kept; one past the last when the log is empty.
    public var oldest: Int64
    /// The newest position; 0 in a new log.
    public var newest: Int64

    public init(epoch: String, events: [EventRecord], oldest: Int64, newest: Int64) {
        self.epoch = epoch
        self.events = events
        self.oldest = oldest
        self.newest = newest
    }
}

public struct StoreStatus: Sendable, Hashable {
    public var epoch: String
    public var oldest: Int64
    public var newest: Int64
    public var counts: [TaskStatus: Int]
    /// Such as `sqlite 3.40.1`, for `belfry status`.
    public var engine: String
    /// The previous owner ended without closing.
    public var wasUnclean: Bool

    public init(
        epoch: String,
        oldest: Int64,
        newest: Int64,
        counts: [TaskStatus: Int],
        engine: String,
        wasUnclean: Bool
    ) {
        self.epoch = epoch
        self.oldest = oldest
        self.newest = newest
        self.counts = counts
        self.engine = engine
        self.wasUnclean = wasUnclean
    }

    public var cursor: EventCursor { EventCursor(epoch: epoch, position: newest) }
}

public struct ParkedEvent: Sendable, Hashable {
    public var sink: String
    public var position: Int64
    public var reason: String
    public var time: Timestamp

    public init(sink: String, position: Int64, reason: String, time: Timestamp) {
        self.sink = sink
        self.position = position
        self.reason = reason
        self.time = time
    }
}

/// Why a store refused or could not do what was asked.
public enum TaskStoreError: Error, Hashable, Sendable {
    case notFound(TaskID)
    /// The fence has moved on: the attempt is no longer the caller's.
    case leaseLost(TaskID)
    case refused(TaskID, TransitionError)
    /// The id or idempotency key belongs to a different submission.
    case conflict(String)
    /// A task cannot come after another as it is.
    case dependency(String)
    /// Nothing was changed; the same call may work later.
    case unavailable(BelfryError)
    /// The commit itself failed: the change may or may not be there after a restart.
    case outcomeUnknown(String)
}
