// A store without a disk: for the tests of programs that embed Belfry, and for simulations that
// open thousands of stores a second. It keeps every promise of TaskStore but the durable one.

public import BelfryCore
import Synchronization

/// A ``TaskStore`` in memory. It passes the same conformance suite as every engine.
public final class InMemoryTaskStore: TaskStore {
    private let state: Mutex<MemoryState>
    private let didCommitEvents: (@Sendable () -> Void)?

    /// - Parameters:
    ///   - ids: makes the log's epoch. Defaults to the system's randomness.
    ///   - didCommitEvents: called after each change that wrote events: there may be more to read.
    ///     Defaults to nothing.
    public init(ids: IDGenerator = IDGenerator(), didCommitEvents: (@Sendable () -> Void)? = nil) {
        state = Mutex(MemoryState(epoch: ids.epoch()))
        self.didCommitEvents = didCommitEvents
    }

    /// A store with what `other` held at this moment: what a restart finds on a disk.
    public init(contentsOf other: InMemoryTaskStore, didCommitEvents: (@Sendable () -> Void)? = nil) {
        state = Mutex(
            other.state.withLock { state in
                let contents = MemoryState(copying: state)
                contents.wasUnclean = !contents.isClosed
                contents.isClosed = false
                return contents
            }
        )
        self.didCommitEvents = didCommitEvents
    }

    private func read<Value: Sendable>(_ body: (MemoryState) throws -> Value) throws -> Value {
        try state.withLock { state in
            try state.requireOpen()
            return try body(state)
        }
    }

    /// Every body checks before it writes, so that one that throws has changed nothing.
    private func change<Value: Sendable>(_ body: (MemoryState) throws -> Value) throws -> Value {
        let (value, hasEvents) = try state.withLock { state in
            try state.requireOpen()
            let before = state.cursor.position
            return (try body(state), state.cursor.position > before)
        }
        if hasEvents { didCommitEvents?() }
        return value
    }
}

extension InMemoryTaskStore {
    public func status() throws -> StoreStatus { try read { $0.status } }

    public func task(_ id: TaskID) throws -> BackgroundTask? { try read { $0.task(id) } }
    public func task(number: Int64) throws -> BackgroundTask? { try read { $0.tasks[number] } }
    public func tasks(_ query: TaskQuery) throws -> TaskPage { try read { $0.page(query) } }
    public func batch(_ id: BatchID) throws -> TaskBatch? { try read { $0.batches[id] } }
    public func pendingWork() throws -> PendingWork { try read { $0.pendingWork } }
    public func oldestDue(at now: Timestamp) throws -> Timestamp? { try read { $0.oldestDue(at: now) } }

    public func attempts(of id: TaskID) throws -> [Attempt] {
        try read { state in state.numbers[id].flatMap { state.attempts[$0] } ?? [] }
    }

    public func events(after position: Int64, limit: Int) throws -> EventPage {
        try read { $0.events(after: position, limit: limit) }
    }

    public func events(of id: TaskID, limit: Int) throws -> [EventRecord] {
        try read { state in state.events.reversed().lazy.filter { $0.taskID == id }.prefix(limit).reversed() }
    }

    public func cursor(of sink: String) throws -> EventCursor? { try read { $0.cursors[sink] } }

    public func parkedEvents(of sink: String) throws -> [ParkedEvent] {
        try read { ($0.parked[sink] ?? [:]).values.sorted { $0.position < $1.position } }
    }
}

extension InMemoryTaskStore {
    public func add(_ tasks: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) throws -> [AddedTask] {
        try change { try $0.add(tasks, batch: batch, at: now) }
    }

    public func dependencies(of ids: [TaskID]) throws -> [TaskID: [TaskDependency]] {
        try read { state in
            var found: [TaskID: [TaskDependency]] = [:]
            for id in ids {
                let dependencies = state.task(id).map { state.dependencies(of: $0) } ?? []
                if !dependencies.isEmpty { found[id] = dependencies }
            }
            return found
        }
    }

    public func countClearable(_ filter: ClearFilter) throws -> Int {
        try read { $0.clearable(filter).count }
    }

