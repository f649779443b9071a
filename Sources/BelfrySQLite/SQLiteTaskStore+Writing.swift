// The changes of the store. Each is a request to the group writer.

public import BelfryCore
import GRDB
import Synchronization

extension SQLiteTaskStore {
    public func add(_ tasks: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) async throws -> [AddedTask]
    {
        try await writer.write { try $0.add(tasks, batch: batch, at: now) }
    }

    public func claim(_ request: ClaimRequest, at now: Timestamp) async throws -> [ClaimedTask] {
        guard request.slots > 0, !request.lanes.isEmpty else { return [] }
        return try await writer.write { try $0.claim(request, at: now) }
    }

    public func settle(_ settlement: Settlement, at now: Timestamp) async throws -> BackgroundTask {
        try await writer.write { try $0.settle(settlement, at: now) }
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
                store.running.forget(claim.taskID)
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
                store.running.forget(value.claim.taskID)
                try update.execute(arguments: [
                    value.percent, value.message?.free, now.milliseconds, value.claim.taskID.rawValue,
                    value.claim.fence,
                ])
                return store.db.changesCount == 0
            }.map(\.claim)
        }
    }

    public func saveCheckpoint(_ checkpoint: JSONValue?, of claim: Claim) async throws {
        try await writer.write { store in
            try store.db.cachedStatement(
                sql: "UPDATE tasks SET checkpoint = ? WHERE id = ? AND fence = ? AND status = 'processing'"
            ).execute(arguments: [checkpoint?.text, claim.taskID.rawValue, claim.fence])
            if store.db.changesCount == 0 { throw TaskStoreError.leaseLost(claim.taskID) }
        }
    }

    public func requestCancel(_ id: TaskID, at now: Timestamp) async throws -> BackgroundTask {
        try await writer.write { try $0.apply(.requestCancel, to: try $0.found(id), at: now) }
    }

    public func retry(
        _ id: TaskID,
        attempts: Int,
        context: SubmissionContext?,
        at now: Timestamp
    ) async throws -> BackgroundTask {
        try await writer.write { try $0.retry(id, attempts: attempts, context: context, at: now) }
    }

    public func edit(_ id: TaskID, _ edit: TaskEdit, at now: Timestamp) async throws -> BackgroundTask {
        try await writer.write { try $0.edit(id, edit, at: now) }
    }

    public func setStashed(_ isStashed: Bool, _ id: TaskID, at now: Timestamp) async throws -> BackgroundTask
    {
        try await writer.write { try $0.apply(isStashed ? .stash : .release, to: try $0.found(id), at: now) }
    }

    public func expire(limit: Int, at now: Timestamp) async throws -> [BackgroundTask] {
        try await writer.write { try $0.expire(limit: limit, at: now) }
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
        if let ids = filter.ids {
            return Array(try clearable(filter, among: ids, in: db).prefix(max(0, filter.limit)))
        }
        guard let (condition, arguments) = try ClearCondition.make(filter, in: db) else { return [] }
        return try TaskRow.fetchAll(
            db,
            """
            INDEXED BY \(ClearCondition.index(filter)) WHERE \(condition)
            ORDER BY finished_at, number LIMIT \(max(0, filter.limit))
            """,
            arguments
        )
    }

    public func pruneEvents(before time: Timestamp, limit: Int) async throws -> Int {
        try await writer.write { store in
            // From the oldest on, as far as they are old: the log stays dense.
            let last = try Int64.fetchOne(
                store.db.cachedStatement(
                    sql: """
                        SELECT MAX(position) FROM (SELECT position, time FROM events ORDER BY position LIMIT ?)
                        WHERE time < ?
                        """
                ),
                arguments: [limit, time.milliseconds]
            )
            guard let last else { return 0 }
            try store.db.cachedStatement(sql: "DELETE FROM events WHERE position <= ?").execute(arguments: [
                last
            ])
            return store.db.changesCount
        }
    }

    /// Those of `ids` that match, each once, oldest end first, without the newest that are to stay.
    static func clearable(_ filter: ClearFilter, among ids: [TaskID], in db: Database) throws
        -> [BackgroundTask]
    {
        let matching = try Set(ids).compactMap { try TaskRow.fetch(db, where: "id = ?", [$0.rawValue]) }
            .filter(filter.covers)
        return matching.sorted {
            ($0.finishedAt ?? $0.updatedAt, $0.number) < ($1.finishedAt ?? $1.updatedAt, $1.number)
        }.dropLast(max(0, filter.keeping))
    }

    public func saveGroup(_ group: TaskGroup) async throws {
        try await writer.write { try GroupRow.save(group, in: $0.db) }
    }

    public func saveSchedule(_ schedule: Schedule, replacing revision: Int64?) async throws {
        try await writer.write { store in
            let there = try store.schedule(schedule.name)
            guard ScheduleConflict.allows(schedule, replacing: revision, there) else {
                throw ScheduleConflict.error(schedule.name, there)
            }
            try store.save(schedule)
        }
    }

    public func removeSchedule(_ name: String) async throws -> Bool {
        try await writer.write { try ScheduleRow.remove(name, in: $0.db) }
    }

    public func fire(_ firing: ScheduleFiring, at now: Timestamp) async throws -> [AddedTask]? {
        try await writer.write { try $0.fire(firing, at: now) }
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

    public func unpark(_ positions: [Int64], of sink: String) async throws {
        try await writer.write { store in
            let statement = try store.db.cachedStatement(
                sql: "DELETE FROM parked WHERE sink = ? AND position = ?"
            )
            for position in positions { try statement.execute(arguments: [sink, position]) }
        }
    }

    public func forgetSink(_ name: String) async throws {
        try await writer.write { store in
            for table in ["parked", "cursors"] {
                try store.db.cachedStatement(sql: "DELETE FROM \(table) WHERE sink = ?")
                    .execute(arguments: [name])
            }
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

/// A clear filter as a condition over the tasks that are final.
enum ClearCondition {
    /// Oldest end first; or, of a batch, its few tasks.
    static func index(_ filter: ClearFilter) -> String {
        filter.batchID == nil ? "tasks_by_end" : "tasks_by_batch"
    }

    /// - Returns: nil when there are no more than those that are to stay.
    static func make(_ filter: ClearFilter, in db: Database) throws -> (String, StatementArguments)? {
        var parts = ["finished_at IS NOT NULL"]
        var arguments: StatementArguments = []
        func add(_ part: String, _ values: StatementArguments) {
            parts.append(part)
            arguments += values
        }
        let statuses = filter.statuses.filter(\.isFinal).map(\.rawValue).sorted()
        add("status IN (\(statuses.map { _ in "?" }.joined(separator: ", ")))", StatementArguments(statuses))
        if let time = filter.finishedBefore { add("finished_at < ?", [time.milliseconds]) }
        if let feature = filter.featureID { add("feature = ?", [feature]) }
        if let batch = filter.batchID { add("batch_id = ?", [batch.rawValue]) }
        if let label = filter.label {
            add("EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.value = ?)", [label])
        }
        guard filter.keeping > 0 else { return (parts.joined(separator: " AND "), arguments) }
        // The newest of those that would go are let be: what ended before them may go.
        let statement = try db.cachedStatement(
            sql: """
                SELECT finished_at, number FROM tasks INDEXED BY \(index(filter))
                WHERE \(parts.joined(separator: " AND "))
                ORDER BY finished_at DESC, number DESC LIMIT 1 OFFSET ?
                """
        )
        let offset: StatementArguments = [filter.keeping - 1]
        guard let last = try Row.fetchOne(statement, arguments: arguments + offset) else { return nil }
        add("(finished_at, number) < (?, ?)", [last[0] as Int64, last[1] as Int64])
        return (parts.joined(separator: " AND "), arguments)
    }
}
