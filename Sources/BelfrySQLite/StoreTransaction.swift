// One transaction of the store: the counters it has in hand, and the statements that every change of
// a task is made of. What an action means is Core's; this writes it down.

import BelfryCore
import GRDB

/// Used on the writer's queue only, by one request at a time.
final class StoreTransaction {
    let db: Database
    let epoch: String
    /// What was written so far.
    private(set) var events: [EventRecord] = []
    private var counters: Counters
    private var savedCounters: Counters

    private struct Counters: Equatable {
        var position: Int64
        var number: Int64
        var statuses: [TaskStatus: Int] = [:]
    }

    init(_ db: Database, epoch: String) throws {
        self.db = db
        self.epoch = epoch
        let read = try db.cachedStatement(sql: "SELECT value FROM counters WHERE name = ?")
        counters = Counters(
            position: try Int64.fetchOne(read, arguments: ["position"]) ?? 0,
            number: try Int64.fetchOne(read, arguments: ["number"]) ?? 0
        )
        savedCounters = counters
    }

    /// Runs one request; what it wrote is undone when it throws.
    func savepoint(_ body: () throws -> Void) throws {
        let before = counters
        let written = events.count
        try db.cachedStatement(sql: "SAVEPOINT request").execute()
        do { try body() } catch {
            counters = before
            events.removeSubrange(written...)
            if db.isInsideTransaction {
                try db.cachedStatement(sql: "ROLLBACK TO request").execute()
                try db.cachedStatement(sql: "RELEASE request").execute()
            }
            throw error
        }
        try db.cachedStatement(sql: "RELEASE request").execute()
    }

    /// Writes the counters back. The last thing before the commit.
    func finish() throws {
        guard counters != savedCounters else { return }
        let save = try db.cachedStatement(sql: "UPDATE counters SET value = ? WHERE name = ?")
        try save.execute(arguments: [counters.position, "position"])
        try save.execute(arguments: [counters.number, "number"])
        let add = try db.cachedStatement(sql: "UPDATE counters SET value = value + ? WHERE name = ?")
        for (status, change) in counters.statuses where change != 0 {
            try add.execute(arguments: [change, status.rawValue])
        }
    }

    // MARK: Events

    func write(_ drafts: [TaskEvent.Draft], at now: Timestamp) throws {
        let insert = try db.cachedStatement(
            sql:
                "INSERT INTO events (position, time, kind, task_id, json) VALUES (?, ?, ?, ?, CAST(? AS BLOB))"
        )
        for draft in drafts {
            counters.position += 1
            let event = TaskEvent(
                cursor: EventCursor(epoch: epoch, position: counters.position),
                time: now,
                draft: draft
            )
            let record = EventRecord(event)
            try insert.execute(arguments: [
                record.position, now.milliseconds, record.kind.rawValue, record.taskID?.rawValue,
                String(decoding: record.json, as: UTF8.self),
            ])
            events.append(record)
        }
    }

    // MARK: Tasks

    func nextNumber() -> Int64 {
        counters.number += 1
        return counters.number
    }

    func task(_ id: TaskID) throws -> BackgroundTask {
        guard let task = try TaskRow.fetch(db, where: "id = ?", [id.rawValue]) else {
            throw TaskStoreError.notFound(id)
        }
        return task
    }

    /// Applies an action to a task and writes everything that comes of it.
    func apply(_ action: TaskAction, to task: BackgroundTask, at now: Timestamp) throws -> BackgroundTask {
        let transition: Transition
        do { transition = try task.applying(action, at: now) } catch {
            throw TaskStoreError.refused(task.id, error)
        }
        let after = transition.task
        guard after.revision != task.revision else { return after }
        try TaskRow.update(after, in: db, at: now)
        try write(transition.attempt, of: after, was: task, at: now)
        try write(transition.events, at: now)
        guard after.status != task.status else { return after }
        counters.statuses[task.status, default: 0] -= 1
        counters.statuses[after.status, default: 0] += 1
        try countInBatch(after, was: task.status, at: now)
        return after
    }

    func insert(_ task: BackgroundTask, context: SubmissionContext?, at now: Timestamp) throws {
        try TaskRow.insert(task, context: context, in: db, at: now)
        counters.statuses[task.status, default: 0] += 1
        try write([TaskEvent.Draft(.added, task: TaskSummary(task))], at: now)
    }

    func remove(_ task: BackgroundTask, at now: Timestamp) throws {
        for table in ["attempts", "dependencies"] {
            try db.cachedStatement(sql: "DELETE FROM \(table) WHERE task_number = ?").execute(arguments: [
                task.number
            ])
        }
        try db.cachedStatement(sql: "DELETE FROM tasks WHERE number = ?").execute(arguments: [task.number])
        counters.statuses[task.status, default: 0] -= 1
        try write([TaskEvent.Draft(.removed, task: TaskSummary(task))], at: now)
        guard let batch = task.batchID?.rawValue else { return }
        try db.cachedStatement(
            sql: "DELETE FROM batches WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tasks WHERE batch_id = ?1)"
        ).execute(arguments: [batch])
    }

    private func write(
        _ change: Transition.AttemptChange,
        of task: BackgroundTask,
        was before: BackgroundTask,
        at now: Timestamp
    ) throws {
        switch change {
        case .none: break
        case .opened:
            try db.cachedStatement(
                sql: """
                    INSERT INTO attempts (task_number, number, fence, owner, started_at) VALUES (?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                task.number, task.attempt, task.fence, task.owner?.rawValue ?? "", now.milliseconds,
            ])
        case .closed(let outcome, let failure):
            try db.cachedStatement(
                sql:
                    "UPDATE attempts SET finished_at = ?, outcome = ?, error = ? WHERE task_number = ? AND number = ?"
            ).execute(arguments: [
                now.milliseconds, outcome.rawValue, failure?.json.text, before.number, before.attempt,
            ])
        }
    }

    // MARK: Batches

    func insert(_ batch: TaskBatch, at now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO batches (id, title, total, completed, failed, cancelled, created_at)
                VALUES (?, ?, ?, 0, 0, 0, ?)
                """
        ).execute(arguments: [batch.id.rawValue, batch.title.free, batch.total, batch.createdAt.milliseconds])
        try write([TaskEvent.Draft(.batchAdded, batch: batch)], at: now)
    }

    private func countInBatch(_ task: BackgroundTask, was status: TaskStatus, at now: Timestamp) throws {
        guard let id = task.batchID, let batch = try BatchRow.fetch(db, id) else { return }
        let (moved, events) = batch.moving(from: status, to: task.status)
        guard moved != batch else { return }
        try db.cachedStatement(
            sql: "UPDATE batches SET completed = ?, failed = ?, cancelled = ? WHERE id = ?"
        ).execute(arguments: [moved.completed, moved.failed, moved.cancelled, id.rawValue])
        try write(events, at: now)
    }
}

enum BatchRow {
    static func fetch(_ db: Database, _ id: BatchID) throws -> TaskBatch? {
        let statement = try db.cachedStatement(
            sql: "SELECT title, total, created_at, completed, failed, cancelled FROM batches WHERE id = ?"
        )
        guard let row = try Row.fetchOne(statement, arguments: [id.rawValue]) else { return nil }
        var batch = TaskBatch(
            id: id,
            title: row[0],
            total: row[1],
            createdAt: Timestamp(milliseconds: row[2])
        )
        batch.completed = row[3]
        batch.failed = row[4]
        batch.cancelled = row[5]
        return batch
    }
}