    public func groups() throws -> [TaskGroup] { try read { $0.groups.values.sorted { $0.name < $1.name } } }
    public func schedules() throws -> [Schedule] {
        try read { $0.schedules.values.sorted { $0.name < $1.name } }
    }

    public func pruneEvents(before time: Timestamp, limit: Int) throws -> Int {
        try change { $0.pruneEvents(before: time, limit: limit) }
    }

    public func saveGroup(_ group: TaskGroup) throws {
        try change { $0.groups[group.name] = group.isDefault ? nil : group }
    }

    public func saveSchedule(_ schedule: Schedule, replacing revision: Int64?) throws {
        try change { state in
            let there = state.schedules[schedule.name]
            guard ScheduleConflict.allows(schedule, replacing: revision, there) else {
                throw ScheduleConflict.error(schedule.name, there)
            }
            state.schedules[schedule.name] = schedule
        }
    }

    public func removeSchedule(_ name: String) throws -> Bool {
        try change { $0.schedules.removeValue(forKey: name) != nil }
    }

    public func fire(_ firing: ScheduleFiring, at now: Timestamp) throws -> [AddedTask]? {
        try change { try $0.fire(firing, at: now) }
    }

    public func claim(_ request: ClaimRequest, at now: Timestamp) throws -> [ClaimedTask] {
        try change { try $0.claim(request, at: now) }
    }

    public func extendLeases(_ claims: [Claim], to lease: Lease) throws -> [Claim] {
        try change { $0.extendLeases(claims, to: lease) }
    }

    public func settle(_ settlement: Settlement, at now: Timestamp) throws -> BackgroundTask {
        try change { try $0.settle(settlement, at: now) }
    }

    public func saveCheckpoint(_ checkpoint: JSONValue?, of claim: Claim) throws {
        try change { state in
            guard state.holds(claim), let number = state.numbers[claim.taskID] else {
                throw TaskStoreError.leaseLost(claim.taskID)
            }
            state.checkpoints[number] = checkpoint
        }
    }

    public func saveProgress(_ values: [ProgressValue], at now: Timestamp) throws -> [Claim] {
        try change { $0.saveProgress(values, at: now) }
    }

    public func requestCancel(_ id: TaskID, at now: Timestamp) throws -> BackgroundTask {
        try change { try $0.apply(.requestCancel, to: try $0.found(id), at: now) }
    }

    public func retry(
        _ id: TaskID,
        attempts: Int,
        context: SubmissionContext?,
        at now: Timestamp
    ) throws -> BackgroundTask {
        try change { try $0.retry(id, attempts: attempts, context: context, at: now) }
    }

    public func edit(_ id: TaskID, _ edit: TaskEdit, at now: Timestamp) throws -> BackgroundTask {
        try change { try $0.edit(id, edit, at: now) }
    }

    public func setStashed(_ isStashed: Bool, _ id: TaskID, at now: Timestamp) throws -> BackgroundTask {
        try change { try $0.apply(isStashed ? .stash : .release, to: try $0.found(id), at: now) }
    }

    public func expire(limit: Int, at now: Timestamp) throws -> [BackgroundTask] {
        try change { try $0.expire(limit: limit, at: now) }
    }

    public func rescue(_ rescue: Rescue, at now: Timestamp) throws -> [BackgroundTask] {
        try change { try $0.rescue(rescue, at: now) }
    }

    public func clear(_ filter: ClearFilter, at now: Timestamp) throws -> [TaskSummary] {
        try change { $0.clear(filter, at: now) }
    }

    public func saveCursor(_ cursor: EventCursor, of sink: String) throws {
        try change { $0.cursors[sink] = cursor }
    }

    public func park(_ parked: ParkedEvent) throws {
        try change { $0.parked[parked.sink, default: [:]][parked.position] = parked }
    }

    public func unpark(_ positions: [Int64], of sink: String) throws {
        try change { state in for position in positions { state.parked[sink]?[position] = nil } }
    }

    public func forgetSink(_ name: String) throws {
        try change { state in
            state.parked[name] = nil
            state.cursors[name] = nil
        }
    }

    public func close() throws { state.withLock { $0.isClosed = true } }
}
