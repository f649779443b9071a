// What the in-memory store holds, and the changes to it. Plain values under the store's lock.

import BelfryCore

/// Idempotency keys are each user's own.
private struct SubmissionKey: Hashable {
    let userID: String
    let key: String

    init?(_ new: NewTask) {
        guard let key = new.idempotencyKey else { return nil }
        (userID, self.key) = (new.userID, key)
    }

    init?(_ task: BackgroundTask) {
        guard let key = task.idempotencyKey else { return nil }
        (userID, self.key) = (task.userID, key)
    }
}

struct MemoryState {
    let epoch: String
    var isClosed = false
    var wasUnclean = false
    var tasks: [Int64: BackgroundTask] = [:]
    var numbers: [TaskID: Int64] = [:]
    var contexts: [Int64: SubmissionContext] = [:]
    var attempts: [Int64: [Attempt]] = [:]
    var batches: [BatchID: TaskBatch] = [:]
    var cursors: [String: EventCursor] = [:]
    var parked: [String: [Int64: ParkedEvent]] = [:]
    /// Position 1 is at index 0: no event is ever dropped.
    private(set) var events: [EventRecord] = []
    private var keys: [SubmissionKey: Int64] = [:]
    private var pending: Set<Int64> = []
    private var lastNumber: Int64 = 0
    /// The latest time this store was told: what is due later than that still waits.
    private var latest = Timestamp(milliseconds: .min)

    init(epoch: String) { self.epoch = epoch }

    func requireOpen() throws {
        guard isClosed else { return }
        throw TaskStoreError.unavailable(BelfryError(.storeUnavailable, "The store is closed."))
    }

    // MARK: Adding

    mutating func add(_ submissions: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) throws
        -> [AddedTask]
    {
        let newTasks = try countNew(submissions, at: now)
        // A batch that was sent again has no task of its own and could never finish.
        if var batch, newTasks > 0 {
            batch.total = newTasks
            batches[batch.id] = batch
            write([TaskEvent.Draft(.batchAdded, batch: batch)], at: now)
        }
        return submissions.map { add($0, at: now) }
    }

    private mutating func add(_ submission: AcceptedTask, at now: Timestamp) -> AddedTask {
        if let stored = existing(submission) { return AddedTask(task: stored, isNew: false) }
        lastNumber += 1
        let task = BackgroundTask(submission.new, id: submission.id, number: lastNumber, at: now)
        numbers[task.id] = task.number
        contexts[task.number] = submission.new.context
        if let key = SubmissionKey(submission.new) { keys[key] = task.number }
        store(task)
        write([TaskEvent.Draft(.added, task: TaskSummary(task))], at: now)
        return AddedTask(task: task, isNew: true)
    }

    private func existing(_ submission: AcceptedTask) -> BackgroundTask? {
        task(submission.id) ?? SubmissionKey(submission.new).flatMap { keys[$0] }.flatMap { tasks[$0] }
    }

    /// How many of the submissions are no repeats, of stored tasks or of one another.
    ///
    /// Writes nothing, so that a conflict anywhere leaves everything as it was.
    private func countNew(_ submissions: [AcceptedTask], at now: Timestamp) throws -> Int {
        var newTasks: [TaskID: BackgroundTask] = [:]
        var newKeys: [SubmissionKey: TaskID] = [:]
        for submission in submissions {
            let key = SubmissionKey(submission.new)
            let earlier = newTasks[submission.id] ?? key.flatMap { newKeys[$0] }.flatMap { newTasks[$0] }
            if let same = existing(submission) ?? earlier {
                guard submission.new.isRepeat(of: same) else { throw Self.conflict(submission, with: same) }
            } else {
                newTasks[submission.id] = BackgroundTask(
                    submission.new,
                    id: submission.id,
                    number: 0,
                    at: now
                )
                if let key { newKeys[key] = submission.id }
            }
        }
        return newTasks.count
    }

    private static func conflict(_ submission: AcceptedTask, with task: BackgroundTask) -> TaskStoreError {
        let name =
            submission.id == task.id ? "id \(task.id)" : "idempotency key '\(task.idempotencyKey ?? "")'"
        return .conflict("The \(name) belongs to another submission.")
    }

    // MARK: Changing one task

    /// Whether `claim` is the right to write about its task now.
    func holds(_ claim: Claim) -> Bool {
        guard let task = task(claim.taskID) else { return false }
        return task.status == .processing && task.fence == claim.fence
    }

    /// Applies an action to a task and writes everything that comes of it.
    @discardableResult
    mutating func apply(_ action: TaskAction, to id: TaskID, at now: Timestamp) throws -> BackgroundTask {
        guard let before = task(id) else { throw TaskStoreError.notFound(id) }
        let transition: Transition
        do { transition = try before.applying(action, at: now) } catch {
            throw TaskStoreError.refused(id, error)
        }
        store(transition.task)
        latest = max(latest, now)
        note(transition.attempt, of: transition.task, at: now)
        write(transition.events, at: now)
        countInBatch(transition.task, was: before.status, at: now)
        if transition.task.status.isFinal { contexts[before.number]?.environment = nil }
        return transition.task
    }

    private mutating func store(_ task: BackgroundTask) {
        tasks[task.number] = task
        if task.status == .pending { pending.insert(task.number) } else { pending.remove(task.number) }
    }

    private mutating func note(_ change: Transition.AttemptChange, of task: BackgroundTask, at now: Timestamp)
    {
        switch change {
        case .none: break
        case .opened:
            let attempt = Attempt(
                taskID: task.id,
                number: task.attempt,
                fence: task.fence,
                owner: task.owner ?? WorkerID(""),
                startedAt: now
            )
            attempts[task.number, default: []].append(attempt)
        case .closed(let outcome, let failure):
            guard var list = attempts[task.number], var last = list.popLast() else { return }
            last.finishedAt = now
            last.outcome = outcome
            last.error = failure
            attempts[task.number] = list + [last]
        }
    }

