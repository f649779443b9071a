// The rows beside tasks: batches, dependencies, groups, schedules.

import BelfryCore
import GRDB

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

enum DependencyRow {
    static func fetchAll(_ db: Database, of id: TaskID) throws -> [TaskDependency] {
        let statement = try db.cachedStatement(
            sql: """
                SELECT COALESCE(earlier.id, edge.removed_id), edge.depends_on,
                    COALESCE(earlier.status, edge.removed_status), edge.satisfied, earlier.id IS NULL
                FROM tasks AS task JOIN dependencies AS edge ON edge.task_number = task.number
                    LEFT JOIN tasks AS earlier ON earlier.number = edge.depends_on
                WHERE task.id = ? AND (earlier.id IS NOT NULL OR edge.removed_id IS NOT NULL)
                ORDER BY edge.place, edge.depends_on
                """
        )
        return try Row.fetchAll(statement, arguments: [id.rawValue]).map { row in
            var dependency = TaskDependency(
                id: TaskID(stored: row[0]),
                number: row[1],
                status: TaskStatus(rawValue: row[2]) ?? .failed,
                isSatisfied: row[3]
            )
            dependency.isRemoved = row[4]
            return dependency
        }
    }
}

enum GroupRow {
    static func fetchAll(_ db: Database) throws -> [TaskGroup] {
        let statement = try db.cachedStatement(sql: "SELECT name, slots, state FROM groups ORDER BY name")
        return try Row.fetchAll(statement).map { row in
            var group = TaskGroup(name: row[0])
            group.slots = row[1]
            group.state = TaskGroup.State(rawValue: row[2]) ?? .open
            return group
        }
    }

    static func save(_ group: TaskGroup, in db: Database) throws {
        guard !group.isDefault else {
            return try db.cachedStatement(sql: "DELETE FROM groups WHERE name = ?").execute(arguments: [
                group.name
            ])
        }
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO groups (name, slots, state) VALUES (?, ?, ?)")
            .execute(arguments: [group.name, group.slots, group.state.rawValue])
    }
}

enum ScheduleRow {
    private static let columns = """
        name, rule, zone, catch_up, paused, task, next_at, last_tick, last_task, made, missed, revision, created_at,
        updated_at
        """

    static func fetch(_ db: Database, _ name: String) throws -> Schedule? {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM schedules WHERE name = ?")
        return try Row.fetchOne(statement, arguments: [name]).map(schedule)
    }

    static func fetchAll(_ db: Database) throws -> [Schedule] {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM schedules ORDER BY name")
        return try Row.fetchAll(statement).map(schedule)
    }

    private static func schedule(_ row: Row) throws -> Schedule {
        let json = try JSONValue(parsing: row[5] as String, limits: TaskRow.stored)
        var task = try NewTask(json: json)
        task.context = json["context"].flatMap(SubmissionContext.init(stored:))
        var schedule = Schedule(
            name: row[0],
            rule: row[1],
            zone: row[2],
            catchUp: CatchUp(rawValue: row[3]) ?? .once,
            task: task,
            nextAt: TaskRow.time(row[6]),
            at: Timestamp(milliseconds: row[12])
        )
        schedule.isPaused = row[4]
        schedule.lastTick = TaskRow.time(row[7])
        schedule.lastTask = (row[8] as String?).map(TaskID.init(stored:))
        schedule.made = row[9]
        schedule.missed = row[10]
        schedule.revision = row[11]
        schedule.updatedAt = Timestamp(milliseconds: row[13])
        return schedule
    }

    static func save(_ schedule: Schedule, in db: Database) throws {
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO schedules (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        ).execute(arguments: [
            schedule.name, schedule.rule, schedule.zone, schedule.catchUp.rawValue, schedule.isPaused,
            schedule.task.json.text, schedule.nextAt?.milliseconds, schedule.lastTick?.milliseconds,
            schedule.lastTask?.rawValue, schedule.made, schedule.missed, schedule.revision,
            schedule.createdAt.milliseconds, schedule.updatedAt.milliseconds,
        ])
    }

    static func remove(_ name: String, in db: Database) throws -> Bool {
        try db.cachedStatement(sql: "DELETE FROM schedules WHERE name = ?").execute(arguments: [name])
        return db.changesCount > 0
    }
}
