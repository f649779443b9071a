// The reads of the store. They run on connections of their own and never wait for the writer's sync.

public import BelfryCore
import GRDB
import Synchronization

extension SQLiteTaskStore {
    private func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws
        -> Value
    {
        guard !isClosed.withLock({ $0 }) else { throw StoreErrors.closed }
        do { return try await pool.read(body) } catch let error as DatabaseError {
            throw StoreErrors.translated(error)
        }
    }

    public func status() async throws -> StoreStatus {
        let epoch = epoch
        let wasUnclean = wasUnclean
        return try await read { db in
            var counts: [TaskStatus: Int] = [:]
            for status in TaskStatus.allCases { counts[status] = try Self.counter(status.rawValue, db) }
            let newest = Int64(try Self.counter("position", db))
            return StoreStatus(
                epoch: epoch,
                oldest: try Self.oldest(db) ?? newest + 1,
                newest: newest,
                counts: counts,
                engine: "sqlite \(try String.fetchOne(db, sql: "SELECT sqlite_version()") ?? "")",
                wasUnclean: wasUnclean
            )
        }
    }

    private static func counter(_ name: String, _ db: Database) throws -> Int {
        try Int.fetchOne(
            db.cachedStatement(sql: "SELECT value FROM counters WHERE name = ?"),
            arguments: [name]
        ) ?? 0
    }

    private static func oldest(_ db: Database) throws -> Int64? {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT MIN(position) FROM events"))
    }

    public func task(_ id: TaskID) async throws -> BackgroundTask? {
        try await read { try TaskRow.fetch($0, where: "id = ?", [id.rawValue]) }
    }

    public func task(number: Int64) async throws -> BackgroundTask? {
        try await read { try TaskRow.fetch($0, where: "number = ?", [number]) }
    }

    public func batch(_ id: BatchID) async throws -> TaskBatch? {
        try await read { try BatchRow.fetch($0, id) }
    }

    public func tasks(_ query: TaskQuery) async throws -> TaskPage {
        let epoch = epoch
        return try await read { db in
            let limit = max(1, min(query.limit, 1000))
            var found: [BackgroundTask] = []
            for choice in TaskChoice.all(query) {
                let (condition, arguments) = choice.condition(query)
                found += try TaskRow.fetchAll(
                    db,
                    "\(choice.index(query)) WHERE \(condition) ORDER BY number DESC LIMIT \(limit + 1)",
                    arguments
                )
            }
            found.sort { $0.number > $1.number }
            let page = Array(found.prefix(limit))
            return TaskPage(
                tasks: page,
                nextBefore: found.count > limit ? page.last?.number : nil,
                asOf: EventCursor(epoch: epoch, position: Int64(try Self.counter("position", db)))
            )
        }
    }

    public func dependencies(of ids: [TaskID]) async throws -> [TaskID: [TaskDependency]] {
        try await read { db in
            var found: [TaskID: [TaskDependency]] = [:]
            for id in ids {
                let dependencies = try DependencyRow.fetchAll(db, of: id)
                if !dependencies.isEmpty { found[id] = dependencies }
            }
            return found
        }
    }

    public func countClearable(_ filter: ClearFilter) async throws -> Int {
        try await read { db in
            if let ids = filter.ids { return try Self.clearable(filter, among: ids, in: db).count }
            guard let (condition, arguments) = try ClearCondition.make(filter, in: db) else { return 0 }
            let statement = try db.cachedStatement(
                sql:
                    "SELECT COUNT(*) FROM tasks INDEXED BY \(ClearCondition.index(filter)) WHERE \(condition)"
            )
            return try Int.fetchOne(statement, arguments: arguments) ?? 0
        }
    }

    public func groups() async throws -> [TaskGroup] { try await read(GroupRow.fetchAll) }

    public func schedules() async throws -> [Schedule] { try await read(ScheduleRow.fetchAll) }

