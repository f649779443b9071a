// What the in-memory store holds, and the changes to it. Plain values under the store's lock.

import BelfryCore

/// Idempotency keys are each user's own.
private struct SubmissionKey: Hashable {
    let userID: String
    let key: String

    init(userID: String, key: String) { (self.userID, self.key) = (userID, key) }

    init?(_ task: BackgroundTask) {
        guard let key = task.idempotencyKey else { return nil }
        (userID, self.key) = (task.userID, key)
    }
}

/// A store's contents. A class, so that the rules that every store shares (`TaskTransaction`) change it in place.
final class MemoryState {
    let epoch: String
    var isClosed = false
    var wasUnclean = false
    var tasks: [Int64: BackgroundTask] = [:]
    var numbers: [TaskID: Int64] = [:]
    var contexts: [Int64: SubmissionContext] = [:]
    var checkpoints: [Int64: JSONValue] = [:]
    var attempts: [Int64: [Attempt]] = [:]
    var batches: [BatchID: TaskBatch] = [:]
    var groups: [String: TaskGroup] = [:]
    var schedules: [String: Schedule] = [:]
    var cursors: [String: EventCursor] = [:]
    var parked: [String: [Int64: ParkedEvent]] = [:]
    private(set) var events: [EventRecord] = []
    /// Events that were pruned: the position of the first that is left is one more.
    private var pruned: Int64 = 0
    private var keys: [SubmissionKey: Int64] = [:]
    private var uniqueKeys: [String: [Int64]] = [:]
    /// What each task comes after, in the order of its submission.
    private var edges: [Int64: [Edge]] = [:]
    private var followers: [Int64: [Int64]] = [:]
    private var pending: Set<Int64> = []
    private var lastNumber: Int64 = 0
    /// The time that this store was told last: what is due later than that waits, also when a clock was set back.
    private var lastTold = Timestamp(milliseconds: .min)

    private struct Edge {
        var number: Int64
        var isSatisfied: Bool
        /// The task as it was when it was cleared.
        var removed: BackgroundTask?
    }

    init(epoch: String) { self.epoch = epoch }

    /// The same contents, from now on apart.
    init(copying other: MemoryState) {
        epoch = other.epoch
        isClosed = other.isClosed
        wasUnclean = other.wasUnclean
        tasks = other.tasks
        numbers = other.numbers
        contexts = other.contexts
        checkpoints = other.checkpoints
        attempts = other.attempts
        batches = other.batches
        groups = other.groups
        schedules = other.schedules
        cursors = other.cursors
        parked = other.parked
        events = other.events
        pruned = other.pruned
        keys = other.keys
        uniqueKeys = other.uniqueKeys
        edges = other.edges
        followers = other.followers
        pending = other.pending
        lastNumber = other.lastNumber
        lastTold = other.lastTold
    }

    func requireOpen() throws {
        guard isClosed else { return }
        throw TaskStoreError.unavailable(BelfryError(.storeUnavailable, "The store is closed."))
    }

    // MARK: Changing one task

    /// Whether `claim` is the right to write about its task now.
    func holds(_ claim: Claim) -> Bool {
        guard let task = task(claim.taskID) else { return false }
        return task.status == .processing && task.fence == claim.fence
    }

    private func store(_ task: BackgroundTask) {
        tasks[task.number] = task
        if task.status == .pending { pending.insert(task.number) } else { pending.remove(task.number) }
    }

    private func note(_ change: Transition.AttemptChange, of task: BackgroundTask, at now: Timestamp) {
        switch change {
        case .none: break
        case .opened:
            if let attempt = Attempt(running: task) { attempts[task.number, default: []].append(attempt) }
        case .closed(let outcome, let failure):
            guard var list = attempts[task.number], var last = list.popLast() else { return }
            last.finishedAt = now
            last.outcome = outcome
            last.error = failure
            attempts[task.number] = list + [last]
        }
    }

    func pruneEvents(before time: Timestamp, limit: Int) -> Int {
        let old = events.prefix(limit).lastIndex { (try? $0.event().time).map { $0 < time } ?? false }
        guard let old else { return 0 }
        events.removeFirst(old + 1)
        pruned += Int64(old + 1)
        return old + 1
    }

    private func countInBatch(_ task: BackgroundTask, was status: TaskStatus, at now: Timestamp) {
        guard let id = task.batchID, let batch = batches[id], task.status != status else { return }
        let (moved, drafts) = batch.moving(from: status, to: task.status)
        batches[id] = moved
        write(drafts, at: now)
    }

    private func write(_ drafts: [TaskEvent.Draft], at now: Timestamp) {
        lastTold = now
        for draft in drafts {
            let cursor = EventCursor(epoch: epoch, position: cursor.position + 1)
            events.append(EventRecord(TaskEvent(cursor: cursor, time: now, draft: draft)))
        }
    }

    // MARK: Working

