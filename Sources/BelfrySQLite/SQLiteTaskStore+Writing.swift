// The changes of the store. Each is a request to the group writer.

public import BelfryCore
import GRDB
import Synchronization

extension SQLiteTaskStore {
    public func add(_ tasks: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) async throws -> [AddedTask]
    {
        try await writer.write { store in
            let known = try tasks.map { try Self.known($0, in: store) }
            let count = Set(zip(tasks, known).filter { $0.1 == nil }.map(\.0.id)).count
            if var batch, count > 0 {
                batch.total = count
                try store.insert(batch, at: now)
            }
            return try zip(tasks, known).map { task, known in
                // A repeat may also be of a task earlier in this very call.
                if let known = try known ?? Self.known(task, in: store) {
                    return AddedTask(task: known, isNew: false)
                }
                let added = BackgroundTask(task.new, id: task.id, number: store.nextNumber(), at: now)
                try store.insert(added, context: task.new.context, at: now)
                return AddedTask(task: added, isNew: true)
            }
        }
    }

    /// The task that a submission repeats, if it does.
    private static func known(_ accepted: AcceptedTask, in store: StoreTransaction) throws -> BackgroundTask?
    {
        let new = accepted.new
        var known = try TaskRow.fetch(store.db, where: "id = ?", [accepted.id.rawValue])
        if known == nil, let key = new.idempotencyKey {
            known = try TaskRow.fetch(
                store.db,
                where: "user_id = ? AND idempotency_key = ?",
                [new.userID.free, key.free]
            )
        }
        guard let known else { return nil }
        guard new.isRepeat(of: known) else {
            throw TaskStoreError.conflict(
                "The id or idempotency key belongs to another submission: task #\(known.number), \(known.id)."
            )
        }
        return known
    }

    public func claim(_ request: ClaimRequest, at now: Timestamp) async throws -> [ClaimedTask] {
        guard request.slots > 0, !request.lanes.isEmpty else { return [] }
        return try await writer.write { store in
            try store.db.cachedStatement(
                sql: """
                    UPDATE tasks INDEXED BY tasks_waiting SET ready = 1
                    WHERE status = 'pending' AND ready = 0 AND hold_count = 0 AND not_before <= ?
                    """
            ).execute(arguments: [now.milliseconds])
            var due: [BackgroundTask] = []
            for (lane, slots) in request.lanes where slots > 0 {
                due += try TaskRow.fetchAll(
                    store.db,
                    """
                    INDEXED BY tasks_claimable WHERE lane = ? AND status = 'pending' AND ready = 1
                    ORDER BY priority DESC, number LIMIT ?
                    """,
                    [lane.description, min(slots, request.slots)]
                )
            }
            due.sort { ($0.priority, $1.number) > ($1.priority, $0.number) }
            return try due.prefix(request.slots).map { task in
                let claimed = try store.apply(
                    .claim(by: request.worker, lease: request.lease),
                    to: task,
                    at: now
                )
                return ClaimedTask(
                    task: claimed,
                    context: try Self.context(of: task.number, in: store.db),
                    dueSince: task.dueSince
                )
            }
        }
    }

    private static func context(of number: Int64, in db: Database) throws -> SubmissionContext? {
        let statement = try db.cachedStatement(sql: "SELECT context FROM tasks WHERE number = ?")
        let text = try Row.fetchOne(statement, arguments: [number])?[0] as String?
        return try TaskRow.json(text).flatMap(SubmissionContext.init(stored:))
    }

    public func settle(_ settlement: Settlement, at now: Timestamp) async throws -> BackgroundTask {
        try await writer.write { store in
            let task = try store.task(settlement.claim.taskID)
            guard task.status == .processing, task.fence == settlement.claim.fence else {
                throw TaskStoreError.leaseLost(task.id)
            }
            return try store.apply(settlement.action, to: task, at: now)
        }
    }

    public func extendLeases(_ claims: [Claim], to lease: Lease) async throws -> [Claim] {
        try await writer.write { store in
            let update = try store.db.cachedStatement(
                sql: """
                    UPDATE tasks SET lease_boot = ?, lease_expires = ?
                    WHERE id = ? AND fence = ? AND status = 'processing'
                    """
            )
            return try claims.filter { claim in
                try update.execute(arguments: [
                    lease.bootID, lease.expiresAt.wholeMilliseconds, claim.taskID.rawValue, claim.fence,
                ])
                return store.db.changesCount == 0
            }
        }
    }