    public func attempts(of id: TaskID) async throws -> [Attempt] {
        try await read { db in
            guard let task = try TaskRow.fetch(db, where: "id = ?", [id.rawValue]) else { return [] }
            let statement = try db.cachedStatement(
                sql: """
                    SELECT number, fence, owner, started_at, finished_at, outcome, error FROM attempts
                    WHERE task_number = ? AND finished_at IS NOT NULL ORDER BY number
                    """
            )
            let ended = try Row.fetchAll(statement, arguments: [task.number]).map { row in
                Attempt(
                    taskID: id,
                    number: row[0],
                    fence: row[1],
                    owner: WorkerID(row[2]),
                    startedAt: Timestamp(milliseconds: row[3]),
                    finishedAt: TaskRow.time(row[4]),
                    outcome: (row[5] as String?).flatMap(Attempt.Outcome.init),
                    error: try TaskRow.json(row[6]).map(TaskFailure.init(json:))
                )
            }
            return ended + (Attempt(running: task).map { [$0] } ?? [])
        }
    }

    public func pendingWork() async throws -> PendingWork {
        try await read { db in
            let ready = try Self.lanes(db, index: "tasks_claimable", where: "ready = 1")
            let waiting = try Self.lanes(db, index: "tasks_waiting_lanes", where: "ready = 0")
            let next = try db.cachedStatement(
                sql: """
                    SELECT MIN(not_before) FROM tasks INDEXED BY tasks_waiting
                    WHERE status = 'pending' AND ready = 0 AND hold_count = 0
                    """
            )
            let deadline = try db.cachedStatement(
                sql: """
                    SELECT MIN(deadline) FROM tasks INDEXED BY tasks_by_deadline
                    WHERE status = 'pending' AND deadline IS NOT NULL
                    """
            )
            return PendingWork(
                lanes: ready.union(waiting),
                nextDue: TaskRow.time(try Int64.fetchOne(next)),
                nextDeadline: TaskRow.time(try Int64.fetchOne(deadline))
            )
        }
    }

    /// Steps from lane to lane through an index: as many steps as lanes, whatever waits in them.
    private static func lanes(_ db: Database, index: String, where condition: String) throws -> Set<Lane> {
        let statement = try db.cachedStatement(
            sql: """
                WITH RECURSIVE lanes(lane) AS (
                    VALUES ('')
                    UNION ALL
                    SELECT (SELECT lane FROM tasks INDEXED BY \(index)
                        WHERE status = 'pending' AND \(condition) AND lane > lanes.lane ORDER BY lane LIMIT 1)
                    FROM lanes WHERE lanes.lane IS NOT NULL)
                SELECT lane FROM lanes WHERE lane > ''
                """
        )
        return Set(try String.fetchAll(statement).compactMap(Lane.init(stored:)))
    }

    public func oldestDue(at now: Timestamp) async throws -> Timestamp? {
        try await read { db in
            guard try Self.isAnyDue(db, at: now) else { return nil }
            // As a rule the first step along the index: what is held or waits for a time seldom comes before.
            return try TaskRow.fetchAll(
                db,
                """
                INDEXED BY tasks_pending
                WHERE status = 'pending' AND hold_count = 0 AND (not_before IS NULL OR not_before <= ?)
                ORDER BY number LIMIT 1
                """,
                [now.milliseconds]
            ).first?.dueSince
        }
    }

