// A store that an older version wrote opens and goes on: nothing of it is lost.

import BelfryCore
import BelfryTesting
import GRDB
import Testing

@testable import BelfrySQLite

@Suite("A store of schema 1")
struct UpgradeTests {
    private static let now = Timestamp(milliseconds: 1_767_225_600_000)
    private static let batchID = "0198c0de-0000-7000-8000-000000000001"
    private static let paint = Lane(group: "default", featureID: "paint")

    private static func id(_ number: Int) -> TaskID {
        TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-00000000000\(number)")
    }

    /// The columns of a task as version 1 wrote them, those that are the same in all left out.
    private struct Old {
        var status = "pending"
        var progress = 0.0
        var holdCount = 0
        var notBefore: Int64?
        var isReady = true
        var result: String?
        var error: String?
        var attempt = 0
        var fence = 0
        var revision = 1
        var owner: String?
        var finishedAt: Int64?
        var startedAt: Int64?
        var key: String?
    }

    private static let tasks: [Old] = [
        Old(
            status: "completed",
            progress: 100,
            result: #"{"value":{"seed":7}}"#,
            attempt: 1,
            fence: 2,
            revision: 3,
            finishedAt: now.milliseconds + 900,
            startedAt: now.milliseconds + 100,
            key: "order-7"
        ),
        Old(
            status: "failed",
            error: #"{"code":"exit_status","message":"The program ended with 1.","retryable":false}"#,
            attempt: 1,
            fence: 2,
            revision: 3,
            finishedAt: now.milliseconds + 901,
            startedAt: now.milliseconds + 101
        ),
        Old(status: "cancelled", revision: 2, finishedAt: now.milliseconds + 902),
        Old(
            status: "processing",
            progress: 40,
            attempt: 2,
            fence: 3,
            revision: 4,
            owner: "old-worker",
            startedAt: now.milliseconds + 500
        ),
        Old(),
        Old(notBefore: now.milliseconds + 60_000, isReady: false),
    ]

    private func makeOldStore(_ path: String) throws -> [[UInt8]] {
        let queue = try DatabaseQueue(path: path)
        try Schema.migrator.migrate(queue, upTo: "1")
        let lines = try queue.write { db in
            #expect(try Int.fetchOne(db, sql: "PRAGMA user_version") == 1)
            for (index, task) in Self.tasks.enumerated() { try insert(task, number: index + 1, db) }
            try insertAttempts(db)
            try db.execute(
                sql: "INSERT INTO batches VALUES (?, 'two', 2, 1, 1, 0, ?)",
                arguments: [Self.batchID, Self.now.milliseconds]
            )
            try db.execute(sql: "INSERT INTO facts VALUES ('epoch', 'old00001'), ('state', 'closed')")
            try db.execute(sql: "INSERT INTO cursors VALUES ('file', 'old00001', 3)")
            try db.execute(sql: "INSERT INTO parked VALUES ('file', 2, 'odd', 5)")
            try db.execute(
                sql: """
                    INSERT INTO counters VALUES ('position', 6), ('number', 6), ('pending', 2), ('processing', 1),
                        ('completed', 1), ('failed', 1), ('cancelled', 1)
                    """
            )
            return try insertEvents(db)
        }
        try queue.close()
        return lines
    }