    public func saveProgress(_ values: [ProgressValue], at now: Timestamp) async throws -> [Claim] {
        try await writer.write { store in
            let update = try store.db.cachedStatement(
                sql: """
                    UPDATE tasks SET progress = COALESCE(?, progress), message = COALESCE(?, message), updated_at = ?,
                        revision = revision + 1
                    WHERE id = ? AND fence = ? AND status = 'processing'
                    """
            )
            return try values.filter { value in
                try update.execute(arguments: [
                    value.percent, value.message?.free, now.milliseconds, value.claim.taskID.rawValue,
                    value.claim.fence,
                ])
                return store.db.changesCount == 0
            }.map(\.claim)
        }
    }

    public func requestCancel(_ id: TaskID, at now: Timestamp) async throws -> BackgroundTask {
        try await writer.write { try $0.apply(.requestCancel, to: try $0.task(id), at: now) }
    }

    public func retry(
        _ id: TaskID,
        attempts: Int,
        context: SubmissionContext?,
        at now: Timestamp
    ) async throws -> BackgroundTask {
        try await writer.write { store in
            let task = try store.apply(.retry(attempts: attempts), to: try store.task(id), at: now)
            if let context {
                try store.db.cachedStatement(sql: "UPDATE tasks SET context = ? WHERE number = ?")
                    .execute(arguments: [context.stored.text, task.number])
            }
            return task
        }
    }

    public func rescue(_ rescue: Rescue, at now: Timestamp) async throws -> [BackgroundTask] {
        try await writer.write { store in
            try TaskRow.fetchAll(
                store.db,
                "INDEXED BY tasks_processing WHERE status = 'processing' ORDER BY number",
                []
            )
            .filter(rescue.covers)
            .map { try store.apply(.interrupt, to: $0, at: now) }
        }
    }

    public func clear(_ filter: ClearFilter, at now: Timestamp) async throws -> [TaskSummary] {
        try await writer.write { store in
            var removed: [TaskSummary] = []
            for task in try Self.clearable(filter, in: store.db) {
                try store.remove(task, at: now)
                removed.append(TaskSummary(task))
            }
            return removed
        }
    }

    private static func clearable(_ filter: ClearFilter, in db: Database) throws -> [BackgroundTask] {
        let statuses = filter.statuses.filter(\.isFinal)
        let cutoff = filter.finishedBefore?.milliseconds ?? .max
        if let ids = filter.ids {
            return try Array(
                ids.compactMap { try TaskRow.fetch(db, where: "id = ?", [$0.rawValue]) }
                    .filter { statuses.contains($0.status) && ($0.finishedAt?.milliseconds ?? 0) < cutoff }
                    .prefix(filter.limit)
            )
        }
        let found = try statuses.flatMap { status in
            try TaskRow.fetchAll(
                db,
                "WHERE status = ? AND finished_at < ? ORDER BY number LIMIT ?",
                [status.rawValue, cutoff, filter.limit]
            )
        }
        return Array(found.sorted { $0.number < $1.number }.prefix(filter.limit))
    }

    public func saveCursor(_ cursor: EventCursor, of sink: String) async throws {
        try await writer.write { store in
            try store.db.cachedStatement(
                sql: """
                    INSERT INTO cursors (sink, epoch, position) VALUES (?, ?, ?)
                    ON CONFLICT (sink) DO UPDATE SET epoch = excluded.epoch, position = excluded.position
                    """
            ).execute(arguments: [sink, cursor.epoch, cursor.position])
        }
    }

    public func park(_ parked: ParkedEvent) async throws {
        try await writer.write { store in
            try store.db.cachedStatement(
                sql: "INSERT OR REPLACE INTO parked (sink, position, reason, time) VALUES (?, ?, ?, ?)"
            ).execute(arguments: [parked.sink, parked.position, parked.reason.free, parked.time.milliseconds])
        }
    }

    public func close() async throws {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        try? await writer.write { store in
            try store.db.execute(sql: "UPDATE facts SET value = 'closed' WHERE name = 'state'")
        }
        await writer.close()
        _ = try? await pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
        try pool.close()
        lock.release()
    }
}
