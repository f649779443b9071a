// A standing order: a task that is made again and again, at times that a rule gives.

/// A schedule as stores keep it. What its rule means is the service's business.
public struct Schedule: Hashable, Sendable {
    /// Its name, and its only one: 1…64 of letters, digits, `-`, `_` and `.`.
    public var name: String
    /// The rule, such as `0 7 * * mon-fri` or `every 15m`.
    public var rule: String
    /// The time zone that the rule is read in, such as `Europe/Berlin`.
    public var zone: String
    /// What becomes of ticks that were missed.
    public var catchUp: CatchUp
    public var isPaused: Bool
    /// The task of each tick, as it was submitted and checked.
    public var task: NewTask
    /// When it comes next; nil when never again.
    public var nextAt: Timestamp?
    /// The last tick that was dealt with, made into a task or not.
    public var lastTick: Timestamp?
    /// The task of the last tick that became one.
    public var lastTask: TaskID?
    /// How many ticks became tasks.
    public var made: Int64
    /// How many ticks were missed and left out.
    public var missed: Int64
    /// Counts the changes; a firing names the one that it was decided on.
    public var revision: Int64
    public var createdAt: Timestamp
    public var updatedAt: Timestamp

    public init(
        name: String,
        rule: String,
        zone: String,
        catchUp: CatchUp,
        task: NewTask,
        nextAt: Timestamp?,
        at now: Timestamp
    ) {
        self.name = name
        self.rule = rule
        self.zone = zone
        self.catchUp = catchUp
        isPaused = false
        self.task = task
        self.nextAt = nextAt
        made = 0
        missed = 0
        revision = 1
        createdAt = now
        updatedAt = now
    }

    /// - Throws: ``BelfryError`` `invalid_request`.
    public static func check(name: String) throws {
        let isMadeOfLetters = name.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "-" || $0 == "_" || $0 == "."
        }
        guard (1...64).contains(name.utf8.count), isMadeOfLetters else {
            throw BelfryError(
                .invalidRequest,
                "'\(name.truncated(toUTF8: 80))' is not a schedule's name.",
                fix: "Use letters, digits, '-', '_' and '.', at most 64 bytes.",
                pointer: "/name"
            )
        }
    }
}

/// What one look at a schedule decided: the tasks of its due ticks, and the schedule afterwards.
public struct ScheduleFiring: Sendable {
    /// The schedule's revision that this was decided on: another one means that somebody was faster.
    public var revision: Int64
    /// One task for each tick that becomes one, oldest first.
    public var tasks: [AcceptedTask]
    public var after: Schedule

    public init(revision: Int64, tasks: [AcceptedTask], after: Schedule) {
        self.revision = revision
        self.tasks = tasks
        self.after = after
    }
}

/// What stores say when a schedule is not what somebody thought.
public enum ScheduleConflict {
    /// Whether `schedule` may take the place of what is there. Revisions begin again with another schedule of
    /// the same name: the time when it was made tells them apart.
    public static func allows(_ schedule: Schedule, replacing revision: Int64?, _ there: Schedule?) -> Bool {
        there?.revision == revision && (there.map { $0.createdAt == schedule.createdAt } ?? true)
    }

    public static func error(_ name: String, _ there: Schedule?) -> TaskStoreError {
        guard there != nil else { return .conflict("There is no schedule '\(name)' any more.") }
        return .conflict("There is a schedule '\(name)' already, or it has changed meanwhile.")
    }
}
