// A task as a row and back. Columns are read by index, in the one order that `columns` fixes.

import BelfryCore
import GRDB

enum TaskRow {
    static let columns = """
        number, id, feature, title, params, user_id, origin, notify, labels, priority, task_group, hold_count,
        not_before, status, progress, message, result, error, attempt, max_attempts, fence, revision, owner,
        lease_boot, lease_expires, cancel_requested, on_interrupt, batch_id, idempotency_key, unique_key,
        created_at, updated_at, started_at, finished_at, needs, turn, flow, stashed, deadline, options
        """

    static func fetch(_ db: Database, where condition: String, _ arguments: StatementArguments) throws
        -> BackgroundTask?
    {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM tasks WHERE \(condition)")
        let rows = try Row.fetchCursor(statement, arguments: arguments)
        return try rows.next().map(task)
    }

    /// - Parameter rest: what follows `FROM tasks`.
    static func fetchAll(_ db: Database, _ rest: String, _ arguments: StatementArguments) throws
        -> [BackgroundTask]
    {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM tasks \(rest)")
        let rows = try Row.fetchCursor(statement, arguments: arguments)
        var tasks: [BackgroundTask] = []
        while let row = try rows.next() { tasks.append(try task(row)) }
        return tasks
    }

    static func task(_ row: Row) throws -> BackgroundTask {
        var new = NewTask(featureID: row[2], params: try JSONValue(parsing: row[4] as String, limits: stored))
        new.title = free(row, 3) ?? ""
        new.userID = free(row, 5) ?? ""
        new.origin = free(row, 6)
        new.notify = NotifyPolicy(rawValue: row[7]) ?? .full
        let labels: String = row[8]
        if labels != "[]" { new.labels = try JSONValue(parsing: labels).array?.compactMap(\.string) ?? [] }
        new.priority = row[9]
        new.group = row[10]
        new.notBefore = time(row[12])
        new.maxAttempts = row[19]
        new.onInterrupt = InterruptPolicy(rawValue: row[26])
        new.batchID = (row[27] as String?).map(BatchID.init(stored:))
        new.idempotencyKey = free(row, 28)
        new.uniqueKey = free(row, 29)
        new.needs = try? TaskNeeds(row[34] as String)
        new.deadline = time(row[38])
        if let options = try json(row[39]) { new.options = try TaskOptions(json: options) }
        var task = BackgroundTask(
            new,
            id: TaskID(stored: row[1]),
            number: row[0],
            at: Timestamp(milliseconds: row[30])
        )
        try fill(&task, from: row)
        return task
    }

    private static func fill(_ task: inout BackgroundTask, from row: Row) throws {
        task.holdCount = row[11]
        task.status = TaskStatus(rawValue: row[13]) ?? .failed
        task.progress = row[14]
        task.message = free(row, 15)
        task.result = try json(row[16]).map(TaskResult.init(json:))
        task.error = try json(row[17]).map(TaskFailure.init(json:))
        task.attempt = row[18]
        task.fence = row[20]
        task.revision = row[21]
        task.owner = (row[22] as String?).map { WorkerID($0) }
        if let boot = row[23] as String?, let expires = row[24] as Int64? {
            task.lease = Lease(bootID: boot, expiresAt: .milliseconds(expires))
        }
        task.isCancelRequested = row[25]
        task.updatedAt = Timestamp(milliseconds: row[31])
        task.startedAt = time(row[32])
        task.finishedAt = time(row[33])
        task.turn = row[35]
        task.flow = row[36]
        task.isStashed = row[37]
    }

    /// What was accepted once is read back whatever today's limits are.
    static let stored = JSONLimits(depth: 512, keys: .max)

    static func json(_ text: String?) throws -> JSONValue? {
        try text.map { try JSONValue(parsing: $0, limits: stored) }
    }

    /// Text that anyone may write, see `String.free`. Read as it is stored: asked for as a string, SQLite would
    /// end it at its first NUL.
    private static func free(_ row: Row, _ index: Int) -> String? {
        String.fromDatabaseValue(row[index] as DatabaseValue)
    }

    static func time(_ milliseconds: Int64?) -> Timestamp? {
        milliseconds.map { Timestamp(milliseconds: $0) }
    }

    private static func isReady(_ task: BackgroundTask, at now: Timestamp) -> Bool {
        task.holdCount == 0 && task.notBefore.map { $0 <= now } ?? true
    }

