// What happened to a task or a batch, as sinks and readers see it.

/// A committed change: what happened, when, and its place in the log.
///
/// An event carries no params: a summary of the task and its revision. Who wants more reads the
/// task. Docs/Events.md lists every kind with its fields.
public struct TaskEvent: Hashable, Sendable {
    /// The version of the JSON form. It grows when a field changes its meaning; new fields and
    /// new kinds may come without it.
    public static let schemaVersion: Int64 = 1

    /// The largest event, in bytes of JSON: longer texts in it are shortened.
    public static let maxSize = 4096

    public enum Kind: String, Sendable, CaseIterable {
        /// The task is accepted and durable.
        case added = "task.added"
        /// An attempt began.
        case started = "task.started"
        /// An attempt failed; another follows at `notBefore`.
        case retrying = "task.retrying"
        /// An attempt was cut off by a crash, restart or shutdown; the task is pending again.
        case interrupted = "task.interrupted"
        /// Someone asked to cancel the attempt that is running.
        case cancelRequested = "task.cancelRequested"
        case completed = "task.completed"
        case failed = "task.failed"
        case cancelled = "task.cancelled"
        /// Someone retried a final task: it is pending with a new attempt budget.
        case retried = "task.retried"
        /// The feature could not go on and asked for another attempt at `notBefore`.
        case snoozed = "task.snoozed"
        /// Someone changed the task while it waited.
        case edited = "task.edited"
        /// Someone put the task aside.
        case stashed = "task.stashed"
        /// Someone let a stashed task go: it may start.
        case released = "task.released"
        /// The task was cleared away; its number and id are all that is left.
        case removed = "task.removed"
        case batchAdded = "batch.added"
        /// Every task of the batch is final.
        case batchFinished = "batch.finished"
    }

    /// What happened, before the store gives it a place.
    public struct Draft: Hashable, Sendable {
        public var kind: Kind
        public var task: TaskSummary?
        public var batch: TaskBatch?
        public var result: TaskResult?
        public var error: TaskFailure?
        public var notBefore: Timestamp?
        /// How long the attempt that ended took.
        public var duration: Duration?

        public init(_ kind: Kind, task: TaskSummary? = nil, batch: TaskBatch? = nil) {
            self.kind = kind
            self.task = task
            self.batch = batch
        }
    }

    public var cursor: EventCursor
    public var time: Timestamp
    public var draft: Draft

    public var kind: Kind { draft.kind }
    public var position: Int64 { cursor.position }
    public var task: TaskSummary? { draft.task }
    public var batch: TaskBatch? { draft.batch }

    public init(cursor: EventCursor, time: Timestamp, draft: Draft) {
        self.cursor = cursor
        self.time = time
        self.draft = draft
    }
}

/// A reader's place in the event log.
///
/// Positions are dense, 1, 2, 3…, within an epoch. A restored or new store begins a new epoch,
/// so that an old cursor is noticed instead of being read as a place in another log.
public struct EventCursor: Hashable, Sendable, CustomStringConvertible {
    public var epoch: String
    /// The position of the last event that was read; 0 before the first.
    public var position: Int64

    public init(epoch: String, position: Int64) {
        self.epoch = epoch
        self.position = position
    }

    /// Reads `<epoch>-<position>`; to everyone else the text is opaque.
    public init?(_ text: String) {
        guard let dash = text.lastIndex(of: "-"), let position = Int64(text[text.index(after: dash)...]),
            position >= 0, dash > text.startIndex
        else { return nil }
        epoch = String(text[..<dash])
        self.position = position
    }

    public var description: String { "\(epoch)-\(position)" }
}

/// The part of a task that travels with its events.
public struct TaskSummary: Hashable, Sendable {
    public var id: TaskID
    public var number: Int64
    public var featureID: String
    public var title: String
    public var userID: String
    public var origin: String?
    public var notify: NotifyPolicy
    public var labels: [String]
    public var batchID: BatchID?
    public var status: TaskStatus
    public var progress: Double
    public var attempt: Int
    public var maxAttempts: Int
    public var revision: Int64

    public init(_ task: BackgroundTask) {
        id = task.id
        number = task.number
        featureID = task.featureID
        title = task.title
        userID = task.userID
        origin = task.origin
        notify = task.notify
        labels = task.labels
        batchID = task.batchID
        status = task.status
        progress = task.progress
        attempt = task.attempt
        maxAttempts = task.maxAttempts
        revision = task.revision
    }
}

/// Tasks that were submitted together, and how many of them have ended how.
public struct TaskBatch: Hashable, Sendable {
    public var id: BatchID
    /// For people.
    public var title: String
    public var total: Int
    public var completed = 0
    public var failed = 0
    public var cancelled = 0
    public var createdAt: Timestamp

    public init(id: BatchID, title: String, total: Int, createdAt: Timestamp) {
        self.id = id
        self.title = title
        self.total = total
        self.createdAt = createdAt
    }

    public var finished: Int { completed + failed + cancelled }

    /// The counts after one task went from `old` to `new`, and the event when that was the last.
    public func moving(from old: TaskStatus, to new: TaskStatus) -> (
        batch: TaskBatch, events: [TaskEvent.Draft]
    ) {
        var batch = self
        batch.count(old, by: -1)
        batch.count(new, by: 1)
        let justFinished = batch.finished == total && finished < total
        return (batch, justFinished ? [TaskEvent.Draft(.batchFinished, batch: batch)] : [])
    }

    private mutating func count(_ status: TaskStatus, by step: Int) {
        switch status {
        case .completed: completed += step
        case .failed: failed += step
        case .cancelled: cancelled += step
        case .pending, .processing: break
        }
    }
}

/// An event as the log keeps it: its place, and its JSON encoded once for every reader.
public struct EventRecord: Sendable, Hashable {
    public let cursor: EventCursor
    public let kind: TaskEvent.Kind
    public let taskID: TaskID?
    /// One line of JSON without its newline.
    public let json: [UInt8]

    public var position: Int64 { cursor.position }

    public init(_ event: TaskEvent) {
        cursor = event.cursor
        kind = event.kind
        taskID = event.task?.id
        json = event.line
    }

    /// For stores: what they read back.
    public init(cursor: EventCursor, kind: TaskEvent.Kind, taskID: TaskID?, json: [UInt8]) {
        self.cursor = cursor
        self.kind = kind
        self.taskID = taskID
        self.json = json
    }

    /// - Throws: ``JSONError`` or ``BelfryError`` when the line is not an event of this schema.
    public func event() throws -> TaskEvent { try TaskEvent(json: JSONValue(parsing: json)) }
}

/// The latest word on a running task's progress. Not a lifecycle event: it has no position, is
/// coalesced under load, and only the newest value counts.
public struct ProgressUpdate: Hashable, Sendable {
    public var task: TaskSummary
    /// Percent 0…100, or nil when the feature cannot tell.
    public var percent: Double?
    public var message: String?
    public var time: Timestamp

    public init(task: TaskSummary, percent: Double?, message: String?, time: Timestamp) {
        self.task = task
        self.percent = percent
        self.message = message
        self.time = time
    }
}