    func extendLeases(_ claims: [Claim], to lease: Lease) -> [Claim] {
        claims.filter { claim in
            guard holds(claim), let number = numbers[claim.taskID] else { return true }
            tasks[number]?.lease = lease
            return false
        }
    }

    func saveProgress(_ values: [ProgressValue], at now: Timestamp) -> [Claim] {
        var lost: [Claim] = []
        for value in values {
            guard holds(value.claim), var task = task(value.claim.taskID) else {
                lost.append(value.claim)
                continue
            }
            task.progress = value.percent ?? task.progress
            task.message = value.message ?? task.message
            task.revision += 1
            task.updatedAt = now
            tasks[task.number] = task
        }
        return lost
    }

    func rescue(_ rescue: Rescue, at now: Timestamp) throws -> [BackgroundTask] {
        let dead = tasks.values.filter(rescue.covers).sorted { $0.number < $1.number }
        return try dead.map { try apply(.interrupt, to: $0, at: now) }
    }

    // MARK: Clearing

    func clearable(_ filter: ClearFilter) -> [BackgroundTask] {
        let matching = tasks.values.filter(filter.covers).sorted {
            ($0.finishedAt ?? $0.updatedAt, $0.number) < ($1.finishedAt ?? $1.updatedAt, $1.number)
        }
        return Array(matching.dropLast(max(0, filter.keeping)))
    }

    func clear(_ filter: ClearFilter, at now: Timestamp) -> [TaskSummary] {
        let removed = clearable(filter).prefix(max(0, filter.limit))
        for task in removed { remove(task, at: now) }
        return removed.map { TaskSummary($0) }
    }

    private func remove(_ task: BackgroundTask, at now: Timestamp) {
        tasks[task.number] = nil
        numbers[task.id] = nil
        attempts[task.number] = nil
        if let key = SubmissionKey(task) { keys[key] = nil }
        if let key = task.uniqueKey { uniqueKeys[key]?.removeAll { $0 == task.number } }
        checkpoints[task.number] = nil
        contexts[task.number] = nil
        for edge in edges.removeValue(forKey: task.number) ?? [] {
            followers[edge.number]?.removeAll { $0 == task.number }
        }
        for follower in followers.removeValue(forKey: task.number) ?? [] {
            guard let index = edges[follower]?.firstIndex(where: { $0.number == task.number }) else {
                continue
            }
            edges[follower]?[index].removed = task
        }
        write([TaskEvent.Draft(.removed, task: TaskSummary(task))], at: now)
        guard let batchID = task.batchID, !tasks.values.contains(where: { $0.batchID == batchID }) else {
            return
        }
        batches[batchID] = nil
    }
}

// MARK: What every store's transaction does

extension MemoryState: TaskTransaction {
    func stored(_ id: TaskID) -> BackgroundTask? { task(id) }

    func stored(userID: String, idempotencyKey: String) -> BackgroundTask? {
        keys[SubmissionKey(userID: userID, key: idempotencyKey)].flatMap { tasks[$0] }
    }

    func stored(uniqueKey: String, in statuses: Set<TaskStatus>) -> [BackgroundTask] {
        (uniqueKeys[uniqueKey] ?? []).reversed().compactMap { tasks[$0] }
            .filter { statuses.contains($0.status) }
    }

    func nextNumber() -> Int64 {
        lastNumber += 1
        return lastNumber
    }

    private func waiting(in lane: Lane, priority: Int) -> [BackgroundTask] {
        pending.compactMap { tasks[$0] }.filter { $0.lane == lane && $0.priority == priority }
    }

    func firstTurn(in lane: Lane, priority: Int) -> Int64? {
        waiting(in: lane, priority: priority).filter { isDue($0, at: lastTold) && $0.turn >= 0 }
            .map(\.turn).min()
    }

    func lowestTurn(in lane: Lane, priority: Int) -> Int64? {
        waiting(in: lane, priority: priority).map(\.turn).min()
    }

    func lastTurn(of flow: String, in lane: Lane, priority: Int) -> Int64? {
        waiting(in: lane, priority: priority).filter { $0.flow == flow }.map(\.turn).max()
    }

    func insert(
        _ task: BackgroundTask,
        context: SubmissionContext?,
        after dependencies: [(number: Int64, isSatisfied: Bool)],
        at now: Timestamp
    ) {
        numbers[task.id] = task.number
        contexts[task.number] = context
        if let key = SubmissionKey(task) { keys[key] = task.number }
        if let key = task.uniqueKey { uniqueKeys[key, default: []].append(task.number) }
        if !dependencies.isEmpty {
            edges[task.number] = dependencies.map { Edge(number: $0.number, isSatisfied: $0.isSatisfied) }
            for dependency in dependencies { followers[dependency.number, default: []].append(task.number) }
        }
        store(task)
        write([TaskEvent.Draft(.added, task: TaskSummary(task))], at: now)
    }

    func insert(_ batch: TaskBatch, at now: Timestamp) {
        batches[batch.id] = batch
        write([TaskEvent.Draft(.batchAdded, batch: batch)], at: now)
    }