    /// Writes a task that was just accepted: pending, without a past.
    static func insert(
        _ task: BackgroundTask,
        context: SubmissionContext?,
        in db: Database,
        at now: Timestamp
    ) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO tasks (number, id, feature, title, params, user_id, origin, notify, labels, priority,
                    task_group, hold_count, not_before, max_attempts, on_interrupt, batch_id, idempotency_key,
                    unique_key, created_at, updated_at, needs, turn, flow, stashed, deadline, options, lane, ready,
                    context, status, progress, attempt, fence, revision, cancel_requested)
                VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'pending',0.0,0,0,1,0)
                """
        )
        let labels = task.labels.isEmpty ? "[]" : JSONValue.array(task.labels.map { .string($0) }).text
        try statement.execute(arguments: [
            task.number, task.id.rawValue, task.featureID, task.title.free, task.params.text,
            task.userID.free,
            task.origin?.free, task.notify.rawValue, labels, task.priority, task.group, task.holdCount,
            task.notBefore?.milliseconds, task.maxAttempts, task.onInterrupt.rawValue, task.batchID?.rawValue,
            task.idempotencyKey?.free, task.uniqueKey?.free, task.createdAt.milliseconds,
            task.updatedAt.milliseconds, task.needs.text, task.turn, task.flow, task.isStashed,
            task.deadline?.milliseconds, task.options.isDefault ? nil : task.options.json.text,
            task.lane.description, isReady(task, at: now), context?.stored.text,
        ])
    }

    /// Writes what a claim changes.
    static func updateClaimed(_ task: BackgroundTask, in db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                UPDATE tasks SET status = 'processing', progress = 0.0, message = NULL, attempt = ?, fence = ?,
                    revision = ?, owner = ?, lease_boot = ?, lease_expires = ?, not_before = NULL, updated_at = ?,
                    started_at = ?, finished_at = NULL
                WHERE number = ?
                """
        )
        try statement.execute(arguments: [
            task.attempt, task.fence, task.revision, task.owner?.rawValue, task.lease?.bootID,
            task.lease?.expiresAt.wholeMilliseconds, task.updatedAt.milliseconds,
            task.startedAt?.milliseconds,
            task.number,
        ])
    }

    /// Writes what completing changes. The submitter's environment goes when the task is final.
    static func updateCompleted(_ task: BackgroundTask, in db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                UPDATE tasks SET status = 'completed', progress = 100.0, message = NULL, result = ?, error = NULL,
                    fence = ?, revision = ?, owner = NULL, lease_boot = NULL, lease_expires = NULL,
                    cancel_requested = 0, updated_at = ?, finished_at = ?, checkpoint = NULL,
                    context = json_remove(context, '$.environment')
                WHERE number = ?
                """
        )
        try statement.execute(arguments: [
            task.result?.json.text, task.fence, task.revision, task.updatedAt.milliseconds,
            task.finishedAt?.milliseconds, task.number,
        ])
    }

    /// Writes what any other action can change.
    static func update(_ task: BackgroundTask, in db: Database, at now: Timestamp) throws {
        let statement = try db.cachedStatement(
            sql: """
                UPDATE tasks SET status = ?, progress = ?, message = ?, result = ?, error = ?, attempt = ?,
                    max_attempts = ?, fence = ?, revision = ?, owner = ?, lease_boot = ?, lease_expires = ?,
                    cancel_requested = ?, hold_count = ?, stashed = ?, not_before = ?, deadline = ?, ready = ?,
                    updated_at = ?, started_at = ?, finished_at = ?,
                    context = CASE WHEN ? THEN json_remove(context, '$.environment') ELSE context END
                WHERE number = ?
                """
        )
        try statement.execute(arguments: [
            task.status.rawValue, task.progress, task.message?.free, task.result?.json.text,
            task.error?.json.text, task.attempt, task.maxAttempts, task.fence, task.revision,
            task.owner?.rawValue, task.lease?.bootID, task.lease?.expiresAt.wholeMilliseconds,
            task.isCancelRequested, task.holdCount, task.isStashed, task.notBefore?.milliseconds,
            task.deadline?.milliseconds, isReady(task, at: now), task.updatedAt.milliseconds,
            task.startedAt?.milliseconds, task.finishedAt?.milliseconds, task.status.isFinal, task.number,
        ])
    }

    /// Writes what an edit can change.
    static func rewrite(_ task: BackgroundTask, in db: Database, at now: Timestamp) throws {
        let statement = try db.cachedStatement(
            sql: """
                UPDATE tasks SET title = ?, params = ?, notify = ?, labels = ?, priority = ?, task_group = ?,
                    needs = ?, lane = ?, turn = ?, not_before = ?, deadline = ?, ready = ?, max_attempts = ?,
                    options = ?, revision = ?, updated_at = ?
                WHERE number = ?
                """
        )
        try statement.execute(arguments: [
            task.title.free, task.params.text, task.notify.rawValue,
            JSONValue.array(task.labels.map { .string($0) }).text, task.priority, task.group, task.needs.text,
            task.lane.description, task.turn, task.notBefore?.milliseconds, task.deadline?.milliseconds,
            isReady(task, at: now), task.maxAttempts, task.options.isDefault ? nil : task.options.json.text,
            task.revision, task.updatedAt.milliseconds, task.number,
        ])
    }
}

extension SubmissionContext {
    /// As the private column keeps it.
    var stored: JSONValue {
        var object: JSONObject = ["directory": .string(workingDirectory)]
        object.set("umask", umask.map { .int(Int64($0)) })
        if let environment {
            var members = JSONObject(minimumCapacity: environment.count)
            for (key, value) in environment { members[key] = .string(value) }
            object["environment"] = .object(members)
        }
        return .object(object)
    }

    init?(stored json: JSONValue) {
        guard let directory = json["directory"]?.string else { return nil }
        self.init(workingDirectory: directory, umask: json["umask"]?.int.flatMap { UInt32(exactly: $0) })
        environment = json["environment"]?.object.map { members in
            var environment: [String: String] = [:]
            for (key, value) in members { environment[key] = value.string }
            return environment
        }
    }
}