    /// One step into each index, so that a queue of held tasks is not walked in vain.
    private static func isAnyDue(_ db: Database, at now: Timestamp) throws -> Bool {
        let statement = try db.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_claimable
                        WHERE status = 'pending' AND ready = 1)
                    OR EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_waiting
                        WHERE status = 'pending' AND ready = 0 AND hold_count = 0 AND not_before <= ?)
                """
        )
        return try Bool.fetchOne(statement, arguments: [now.milliseconds]) ?? false
    }

    public func events(after position: Int64, limit: Int) async throws -> EventPage {
        let epoch = epoch
        return try await read { db in
            let statement = try HotStatement(
                db,
                "SELECT position, kind, task_id, json FROM events WHERE position > ? ORDER BY position LIMIT ?"
            )
            let events = try statement.all(
                { row in
                    row.add(position)
                    row.add(limit)
                },
                { Self.record($0, epoch) }
            )
            let newest = Int64(try Self.counter("position", db))
            return EventPage(
                epoch: epoch,
                events: events,
                oldest: try Self.oldest(db) ?? newest + 1,
                newest: newest
            )
        }
    }

    public func events(of id: TaskID, limit: Int) async throws -> [EventRecord] {
        let epoch = epoch
        return try await read { db in
            let statement = try HotStatement(
                db,
                "SELECT position, kind, task_id, json FROM events WHERE task_id = ? ORDER BY position DESC LIMIT ?"
            )
            return try statement.all(
                { row in
                    row.add(id.rawValue)
                    row.add(limit)
                },
                { Self.record($0, epoch) }
            ).reversed()
        }
    }

    private static func record(_ row: Columns, _ epoch: String) -> EventRecord {
        EventRecord(
            cursor: EventCursor(epoch: epoch, position: row.int(0)),
            kind: TaskEvent.Kind(rawValue: row.text(1)) ?? .added,
            taskID: row.optionalText(2).map(TaskID.init(stored:)),
            json: Array(row.bytes(3))
        )
    }

    public func cursor(of sink: String) async throws -> EventCursor? {
        try await read { db in
            let statement = try db.cachedStatement(sql: "SELECT epoch, position FROM cursors WHERE sink = ?")
            return try Row.fetchOne(statement, arguments: [sink]).map {
                EventCursor(epoch: $0[0], position: $0[1])
            }
        }
    }

    public func parkedEvents(of sink: String) async throws -> [ParkedEvent] {
        try await read { db in
            let statement = try db.cachedStatement(
                sql: "SELECT position, reason, time FROM parked WHERE sink = ? ORDER BY position"
            )
            return try Row.fetchAll(statement, arguments: [sink]).map { row in
                ParkedEvent(
                    sink: sink,
                    position: row[0],
                    reason: row[1],
                    time: Timestamp(milliseconds: row[2])
                )
            }
        }
    }
}

/// One of the sets that a query is the union of: each has an index that gives it newest first, so that a page
/// costs the same whatever else the store holds.
enum TaskChoice {
    case all
    case pending, processing
    case final(TaskStatus)
    /// Final, and ended at or after the query's `activeSince`.
    case recent(Set<TaskStatus>)

    static func all(_ query: TaskQuery) -> [TaskChoice] {
        let isAny = query.statuses.isEmpty
        if isAny, query.activeSince == nil, query.featureID == nil || query.batchID != nil { return [.all] }
        var choices: [TaskChoice] = []
        if isAny || query.statuses.contains(.pending) { choices.append(.pending) }
        if isAny || query.statuses.contains(.processing) { choices.append(.processing) }
        let final = isAny ? Set(TaskStatus.allCases.filter(\.isFinal)) : query.statuses.filter(\.isFinal)
        if query.activeSince != nil {
            return final.isEmpty ? choices : choices + [.recent(final)]
        }
        return choices + final.map(TaskChoice.final)
    }

    /// Named, because SQLite has no statistics and would walk over finished tasks by another. A batch's tasks are
    /// few.
    func index(_ query: TaskQuery) -> String {
        if case .recent = self { return "" }
        if query.batchID != nil { return "INDEXED BY tasks_by_batch" }
        return switch self {
        case .all, .recent: ""
        case .pending: "INDEXED BY tasks_pending"
        case .processing: "INDEXED BY tasks_processing"
        case .final: "INDEXED BY \(query.featureID == nil ? "tasks_final" : "tasks_by_feature")"
        }
    }

    func condition(_ query: TaskQuery) -> (String, StatementArguments) {
        var parts = ["number < ?"]
        var arguments: StatementArguments = [query.beforeNumber ?? .max]
        func add(_ part: String, _ values: StatementArguments = []) {
            parts.append(part)
            arguments += values
        }
        switch self {
        case .all: break
        case .pending: add("status = 'pending'")
        case .processing: add("status = 'processing'")
        case .final(let status): add("status = ? AND finished_at IS NOT NULL", [status.rawValue])
        case .recent(let statuses):
            let marks = statuses.map { _ in "?" }.joined(separator: ", ")
            add("status IN (\(marks))", StatementArguments(statuses.map(\.rawValue)))
            add(
                """
                number IN (SELECT number FROM tasks INDEXED BY tasks_by_end
                    WHERE finished_at IS NOT NULL AND finished_at >= ? ORDER BY number DESC)
                """,
                [query.activeSince?.milliseconds]
            )
        }
        if let feature = query.featureID { add("feature = ?", [feature]) }
        if let batch = query.batchID { add("batch_id = ?", [batch.rawValue]) }
        if let label = query.label {
            add("EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.value = ?)", [label])
        }
        return (parts.joined(separator: " AND "), arguments)
    }
}
