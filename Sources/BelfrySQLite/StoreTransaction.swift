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
    private var lastContext: (context: SubmissionContext, text: String)?
    private var prepared = [HotStatement?](repeating: nil, count: Hot.allCases.count)
    /// The private columns of those candidates that have any.
    private var privates: [Int64: (context: String?, checkpoint: String?)] = [:]

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
    private enum Hot: Int, CaseIterable {
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

    private func hot(_ hot: Hot) throws -> HotStatement {
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
        // What came after it is final too, or runs whatever became of it: there is nothing left to wait for.
        try db.cachedStatement(sql: "DELETE FROM dependencies WHERE depends_on = ? AND satisfied = 0")
            .execute(arguments: [task.number])
        try db.cachedStatement(sql: "DELETE FROM tasks WHERE number = ?").execute(arguments: [task.number])
        counters.statuses[task.status, default: 0] -= 1
        try write([TaskEvent.Draft(.removed, task: TaskSummary(task))], at: now)
        guard let batch = task.batchID?.rawValue else { return }
        try db.cachedStatement(
            sql: "DELETE FROM batches WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tasks WHERE batch_id = ?1)"
        ).execute(arguments: [batch])
    }
}

// MARK: What every store's transaction does

extension StoreTransaction: TaskTransaction {
    func stored(_ id: TaskID) throws -> BackgroundTask? {
        if let task = try runningTask(id) { return task }
        return try hot(.find).first({ $0.add(id.rawValue) }, TaskRow.task)
    }

    /// The row in memory, when the store has it so. The lock keeps others from the store; the fence does not
    /// rely on that.
    private func runningTask(_ id: TaskID) throws -> BackgroundTask? {
        guard let task = running[id] else { return nil }
        let state = try hot(.state).first({ $0.add(task.number) }, { ($0.int(0), $0.int(1)) })
        if let state, state == (task.fence, task.revision) { return task }
        running.forget(id)
        return nil
    }

    func stored(userID: String, idempotencyKey: String) throws -> BackgroundTask? {
        try TaskRow.fetch(
            db,
            where: "user_id = ? AND idempotency_key = ?",
            [userID.free, idempotencyKey.free]
        )
    }

    func stored(uniqueKey: String, in statuses: Set<TaskStatus>) throws -> [BackgroundTask] {
        // One after the other: so the index gives each newest first, however many there are.
        try statuses.flatMap { status in
            try TaskRow.fetchAll(
                db,
                """
                INDEXED BY tasks_by_unique_key WHERE unique_key = ? AND status = ?
                ORDER BY number DESC LIMIT 100
                """,
                [uniqueKey.free, status.rawValue]
            )
        }.sorted { $0.number > $1.number }
    }

    func nextNumber() -> Int64 {
        counters.number += 1
        return counters.number
    }

