// A task as a row and back. Columns are read by index, in the one order that `columns` fixes.

import BelfryCore
import GRDB

enum TaskRow {
    static let columns = """
        number, id, feature, title, params, user_id, origin, notify, labels, priority, task_group, hold_count,
        not_before, status, progress, message, result, error, attempt, max_attempts, fence, revision, owner,
        lease_boot, lease_expires, cancel_requested, on_interrupt, batch_id, idempotency_key, unique_key,
        created_at, updated_at, started_at, finished_at
        """

    static func fetch(_ db: Database, where condition: String, _ arguments: StatementArguments) throws
        -> BackgroundTask?
    {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM tasks WHERE \(condition)")
        return try Row.fetchOne(statement, arguments: arguments).map(task)
    }

    /// - Parameter rest: what follows `FROM tasks`.
    static func fetchAll(_ db: Database, _ rest: String, _ arguments: StatementArguments) throws
        -> [BackgroundTask]
    {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM tasks \(rest)")
        return try Row.fetchAll(statement, arguments: arguments).map(task)
    }

    static func task(_ row: Row) throws -> BackgroundTask {
        var new = NewTask(featureID: row[2], params: try JSONValue(parsing: row[4] as String, limits: stored))
        new.title = row[3]
        new.userID = row[5]
        new.origin = row[6]
        new.notify = NotifyPolicy(rawValue: row[7]) ?? .full
        new.labels = try JSONValue(parsing: row[8] as String).array?.compactMap(\.string) ?? []
        new.priority = row[9]
        new.group = row[10]
        new.notBefore = time(row[12])
        new.maxAttempts = row[19]
        new.onInterrupt = InterruptPolicy(rawValue: row[26])
        new.batchID = (row[27] as String?).map(BatchID.init(stored:))
        new.idempotencyKey = row[28]
        new.uniqueKey = row[29]
        var task = BackgroundTask(
            new,
            id: TaskID(stored: row[1]),
            number: row[0],
            at: Timestamp(milliseconds: row[30])
        )
        task.holdCount = row[11]
        task.status = TaskStatus(rawValue: row[13]) ?? .failed
        task.progress = row[14]
        task.message = row[15]
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
        return task
    }

    /// What was accepted once is read back whatever today's limits are.
    static let stored = JSONLimits(depth: 512, keys: .max)

    static func json(_ text: String?) throws -> JSONValue? {
        try text.map { try JSONValue(parsing: $0, limits: stored) }
    }

    static func time(_ milliseconds: Int64?) -> Timestamp? {
        milliseconds.map { Timestamp(milliseconds: $0) }
    }

    private static func isReady(_ task: BackgroundTask, at now: Timestamp) -> Bool {
        task.holdCount == 0 && task.notBefore.map { $0 <= now } ?? true
    }

    static func insert(
        _ task: BackgroundTask,
        context: SubmissionContext?,
        in db: Database,
        at now: Timestamp
    ) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO tasks (\(columns), lane, ready, context)
                VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
                """
        )
        let identity: StatementArguments = [
            task.number, task.id.rawValue, task.featureID, task.title.free, task.params.text,
            task.userID.free,
            task.origin?.free,
            task.notify.rawValue, JSONValue.array(task.labels.map { .string($0) }).text, task.priority,
            task.group,
            task.holdCount, task.notBefore?.milliseconds,
        ]
        let progress: StatementArguments = [
            task.status.rawValue, task.progress, task.message?.free, task.result?.json.text,
            task.error?.json.text,
            task.attempt, task.maxAttempts, task.fence, task.revision, task.owner?.rawValue,
            task.lease?.bootID,
            task.lease?.expiresAt.wholeMilliseconds, task.isCancelRequested,
        ]
        let rest: StatementArguments = [
            task.onInterrupt.rawValue, task.batchID?.rawValue, task.idempotencyKey?.free,
            task.uniqueKey?.free,
            task.createdAt.milliseconds, task.updatedAt.milliseconds, task.startedAt?.milliseconds,
            task.finishedAt?.milliseconds, task.lane.description, isReady(task, at: now),
            context?.stored.text,
        ]
        try statement.execute(arguments: identity + progress + rest)
    }

    /// Writes what an action can change. The submitter's environment goes when the task is final.
    static func update(_ task: BackgroundTask, in db: Database, at now: Timestamp) throws {
        let statement = try db.cachedStatement(
            sql: """
                UPDATE tasks SET status = ?, progress = ?, message = ?, result = ?, error = ?, attempt = ?,
                    max_attempts = ?, fence = ?, revision = ?, owner = ?, lease_boot = ?, lease_expires = ?,
                    cancel_requested = ?, hold_count = ?, not_before = ?, ready = ?, updated_at = ?, started_at = ?,
                    finished_at = ?,
                    context = CASE WHEN ? THEN json_remove(context, '$.environment') ELSE context END
                WHERE number = ?
                """
        )
        try statement.execute(arguments: [
            task.status.rawValue, task.progress, task.message?.free, task.result?.json.text,
            task.error?.json.text,
            task.attempt, task.maxAttempts, task.fence, task.revision, task.owner?.rawValue,
            task.lease?.bootID,
            task.lease?.expiresAt.wholeMilliseconds, task.isCancelRequested, task.holdCount,
            task.notBefore?.milliseconds, isReady(task, at: now), task.updatedAt.milliseconds,
            task.startedAt?.milliseconds, task.finishedAt?.milliseconds, task.status.isFinal, task.number,
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
