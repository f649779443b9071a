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
        try HotStatement(db, "SELECT \(columns) FROM tasks WHERE \(condition)", arguments).first(
            { _ in },
            task
        )
    }

    /// - Parameter rest: what follows `FROM tasks`.
    static func fetchAll(_ db: Database, _ rest: String, _ arguments: StatementArguments) throws
        -> [BackgroundTask]
    {
        try HotStatement(db, "SELECT \(columns) FROM tasks \(rest)", arguments).all({ _ in }, task)
    }

    static func task(_ row: Columns) throws -> BackgroundTask {
        var new = NewTask(featureID: row.text(2), params: try params(row.bytes(4)))
        new.title = row.text(3)
        new.userID = row.text(5)
        new.origin = row.optionalText(6)
        new.notify = NotifyPolicy(rawValue: row.text(7)) ?? .full
        new.labels = try labels(row.text(8))
        new.priority = Int(row.int(9))
        new.group = row.text(10)
        new.notBefore = time(row.optionalInt(12))
        new.maxAttempts = Int(row.int(19))
        new.onInterrupt = InterruptPolicy(rawValue: row.text(26))
        new.batchID = row.optionalText(27).map(BatchID.init(stored:))
        new.idempotencyKey = row.optionalText(28)
        new.uniqueKey = row.optionalText(29)
        new.needs = try? needs(row.text(34))
        new.deadline = time(row.optionalInt(38))
        if let options = try json(row.optionalText(39)) { new.options = try TaskOptions(json: options) }
        var task = BackgroundTask(
            new,
            id: TaskID(stored: row.text(1)),
            number: row.int(0),
            at: Timestamp(milliseconds: row.int(30))
        )
        try fill(&task, from: row)
        return task
    }

    private static func fill(_ task: inout BackgroundTask, from row: Columns) throws {
        task.holdCount = Int(row.int(11))
        task.status = TaskStatus(rawValue: row.text(13)) ?? .failed
        task.progress = row.double(14)
        task.message = row.optionalText(15)
        task.result = try json(row.optionalText(16)).map(TaskResult.init(json:))
        task.error = try json(row.optionalText(17)).map(TaskFailure.init(json:))
        task.attempt = Int(row.int(18))
        task.fence = row.int(20)
        task.revision = row.int(21)
        task.owner = row.optionalText(22).map { WorkerID($0) }
        if let boot = row.optionalText(23), let expires = row.optionalInt(24) {
            task.lease = Lease(bootID: boot, expiresAt: .milliseconds(expires))
        }
        task.isCancelRequested = row.bool(25)
        task.updatedAt = Timestamp(milliseconds: row.int(31))
        task.startedAt = time(row.optionalInt(32))
        task.finishedAt = time(row.optionalInt(33))
        task.turn = row.int(35)
        task.flow = row.optionalText(36)
        task.isStashed = row.bool(37)
    }

    // Most tasks have nothing to parse in these.

    private static func params(_ bytes: UnsafeRawBufferPointer) throws -> JSONValue {
        bytes.count == 2 ? [:] : try JSONValue(parsing: bytes, limits: stored)
    }

    private static func labels(_ text: String) throws -> [String] {
        text == "[]" ? [] : try JSONValue(parsing: text).array?.compactMap(\.string) ?? []
    }

    private static func needs(_ text: String) throws -> TaskNeeds {
        text.isEmpty ? TaskNeeds() : try TaskNeeds(text)
    }

    /// What was accepted once is read back whatever today's limits are.
    static let stored = JSONLimits(depth: 512, keys: .max)

    static func json(_ text: String?) throws -> JSONValue? {
        try text.map { $0 == "{}" ? [:] : try JSONValue(parsing: $0, limits: stored) }
    }

    static func time(_ milliseconds: Int64?) -> Timestamp? {
        milliseconds.map { Timestamp(milliseconds: $0) }
    }

    private static func isReady(_ task: BackgroundTask, at now: Timestamp) -> Bool {
        task.holdCount == 0 && task.notBefore.map { $0 <= now } ?? true
    }

    static let insertion = """
        INSERT INTO tasks (number, id, feature, title, params, user_id, origin, notify, labels, priority,
            task_group, hold_count, not_before, max_attempts, on_interrupt, batch_id, idempotency_key,
            unique_key, created_at, updated_at, needs, turn, flow, stashed, deadline, options, lane, ready,
            context, status, progress, attempt, fence, revision, cancel_requested)
        VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'pending',0.0,0,0,1,0)
        """

    /// Binds a task that was just accepted to ``insertion``: pending, without a past.
    static func bind(
        _ task: BackgroundTask,
        context: String?,
        to row: inout Binder,
        at now: Timestamp
    ) {
        row.add(task.number)
        row.add(task.id.rawValue)
        row.add(task.featureID)
        row.add(free: task.title)
        row.add(task.params.text)
        row.add(free: task.userID)
        row.add(free: task.origin)
        row.add(task.notify.rawValue)
        row.add(text(of: task.labels))
        row.add(task.priority)
        row.add(task.group)
        row.add(task.holdCount)
        row.add(task.notBefore?.milliseconds)
        row.add(task.maxAttempts)
        row.add(task.onInterrupt.rawValue)
        row.add(task.batchID?.rawValue)
        row.add(free: task.idempotencyKey)
        row.add(free: task.uniqueKey)
        row.add(task.createdAt.milliseconds)
        row.add(task.updatedAt.milliseconds)
        row.add(task.needs.text)
        row.add(task.turn)
        row.add(task.flow)
        row.add(task.isStashed)
        row.add(task.deadline?.milliseconds)
        row.add(task.$options.isDefault ? nil : task.options.json.text)
        row.add(task.lane.description)
        row.add(isReady(task, at: now))
        row.add(context)
    }

    static let claim = """
        UPDATE tasks SET status = 'processing', progress = 0.0, message = NULL, attempt = ?, fence = ?,
            revision = ?, owner = ?, lease_boot = ?, lease_expires = ?, not_before = NULL, updated_at = ?,
            started_at = ?, finished_at = NULL
        WHERE number = ?
        """

    /// Binds what a claim changes to ``claim``.
    static func bindClaimed(_ task: BackgroundTask, to row: inout Binder) {
        row.add(task.attempt)
        row.add(task.fence)
        row.add(task.revision)
        row.add(task.owner?.rawValue)
        row.add(task.lease?.bootID)
        row.add(task.lease?.expiresAt.wholeMilliseconds)
        row.add(task.updatedAt.milliseconds)
        row.add(task.startedAt?.milliseconds)
        row.add(task.number)
    }

    /// The submitter's environment goes when the task is final.
    static let completion = """
        UPDATE tasks SET status = 'completed', progress = 100.0, message = NULL, result = ?, error = NULL,
            fence = ?, revision = ?, owner = NULL, lease_boot = NULL, lease_expires = NULL,
            cancel_requested = 0, updated_at = ?, finished_at = ?, checkpoint = NULL,
            context = json_remove(context, '$.environment')
        WHERE number = ?
        """

    /// Binds what completing changes to ``completion``.
    static func bindCompleted(_ task: BackgroundTask, to row: inout Binder) {
        row.add(task.result?.json.text)
        row.add(task.fence)
        row.add(task.revision)
        row.add(task.updatedAt.milliseconds)
        row.add(task.finishedAt?.milliseconds)
        row.add(task.number)
    }

    private static func text(of labels: [String]) -> String {
        labels.isEmpty ? "[]" : JSONValue.array(labels.map { .string($0) }).text
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
                    options = ?, unique_key = ?, revision = ?, updated_at = ?
                WHERE number = ?
                """
        )
        try statement.execute(arguments: [
            task.title.free, task.params.text, task.notify.rawValue,
            text(of: task.labels), task.priority, task.group, task.needs.text,
            task.lane.description, task.turn, task.notBefore?.milliseconds, task.deadline?.milliseconds,
            isReady(task, at: now), task.maxAttempts, task.$options.isDefault ? nil : task.options.json.text,
            task.uniqueKey?.free, task.revision, task.updatedAt.milliseconds, task.number,
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

    /// Reads it as a task's column has it, or as it was submitted, which is how a schedule keeps it: whatever today's
    /// rules for submissions are.
    init?(stored json: JSONValue) {
        guard let directory = (json["directory"] ?? json["workingDirectory"])?.string else { return nil }
        self.init(workingDirectory: directory, umask: json["umask"]?.int.flatMap { UInt32(exactly: $0) })
        environment = json["environment"]?.object.map { members in
            var environment: [String: String] = [:]
            for (key, value) in members { environment[key] = value.string }
            return environment
        }
    }
}
