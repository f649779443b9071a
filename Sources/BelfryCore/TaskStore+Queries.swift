// What stores are asked, and what they answer.

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