    func firstTurn(in lane: Lane, priority: Int) throws -> Int64? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT turn FROM tasks INDEXED BY tasks_claimable
                WHERE lane = ? AND priority = ? AND turn >= 0 AND status = 'pending' AND ready = 1
                ORDER BY turn LIMIT 1
                """
        )
        return try Int64.fetchOne(statement, arguments: [lane.description, priority])
    }

    func lowestTurn(in lane: Lane, priority: Int) throws -> Int64? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT MIN(turn) FROM (
                    SELECT MIN(turn) AS turn FROM tasks INDEXED BY tasks_claimable
                        WHERE lane = ?1 AND priority = ?2 AND status = 'pending' AND ready = 1
                    UNION ALL
                    SELECT MIN(turn) FROM tasks INDEXED BY tasks_waiting_lanes
                        WHERE lane = ?1 AND priority = ?2 AND status = 'pending' AND ready = 0)
                """
        )
        return try Int64.fetchOne(statement, arguments: [lane.description, priority])
    }

    func lastTurn(of flow: String, in lane: Lane, priority: Int) throws -> Int64? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT turn FROM tasks INDEXED BY tasks_by_flow
                WHERE lane = ? AND priority = ? AND flow = ? AND status = 'pending' ORDER BY turn DESC LIMIT 1
                """
        )
        return try Int64.fetchOne(statement, arguments: [lane.description, priority, flow])
    }

    func insert(
        _ task: BackgroundTask,
        context: SubmissionContext?,
        after dependencies: [(number: Int64, isSatisfied: Bool)],
        at now: Timestamp
    ) throws {
        let context = context.map(text(of:))
        try hot(.insert).run { TaskRow.bind(task, context: context, to: &$0, at: now) }
        counters.statuses[.pending, default: 0] += 1
        for (place, dependency) in dependencies.enumerated() {
            try db.cachedStatement(
                sql:
                    "INSERT INTO dependencies (task_number, depends_on, satisfied, place) VALUES (?, ?, ?, ?)"
            ).execute(arguments: [task.number, dependency.number, dependency.isSatisfied, place])
        }
        try write([TaskEvent.Draft(.added, task: TaskSummary(task))], at: now)
    }

    /// A context as its column keeps it. The tasks of a batch come from one place: it is written out once.
    private func text(of context: SubmissionContext) -> String {
        if let last = lastContext, last.context == context { return last.text }
        let text = context.stored.text
        lastContext = (context, text)
        return text
    }

    func insert(_ batch: TaskBatch, at now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO batches (id, title, total, completed, failed, cancelled, created_at)
                VALUES (?, ?, ?, 0, 0, 0, ?)
                """
        ).execute(arguments: [batch.id.rawValue, batch.title.free, batch.total, batch.createdAt.milliseconds])
        try write([TaskEvent.Draft(.batchAdded, batch: batch)], at: now)
    }

    func write(_ transition: Transition, of before: BackgroundTask, at now: Timestamp) throws {
        let after = transition.task
        switch (before.status, after.status) {
        case (.pending, .processing): try hot(.claim).run { TaskRow.bindClaimed(after, to: &$0) }
        case (.processing, .completed): try hot(.complete).run { TaskRow.bindCompleted(after, to: &$0) }
        default: try TaskRow.update(after, in: db, at: now)
        }
        if before.status == .processing || after.status == .processing { running.note(after) }
        if case .closed(let outcome, let failure) = transition.attempt {
            try writeAttempt(of: before, outcome, failure, at: now)
        }
        try write(transition.events, at: now)
        guard after.status != before.status else { return }
        counters.statuses[before.status, default: 0] -= 1
        counters.statuses[after.status, default: 0] += 1
        try countInBatch(after, was: before.status, at: now)
    }

    /// Attempts are written when they are over: the one that runs is in the task's own row.
    private func writeAttempt(
        of task: BackgroundTask,
        _ outcome: Attempt.Outcome,
        _ failure: TaskFailure?,
        at now: Timestamp
    ) throws {
        try hot(.attempt).run { row in
            row.add(task.number)
            row.add(task.attempt)
            row.add(task.fence)
            row.add(task.owner?.rawValue ?? "")
            row.add((task.startedAt ?? now).milliseconds)
            row.add(now.milliseconds)
            row.add(outcome.rawValue)
            row.add(failure?.json.text)
        }
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

    func rewrite(_ transition: Transition, of before: BackgroundTask, at now: Timestamp) throws {
        try TaskRow.rewrite(transition.task, in: db, at: now)
        try write(transition.events, at: now)
    }

    func setContext(_ context: SubmissionContext, of task: BackgroundTask) throws {
        try db.cachedStatement(sql: "UPDATE tasks SET context = ? WHERE number = ?")
            .execute(arguments: [context.stored.text, task.number])
    }

    func dependencies(of task: BackgroundTask) throws -> [TaskDependency] {
        try DependencyRow.fetchAll(db, of: task.id)
    }

    func dependants(of task: BackgroundTask) throws -> [BackgroundTask] {
        try hot(.dependants).all({ $0.add(task.number) }, { $0.int(0) }).compactMap {
            try TaskRow.fetch(db, where: "number = ?", [$0])
        }
    }

    func setSatisfied(_ dependant: BackgroundTask, _ dependency: BackgroundTask) throws {
        try db.cachedStatement(
            sql: "UPDATE dependencies SET satisfied = 1 WHERE task_number = ? AND depends_on = ?"
        ).execute(arguments: [dependant.number, dependency.number])
    }

    func wakeDue(at now: Timestamp) throws {
        if running.lastClaim.map({ now < $0 }) ?? true { try letWait(after: now) }
        running.lastClaim = now
        try hot(.wakeDue).run { $0.add(now.milliseconds) }
    }

    /// What was due and is not any more, because the clock was set back, waits again: or nobody would say when.
    private func letWait(after now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                UPDATE tasks INDEXED BY tasks_woken SET ready = 0
                WHERE status = 'pending' AND ready = 1 AND not_before IS NOT NULL AND not_before > ?
                """
        ).execute(arguments: [now.milliseconds])
    }

    func candidates(in lane: Lane, limit: Int, at now: Timestamp) throws -> [BackgroundTask] {
        try hot(.candidates).all(
            { row in
                row.add(lane.description)
                row.add(now.milliseconds)
                row.add(now.milliseconds)
                row.add(limit)
            },
            { row in
                let task = try TaskRow.task(row)
                let (context, checkpoint) = (row.optionalText(40), row.optionalText(41))
                if context != nil || checkpoint != nil { privates[task.number] = (context, checkpoint) }
                return task
            }
        )
    }

    func claimed(_ task: BackgroundTask) throws -> ClaimedTask {
        guard let (context, checkpoint) = privates[task.number] else { return ClaimedTask(task: task) }
        return ClaimedTask(
            task: task,
            context: try TaskRow.json(context).flatMap(SubmissionContext.init(stored:)),
            checkpoint: try TaskRow.json(checkpoint)
        )
    }

    func expired(limit: Int, at now: Timestamp) throws -> [BackgroundTask] {
        try TaskRow.fetchAll(
            db,
            """
            INDEXED BY tasks_by_deadline WHERE status = 'pending' AND deadline IS NOT NULL AND deadline <= ?
            ORDER BY deadline LIMIT ?
            """,
            [now.milliseconds, limit]
        )
    }

    func schedule(_ name: String) throws -> Schedule? { try ScheduleRow.fetch(db, name) }
    func save(_ schedule: Schedule) throws { try ScheduleRow.save(schedule, in: db) }
}