    func write(_ transition: Transition, of before: BackgroundTask, at now: Timestamp) {
        let after = transition.task
        store(after)
        lastTold = now
        note(transition.attempt, of: after, at: now)
        write(transition.events, at: now)
        countInBatch(after, was: before.status, at: now)
        if after.status.isFinal { contexts[before.number]?.environment = nil }
        if after.status == .completed { checkpoints[before.number] = nil }
    }

    func rewrite(_ transition: Transition, of before: BackgroundTask, at now: Timestamp) {
        write(transition, of: before, at: now)
        guard transition.task.uniqueKey != before.uniqueKey else { return }
        if let key = before.uniqueKey { uniqueKeys[key]?.removeAll { $0 == before.number } }
        guard let key = transition.task.uniqueKey else { return }
        uniqueKeys[key] = ((uniqueKeys[key] ?? []) + [before.number]).sorted()
    }

    func setContext(_ context: SubmissionContext, of task: BackgroundTask) { contexts[task.number] = context }

    func dependencies(of task: BackgroundTask) -> [TaskDependency] {
        (edges[task.number] ?? []).compactMap { edge in
            (tasks[edge.number] ?? edge.removed).map { earlier in
                var dependency = TaskDependency(
                    id: earlier.id,
                    number: earlier.number,
                    status: earlier.status,
                    isSatisfied: edge.isSatisfied
                )
                dependency.isRemoved = edge.removed != nil
                return dependency
            }
        }
    }

    func dependants(of task: BackgroundTask) -> [BackgroundTask] {
        (followers[task.number] ?? []).filter { follower in
            edges[follower]?.contains { $0.number == task.number && !$0.isSatisfied } ?? false
        }.sorted().compactMap { tasks[$0] }
    }

    func setSatisfied(_ dependant: BackgroundTask, dependency number: Int64) {
        guard let index = edges[dependant.number]?.firstIndex(where: { $0.number == number })
        else {
            return
        }
        edges[dependant.number]?[index].isSatisfied = true
    }

    func wakeDue(at now: Timestamp) { lastTold = now }

    private func isDue(_ task: BackgroundTask, at now: Timestamp) -> Bool {
        task.holdCount == 0 && task.notBefore.map { $0 <= now } ?? true
    }

    func candidates(in lane: Lane, limit: Int, at now: Timestamp) -> [BackgroundTask] {
        let due = pending.compactMap { tasks[$0] }.filter { task in
            task.lane == lane && isDue(task, at: now) && task.deadline.map { $0 > now } ?? true
        }
        return Array(
            due.sorted { ($1.priority, $0.turn, $0.number) < ($0.priority, $1.turn, $1.number) }.prefix(limit)
        )
    }

    func claimed(_ task: BackgroundTask) -> ClaimedTask {
        ClaimedTask(task: task, context: contexts[task.number], checkpoint: checkpoints[task.number])
    }

    func expired(limit: Int, at now: Timestamp) -> [BackgroundTask] {
        let late = pending.compactMap { tasks[$0] }.filter { $0.deadline.map { $0 <= now } ?? false }
        return Array(
            late.sorted { ($0.deadline ?? now, $0.number) < ($1.deadline ?? now, $1.number) }.prefix(limit)
        )
    }

    func schedule(_ name: String) -> Schedule? { schedules[name] }
    func save(_ schedule: Schedule) { schedules[schedule.name] = schedule }
}

// MARK: Reading

extension MemoryState {
    var cursor: EventCursor { EventCursor(epoch: epoch, position: pruned + Int64(events.count)) }

    var status: StoreStatus {
        StoreStatus(
            epoch: epoch,
            oldest: pruned + 1,
            newest: cursor.position,
            counts: tasks.values.reduce(into: [:]) { $0[$1.status, default: 0] += 1 },
            engine: "memory",
            wasUnclean: wasUnclean
        )
    }

    var pendingWork: PendingWork {
        let waiting = pending.compactMap { tasks[$0] }
        let due = waiting.filter { $0.holdCount == 0 }.compactMap(\.notBefore).filter { $0 > lastTold }.min()
        return PendingWork(
            lanes: Set(waiting.map(\.lane)),
            nextDue: due,
            nextDeadline: waiting.compactMap(\.deadline).min()
        )
    }

    func oldestDue(at now: Timestamp) -> Timestamp? {
        pending.sorted().lazy.compactMap { self.tasks[$0]?.dueSince }.first { $0 <= now }
    }

    func task(_ id: TaskID) -> BackgroundTask? { numbers[id].flatMap { tasks[$0] } }

    func events(after position: Int64, limit: Int) -> EventPage {
        let start = min(max(position, pruned), cursor.position)
        return EventPage(
            epoch: epoch,
            events: Array(events[Int(start - pruned)...].prefix(limit)),
            oldest: pruned + 1,
            newest: cursor.position
        )
    }
}
