// Every metric that Belfry has: one list, from which the page takes its help, the service its names, and
// which Docs/Metrics.md is held against.

/// What a metric is called and what it tells.
public struct MetricDefinition: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// As Prometheus has it: the unit, and `_total` for counters, at the end.
    public var name: String
    public var kind: Kind
    public var labels: [String]
    /// One sentence.
    public var help: String
    /// Upper bounds of a histogram's buckets; nil leaves them to the backend.
    public var bounds: [Double]?

    init(_ kind: Kind, _ name: String, labels: [String] = [], bounds: [Double]? = nil, _ help: String) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.help = help
        self.bounds = bounds
    }
}

extension MetricDefinition {
    /// All of them, in the order of the documentation.
    public static let all: [MetricDefinition] =
        [events, tasksAdded, attemptsStarted, attemptsFinished, taskWait, attemptDuration]
        + [commitDuration, commitRequests]
        + [tasks, oldestDueAge, runningAttempts, slots]
        + [sinkLag, sinkParked, sinkCondition, busReaders, eventPosition]
        + [storeReadable, startTime, buildInfo]

    // MARK: What happens

    static let events = MetricDefinition(
        .counter,
        "belfry_events_total",
        labels: ["type"],
        "Committed events since the start, by their type as in Docs/Events.md."
    )
    static let tasksAdded = MetricDefinition(
        .counter,
        "belfry_tasks_added_total",
        labels: ["feature"],
        "Tasks accepted since the start; repeated submissions do not count."
    )
    static let attemptsStarted = MetricDefinition(
        .counter,
        "belfry_attempts_started_total",
        labels: ["feature"],
        "Attempts begun since the start."
    )
    static let attemptsFinished = MetricDefinition(
        .counter,
        "belfry_attempts_finished_total",
        labels: ["feature", "outcome"],
        "Attempts ended since the start, by how; retrying means failed with another attempt to come."
    )
    static let taskWait = MetricDefinition(
        .histogram,
        "belfry_task_wait_seconds",
        labels: ["feature"],
        "Time from when a task was due until an attempt began."
    )
    static let attemptDuration = MetricDefinition(
        .histogram,
        "belfry_attempt_duration_seconds",
        labels: ["feature"],
        "Time that the feature took for an attempt, whatever its outcome."
    )
    static let commitDuration = MetricDefinition(
        .histogram,
        "belfry_store_commit_duration_seconds",
        bounds: [
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5,
        ],
        "Time of a transaction of the store with its sync."
    )
    static let commitRequests = MetricDefinition(
        .histogram,
        "belfry_store_commit_requests",
        bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
        "Requests that one transaction of the store carried."
    )

    // MARK: How things stand

    static let tasks = MetricDefinition(
        .gauge,
        "belfry_tasks",
        labels: ["status"],
        "Tasks in the store by status; pending is the depth of the queue, waiting and held ones included."
    )
    static let oldestDueAge = MetricDefinition(
        .gauge,
        "belfry_oldest_due_task_age_seconds",
        "How long the earliest submitted of the due tasks has been due; 0 when none is."
    )
    static let runningAttempts = MetricDefinition(
        .gauge,
        "belfry_worker_running_attempts",
        "Attempts that run now."
    )
    static let slots = MetricDefinition(
        .gauge,
        "belfry_worker_slots",
        "Attempts that may run at once."
    )
    static let sinkLag = MetricDefinition(
        .gauge,
        "belfry_sink_lag_events",
        labels: ["sink"],
        "Committed events that the sink has not delivered yet."
    )
    static let sinkParked = MetricDefinition(
        .gauge,
        "belfry_sink_parked_events",
        labels: ["sink"],
        "Events put aside because the sink rejects them."
    )
    static let sinkCondition = MetricDefinition(
        .gauge,
        "belfry_sink_condition",
        labels: ["sink", "condition"],
        "1 for the condition that the sink is in, 0 for the others."
    )
    static let busReaders = MetricDefinition(
        .gauge,
        "belfry_bus_readers",
        "Readers of the event stream: sinks, and everyone who watches."
    )
    static let eventPosition = MetricDefinition(
        .gauge,
        "belfry_event_position",
        "Position of the newest event."
    )
    static let storeReadable = MetricDefinition(
        .gauge,
        "belfry_store_readable",
        "1 when the store answered this scrape; 0 when it did not, and what it counts is NaN."
    )
    static let startTime = MetricDefinition(
        .gauge,
        "belfry_start_time_seconds",
        "When the hub started, in seconds since 1970."
    )
    static let buildInfo = MetricDefinition(
        .gauge,
        "belfry_build_info",
        labels: ["version"],
        "Always 1; the label tells the version."
    )
}
