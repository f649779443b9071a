// What every store's transaction does with tasks (`TaskTransaction`), as statements. What runs for every task
// is in `StoreTransaction.Hot`.

import BelfryCore
import GRDB

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

    /// A context as its column keeps it.
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

    func setSatisfied(_ dependant: BackgroundTask, dependency number: Int64) throws {
        try db.cachedStatement(
            sql: "UPDATE dependencies SET satisfied = 1 WHERE task_number = ? AND depends_on = ?"
        ).execute(arguments: [dependant.number, number])
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
