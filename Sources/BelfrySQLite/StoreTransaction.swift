// One transaction of the store: the counters it has in hand, and the statements that every change of
// a task is made of. What an action means is Core's; this writes it down.

import BelfryCore
import GRDB
import GRDBSQLite

/// Used on the writer's queue only, by one request at a time.
final class StoreTransaction {
    let db: Database
    let epoch: String
    /// What was written so far.
    private(set) var events: [EventRecord] = []
    var counters: Counters
    var running: RunningTasks
    private let savedCounters: Counters
    /// The context that was written last, with its text: the tasks of a batch come from one place.
    var lastContext: (context: SubmissionContext, text: String)?
    private var prepared = [HotStatement?](repeating: nil, count: Hot.allCases.count)
    /// The private columns of those candidates that have any.
    var privates: [Int64: (context: String?, checkpoint: String?)] = [:]

    struct Counters: Equatable {
        var position: Int64
        var number: Int64
        var statuses: [TaskStatus: Int] = [:]
    }

    init(_ db: Database, epoch: String, running: RunningTasks) throws {
        self.db = db
        self.epoch = epoch
        self.running = running
        let read = try HotStatement(db, "SELECT value FROM counters WHERE name = ?")
        counters = Counters(
            position: try read.first({ $0.add("position") }, { $0.int(0) }) ?? 0,
            number: try read.first({ $0.add("number") }, { $0.int(0) }) ?? 0
        )
        savedCounters = counters
    }

    /// What runs for every task.
    enum Hot: Int, CaseIterable {
        case insert, claim, complete, find, state, candidates, dependants, wakeDue, attempt, event

        var sql: String {
            switch self {
            case .insert: TaskRow.insertion
            case .claim: TaskRow.claim
            case .complete: TaskRow.completion
            case .find: "SELECT \(TaskRow.columns) FROM tasks WHERE id = ?"
            case .state: "SELECT fence, revision FROM tasks WHERE number = ?"
            case .candidates:
                """
                SELECT \(TaskRow.columns), context, checkpoint FROM tasks INDEXED BY tasks_claimable
                WHERE lane = ? AND status = 'pending' AND ready = 1
                    AND (not_before IS NULL OR not_before <= ?) AND (deadline IS NULL OR deadline > ?)
                ORDER BY priority DESC, turn, number LIMIT ?
                """
            case .dependants:
                """
                SELECT task_number FROM dependencies INDEXED BY dependencies_by_target
                WHERE depends_on = ? AND satisfied = 0 ORDER BY task_number
                """
            case .wakeDue:
                """
                UPDATE tasks INDEXED BY tasks_waiting SET ready = 1
                WHERE status = 'pending' AND ready = 0 AND hold_count = 0 AND not_before <= ?
                """
            case .attempt:
                """
                INSERT OR REPLACE INTO attempts (task_number, number, fence, owner, started_at, finished_at,
                    outcome, error)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
            case .event: "INSERT INTO events (position, time, kind, task_id, json) VALUES (?, ?, ?, ?, ?)"
            }
        }
    }

    func hot(_ hot: Hot) throws -> HotStatement {
        if let statement = prepared[hot.rawValue] { return statement }
        let statement = try HotStatement(db, hot.sql)
        prepared[hot.rawValue] = statement
        return statement
    }

    /// Runs one request.
    ///
    /// - Throws: ``NeedsSavepoint`` when it failed after it had written something: the transaction is of no
    ///   use then. A request that fails before has changed nothing.
    func run(_ body: () throws -> Void) throws {
        let before = counters
        let written = sqlite3_total_changes(db.sqliteConnection)
        do { try body() } catch {
            guard db.isInsideTransaction, sqlite3_total_changes(db.sqliteConnection) == written else {
                throw NeedsSavepoint(cause: error)
            }
            counters = before
            throw error
        }
    }

    struct NeedsSavepoint: Error {
        var cause: any Error
    }

    /// Runs one request; what it wrote is undone when it throws.
    func savepoint(_ body: () throws -> Void) throws {
        let before = counters
        let written = events.count
        try db.cachedStatement(sql: "SAVEPOINT request").execute()
        do { try body() } catch {
            counters = before
            running.forgetAll()
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

    func write(_ drafts: [TaskEvent.Draft], at now: Timestamp) throws {
        let insert = try hot(.event)
        for draft in drafts {
            counters.position += 1
            let record = EventRecord(
                TaskEvent(
                    cursor: EventCursor(epoch: epoch, position: counters.position),
                    time: now,
                    draft: draft
                )
            )
            try insert.run { row in
                row.add(record.position)
                row.add(now.milliseconds)
                row.add(record.kind.rawValue)
                row.add(record.taskID?.rawValue)
                row.add(blob: record.json)
            }
            events.append(record)
        }
    }

    func remove(_ task: BackgroundTask, at now: Timestamp) throws {
        for table in ["attempts", "dependencies"] {
            try db.cachedStatement(sql: "DELETE FROM \(table) WHERE task_number = ?").execute(arguments: [
                task.number
            ])
        }
        // What came after it goes by how it ended, should someone retry that.
        try db.cachedStatement(
            sql: "UPDATE dependencies SET removed_id = ?, removed_status = ? WHERE depends_on = ?"
        ).execute(arguments: [task.id.rawValue, task.status.rawValue, task.number])
        try db.cachedStatement(sql: "DELETE FROM tasks WHERE number = ?").execute(arguments: [task.number])
        counters.statuses[task.status, default: 0] -= 1
        try write([TaskEvent.Draft(.removed, task: TaskSummary(task))], at: now)
        guard let batch = task.batchID?.rawValue else { return }
        try db.cachedStatement(
            sql: "DELETE FROM batches WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tasks WHERE batch_id = ?1)"
        ).execute(arguments: [batch])
    }
}