    private func insert(_ task: Old, number: Int, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO tasks (number, id, feature, title, params, user_id, notify, labels, priority, task_group,
                    lane, hold_count, not_before, ready, status, progress, result, error, attempt, max_attempts, fence,
                    revision, owner, lease_boot, lease_expires, cancel_requested, on_interrupt, batch_id,
                    idempotency_key, created_at, updated_at, started_at, finished_at)
                VALUES (?, ?, 'paint', 'a title', '{"prompt":"a lighthouse"}', 'ada', 'full', '["a"]', 0, 'default',
                    'default/paint', ?, ?, ?, ?, ?, ?, ?, ?, 3, ?, ?, ?, ?, ?, 0, 'rerun', ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                number, Self.id(number).rawValue, task.holdCount, task.notBefore, task.isReady, task.status,
                task.progress, task.result, task.error, task.attempt, task.fence, task.revision, task.owner,
                task.owner.map { _ in "boot-0" }, task.owner.map { _ in 60_000 },
                number < 3 ? Self.batchID : nil,
                task.key, Self.now.milliseconds, task.finishedAt ?? Self.now.milliseconds, task.startedAt,
                task.finishedAt,
            ]
        )
    }

    /// Version 1 had a row for the attempt that runs, too.
    private func insertAttempts(_ db: Database) throws {
        let start = Self.now.milliseconds
        let rows: [(Int, Int, Int, Int64, Int64?, String?)] = [
            (1, 1, 1, start + 100, start + 900, "completed"), (2, 1, 1, start + 101, start + 901, "failed"),
            (4, 1, 1, start + 200, start + 300, "interrupted"), (4, 2, 3, start + 500, nil, nil),
        ]
        for (task, number, fence, from, to, outcome) in rows {
            try db.execute(
                sql: "INSERT INTO attempts VALUES (?, ?, ?, 'old-worker', ?, ?, ?, NULL)",
                arguments: [task, number, fence, from, to, outcome]
            )
        }
    }

    private func insertEvents(_ db: Database) throws -> [[UInt8]] {
        try (1...6).map { number in
            let task = BackgroundTask(
                NewTask(featureID: "paint"),
                id: Self.id(number),
                number: Int64(number),
                at: Self.now
            )
            let cursor = EventCursor(epoch: "old00001", position: Int64(number))
            let draft = TaskEvent.Draft(.added, task: TaskSummary(task))
            let line = EventRecord(TaskEvent(cursor: cursor, time: Self.now, draft: draft)).json
            try db.execute(
                sql: "INSERT INTO events VALUES (?, ?, 'task.added', ?, CAST(? AS BLOB))",
                arguments: [
                    number, Self.now.milliseconds, Self.id(number).rawValue,
                    String(decoding: line, as: UTF8.self),
                ]
            )
            return line
        }
    }

    private func withUpgraded(_ body: (SQLiteTaskStore, [[UInt8]]) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/store.sqlite"
        let lines = try makeOldStore(path)
        let store = try await SQLiteTaskStore.open(.init(path: path))
        try await body(store, lines)
        try await store.close()
        // And once more, as version 2.
        try await SQLiteTaskStore.open(.init(path: path)).close()
    }

    @Test("is there with all its tasks, and they are what they were")
    func tasks() async throws {
        try await withUpgraded { store, _ in
            let tasks = try await store.tasks(TaskQuery()).tasks.reversed() as [BackgroundTask]
            #expect(tasks.map(\.number) == [1, 2, 3, 4, 5, 6])
            #expect(tasks.map(\.id) == (1...6).map(Self.id))
            #expect(
                tasks.map(\.status) == [.completed, .failed, .cancelled, .processing, .pending, .pending]
            )
            #expect(tasks.map(\.attempt) == [1, 1, 0, 2, 0, 0])
            #expect(tasks[0].result == TaskResult(value: ["seed": 7]))
            #expect(tasks[1].error?.code == "exit_status")
            #expect(tasks[2].finishedAt == Self.now.adding(.milliseconds(902)))
            #expect(tasks[3].owner == WorkerID("old-worker"))
            #expect(tasks[3].lease == Lease(bootID: "boot-0", expiresAt: .seconds(60)))
            #expect(tasks[5].notBefore == Self.now.adding(.seconds(60)))
            for task in tasks {
                #expect((task.title, task.userID, task.labels) == ("a title", "ada", ["a"]))
                #expect(task.params.text == #"{"prompt":"a lighthouse"}"#)
                #expect((task.needs, task.options) == (TaskNeeds(), TaskOptions()))
                #expect((task.turn, task.flow, task.isStashed, task.deadline) == (0, nil, false, nil))
            }
            let counts = try await store.status().counts
            #expect(counts == [.pending: 2, .processing: 1, .completed: 1, .failed: 1, .cancelled: 1])
            #expect(try await store.batch(BatchID(stored: Self.batchID))?.finished == 2)
        }
    }

    @Test("is there with its log, its epoch, its cursors, and goes on behind them")
    func events() async throws {
        try await withUpgraded { store, lines in
            let page = try await store.events(after: 0, limit: 99)
            #expect(page.events.map(\.json) == lines)
            #expect(page.epoch == "old00001")
            #expect(try await store.cursor(of: "file") == EventCursor(epoch: "old00001", position: 3))
            #expect(try await store.parkedEvents(of: "file").map(\.position) == [2])
            let new = AcceptedTask(id: IDGenerator().taskID(at: Self.now), new: NewTask(featureID: "paint"))
            #expect(try await store.add([new], batch: nil, at: Self.now).map(\.task.number) == [7])
            #expect(try await store.status().newest == 7)
        }
    }

    @Test("has its attempts, the one that ran when it stopped included, which is rescued")
    func attempts() async throws {
        try await withUpgraded { store, _ in
            let before = try await store.attempts(of: Self.id(4))
            #expect(before.map(\.outcome) == [.interrupted, nil])
            #expect(before.map(\.number) == [1, 2])
            #expect(try await store.attempts(of: Self.id(1)).map(\.outcome) == [.completed])
            let rescue = Rescue(alive: [], bootID: "boot-1", leaseTime: .zero, isSoleOwner: true)
            let rescued = try await store.rescue(rescue, at: Self.now.adding(.seconds(1)))
            #expect(rescued.map(\.number) == [4])
            let after = try await store.attempts(of: Self.id(4))
            #expect(after.map(\.outcome) == [.interrupted, .interrupted])
            #expect(after.map(\.fence) == [1, 3])
        }
    }

    @Test("has its queue in order, its waiting task in time, its keys and what may be cleared")
    func work() async throws {
        try await withUpgraded { store, _ in
            let work = try await store.pendingWork()
            #expect(work == PendingWork(lanes: [Self.paint], nextDue: Self.now.adding(.seconds(60))))
            func claim(at time: Timestamp) async throws -> [Int64] {
                let lease = Lease(bootID: "boot-1", expiresAt: .seconds(60))
                let request = ClaimRequest(
                    worker: WorkerID("w"),
                    lease: lease,
                    slots: 9,
                    lanes: [Self.paint: 9]
                )
                return try await store.claim(request, at: time).map(\.task.number)
            }
            #expect(try await claim(at: Self.now) == [5])
            #expect(try await claim(at: Self.now.adding(.seconds(60))) == [6])
            var new = NewTask(featureID: "paint", params: ["prompt": "a lighthouse"])
            (new.userID, new.idempotencyKey) = ("ada", "order-7")
            let again = AcceptedTask(id: IDGenerator().taskID(at: Self.now), new: new)
            #expect(try await store.add([again], batch: nil, at: Self.now).map(\.task.number) == [1])
            #expect(try await store.retry(Self.id(2), attempts: 1, context: nil, at: Self.now).number == 2)
            var filter = ClearFilter()
            filter.statuses = [.completed, .cancelled]
            #expect(try await store.clear(filter, at: Self.now).map(\.number) == [1, 3])
        }
    }
}
