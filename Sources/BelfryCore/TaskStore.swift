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

    /// The tasks that each of `ids` comes after, in the order of the submission, also those that were cleared
    /// since. Tasks that come after none are left out.
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

    /// Since when the due task that was submitted first has been due (``BackgroundTask/dueSince``); nil when
    /// none is due. Held tasks and those that wait for a time are not.
    func oldestDue(at now: Timestamp) async throws -> Timestamp?

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
    /// - Throws: ``TaskStoreError/dependency(_:)`` when the task comes after one that has failed itself, also
    ///   when that one was cleared since; ``TaskStoreError/conflict(_:)`` when its unique rule minds another.
    func retry(
        _ id: TaskID,
        attempts: Int,
        context: SubmissionContext?,
        at now: Timestamp
    ) async throws -> BackgroundTask

    /// Changes a pending task. New params give it another unique key.
    /// - Throws: ``TaskStoreError/conflict(_:)`` when its unique rule minds another then.
    func edit(_ id: TaskID, _ edit: TaskEdit, at now: Timestamp) async throws -> BackgroundTask

    /// Puts a pending task aside, or lets it go again.
    func setStashed(_ isStashed: Bool, _ id: TaskID, at now: Timestamp) async throws -> BackgroundTask

    /// Fails pending tasks whose deadline has passed, at most `limit`; call again until there are none.
    func expire(limit: Int, at now: Timestamp) async throws -> [BackgroundTask]

    /// Interrupts the attempts that `rescue` describes as dead.
    /// - Returns: the tasks as they are afterwards.
    func rescue(_ rescue: Rescue, at now: Timestamp) async throws -> [BackgroundTask]

    /// Removes final tasks that match, those that ended first before others, each with a `task.removed` event. A batch
    /// goes with its last task. What comes after one of them remembers how it had ended.
    /// - Returns: what was removed, at most `filter.limit`; call again until it is empty.
    func clear(_ filter: ClearFilter, at now: Timestamp) async throws -> [TaskSummary]

    /// Forgets the oldest events that happened before `time`, at most `limit`. Readers that had not come so
    /// far get a gap record.
    /// - Returns: how many; call again until there are none.
    func pruneEvents(before time: Timestamp, limit: Int) async throws -> Int

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
    /// Forgets that these events were put aside. What is not parked is passed over.
    func unpark(_ positions: [Int64], of sink: String) async throws
    /// Forgets a sink: where it has got to, and what it put aside.
    func forgetSink(_ name: String) async throws

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
    /// Those whose place it takes and that still run: they were asked to stop. Defaults to none.
    public var stopping: [TaskID] = []

    public init(task: BackgroundTask, isNew: Bool) {
        self.task = task
        self.isNew = isNew
    }
}