    private mutating func countInBatch(_ task: BackgroundTask, was status: TaskStatus, at now: Timestamp) {
        guard let id = task.batchID, let batch = batches[id], task.status != status else { return }
        let (moved, drafts) = batch.moving(from: status, to: task.status)
        batches[id] = moved
        write(drafts, at: now)
    }

    private mutating func write(_ drafts: [TaskEvent.Draft], at now: Timestamp) {
        latest = max(latest, now)
        for draft in drafts {
            let cursor = EventCursor(epoch: epoch, position: Int64(events.count) + 1)
            events.append(EventRecord(TaskEvent(cursor: cursor, time: now, draft: draft)))
        }
    }

    // MARK: Working

    mutating func claim(_ request: ClaimRequest, at now: Timestamp) throws -> [ClaimedTask] {
        latest = max(latest, now)
        let due = pending.compactMap { tasks[$0] }
            .filter { $0.holdCount == 0 && $0.notBefore ?? now <= now }
            .sorted { ($1.priority, $0.number) < ($0.priority, $1.number) }
        var lanes = request.lanes
        var claimed: [ClaimedTask] = []
        for task in due where claimed.count < request.slots && lanes[task.lane, default: 0] > 0 {
            lanes[task.lane, default: 0] -= 1
            let after = try apply(.claim(by: request.worker, lease: request.lease), to: task.id, at: now)
            claimed.append(
                ClaimedTask(task: after, context: contexts[task.number], dueSince: task.dueSince)
            )
        }
        return claimed
    }

    mutating func extendLeases(_ claims: [Claim], to lease: Lease) -> [Claim] {
        claims.filter { claim in
            guard holds(claim), let number = numbers[claim.taskID] else { return true }
            tasks[number]?.lease = lease
            return false
        }
    }

    mutating func saveProgress(_ values: [ProgressValue], at now: Timestamp) -> [Claim] {
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

    mutating func rescue(_ rescue: Rescue, at now: Timestamp) throws -> [BackgroundTask] {
        let dead = tasks.values.filter(rescue.covers).sorted { $0.number < $1.number }
        return try dead.map { try apply(.interrupt, to: $0.id, at: now) }
    }

    // MARK: Clearing

    mutating func clear(_ filter: ClearFilter, at now: Timestamp) -> [TaskSummary] {
        let ids = filter.ids.map(Set.init)
        let matching = tasks.values.filter { task in
            task.status.isFinal && filter.statuses.contains(task.status) && ids?.contains(task.id) ?? true
                && filter.finishedBefore.map { task.finishedAt ?? task.updatedAt < $0 } ?? true
        }
        let removed = matching.sorted { $0.number < $1.number }.prefix(filter.limit)
        for task in removed { remove(task, at: now) }
        return removed.map { TaskSummary($0) }
    }

    private mutating func remove(_ task: BackgroundTask, at now: Timestamp) {
        tasks[task.number] = nil
        numbers[task.id] = nil
        attempts[task.number] = nil
        if let key = SubmissionKey(task) { keys[key] = nil }
        write([TaskEvent.Draft(.removed, task: TaskSummary(task))], at: now)
        guard let batchID = task.batchID, !tasks.values.contains(where: { $0.batchID == batchID }) else {
            return
        }
        batches[batchID] = nil
    }
}

// MARK: Reading

extension MemoryState {
    var cursor: EventCursor { EventCursor(epoch: epoch, position: Int64(events.count)) }

    var status: StoreStatus {
        StoreStatus(
            epoch: epoch,
            oldest: 1,
            newest: cursor.position,
            counts: tasks.values.reduce(into: [:]) { $0[$1.status, default: 0] += 1 },
            engine: "memory",
            wasUnclean: wasUnclean
        )
    }

    var pendingWork: PendingWork {
        let waiting = pending.compactMap { tasks[$0] }.filter { $0.holdCount == 0 }
        let due = waiting.compactMap(\.notBefore).filter { $0 > latest }.min()
        return PendingWork(lanes: Set(waiting.map(\.lane)), nextDue: due)
    }

    func oldestDue(at now: Timestamp) -> Timestamp? {
        pending.sorted().lazy.compactMap { tasks[$0]?.dueSince }.first { $0 <= now }
    }

    func task(_ id: TaskID) -> BackgroundTask? { numbers[id].flatMap { tasks[$0] } }

    func page(_ query: TaskQuery) -> TaskPage {
        let limit = min(max(query.limit, 1), 1000)
        let matching = tasks.values.filter(query.matches).sorted { $0.number > $1.number }
        let page = Array(matching.prefix(limit))
        return TaskPage(
            tasks: page,
            nextBefore: matching.count > limit ? page.last?.number : nil,
            asOf: cursor
        )
    }

    func events(after position: Int64, limit: Int) -> EventPage {
        let start = min(max(position, 0), cursor.position)
        return EventPage(
            epoch: epoch,
            events: Array(events[Int(start)...].prefix(limit)),
            oldest: 1,
            newest: cursor.position
        )
    }
}

extension TaskQuery {
    fileprivate func matches(_ task: BackgroundTask) -> Bool {
        (statuses.isEmpty || statuses.contains(task.status))
            && featureID.map { $0 == task.featureID } ?? true
            && batchID.map { $0 == task.batchID } ?? true
            && label.map { task.labels.contains($0) } ?? true
            && activeSince.map { !task.status.isFinal || task.updatedAt >= $0 } ?? true
            && beforeNumber.map { task.number < $0 } ?? true
    }
}
