// What things cost on a store that has kept all its tasks for years: what is asked often walks over nothing that
// is only there. Counted in steps of SQLite's machine, not in time, so that it holds on every machine.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import GRDB
import GRDBSQLite
import Synchronization
import Testing

@testable import BelfrySQLite

@Suite("The cost of a store's calls", .serialized)
struct PlanTests {
    /// Finished tasks: 1,000,000 by `make torture`.
    static let count =
        ProcessInfo.processInfo.environment["BELFRY_PLAN_TASKS"].flatMap { Int($0) } ?? 100_000

    /// A call by name, so that failures can be read.
    struct Call: Sendable, CustomStringConvertible {
        let description: String
        /// Steps that it may cost; what walks over all finished tasks costs more than one for each.
        var steps = 20_000
        let run: @Sendable (SQLiteTaskStore) async throws -> Void

        init(
            _ description: String,
            steps: Int = 20_000,
            _ run: @escaping @Sendable (SQLiteTaskStore) async throws -> Void
        ) {
            self.description = description
            self.steps = steps
            self.run = run
        }
    }

    private static let now = Timestamp(milliseconds: 1_800_000_000_000)
    private static let ids = IDGenerator()
    private static let paint = Lane(group: "default", featureID: "paint")
    private static let batchID = BatchID(stored: "0198c0de-0000-7000-8000-000000000001")
    /// A finished task's id, as `fill` makes it.
    private static func finished(_ number: Int) -> TaskID { TaskID(stored: "finished-\(number)") }

    private static func new(_ feature: String = "paint", change: (inout NewTask) -> Void = { _ in })
        -> AcceptedTask
    {
        var new = NewTask(featureID: feature)
        change(&new)
        return AcceptedTask(id: ids.taskID(at: now), new: new, flow: "ada")
    }

    @discardableResult
    private static func add(
        _ store: SQLiteTaskStore,
        change: (inout NewTask) -> Void = { _ in }
    ) async throws -> BackgroundTask {
        try await store.add([new(change: change)], batch: nil, at: now)[0].task
    }

    private static func claim(_ store: SQLiteTaskStore) async throws -> ClaimedTask {
        let lease = Lease(bootID: "boot", expiresAt: .seconds(60))
        let request = ClaimRequest(worker: WorkerID("w"), lease: lease, slots: 4, lanes: [paint: 4])
        return try #require(try await store.claim(request, at: now).first)
    }

    private static func page(_ name: String, _ change: @escaping @Sendable (inout TaskQuery) -> Void) -> Call
    {
        Call("a page of \(name)") { store in
            var query = TaskQuery()
            query.limit = 20
            change(&query)
            _ = try await store.tasks(query)
        }
    }

    private static func clear(_ name: String, _ change: @escaping @Sendable (inout ClearFilter) -> Void)
        -> Call
    {
        Call("clearing \(name)", steps: 50_000) { store in
            var filter = ClearFilter()
            filter.limit = 10
            change(&filter)
            _ = try await store.clear(filter, at: now)
        }
    }

    static let changes: [Call] = [
        Call("adding") { store in
            try await add(store) {
                $0.unique = UniqueRule()
                $0.idempotencyKey = UUID().uuidString
                $0.params = ["id": .string(UUID().uuidString)]
                $0.after = [finished(1)]
            }
        },
        Call("adding what is there a million times, finished") { store in
            try await add(store) { new in
                new.uniqueKey = "same"
                var rule = UniqueRule()
                rule.statuses = [.pending, .completed]
                rule.onConflict = .keep
                new.unique = rule
            }
        },
        Call("claiming and settling") { store in
            try await add(store)
            let claimed = try await claim(store)
            _ = try await store.extendLeases([claimed.claim], to: Lease(bootID: "b", expiresAt: .zero))
            let value = ProgressValue(claim: claimed.claim, percent: 1, message: nil)
            _ = try await store.saveProgress([value], at: now)
            try await store.saveCheckpoint(["step": 1], of: claimed.claim)
            _ = try await store.settle(
                Settlement(claim: claimed.claim, outcome: .completed(TaskResult())),
                at: now
            )
        },
        Call("failing what others wait for, and retrying it") { store in
            let first = try await add(store) { $0.priority = 9 }
            try await add(store) { $0.after = [first.id] }
            let claimed = try await claim(store)
            let failure = TaskFailure("code", "It failed.")
            _ = try await store.settle(
                Settlement(claim: claimed.claim, outcome: .failed(failure, retryAfter: .zero)),
                at: now
            )
            _ = try await store.retry(claimed.task.id, attempts: 1, context: nil, at: now)
            _ = try await store.requestCancel(claimed.task.id, at: now)
        },
        Call("waking, expiring and rescuing") { store in
            try await add(store) { ($0.notBefore, $0.deadline) = (now.adding(.seconds(1)), now) }
            _ = try await store.expire(limit: 10, at: now)
            _ = try await store.rescue(
                Rescue(alive: [], bootID: "b", leaseTime: .zero, isSoleOwner: true),
                at: now
            )
        },
        Call("editing, stashing, putting first") { store in
            let task = try await add(store)
            var edit = TaskEdit()
            (edit.isFirst, edit.priority) = (true, 3)
            _ = try await store.edit(task.id, edit, at: now)
            _ = try await store.setStashed(true, task.id, at: now)
            _ = try await store.setStashed(false, task.id, at: now)
        },
    ]

    static let reads: [Call] = [
        Call("the pending work") { _ = try await $0.pendingWork() },
        Call("the status") { _ = try await $0.status() },
        Call("a task, its attempts, its dependencies and its events") { store in
            _ = try await store.task(finished(7))
            _ = try await store.task(number: 7)
            _ = try await store.attempts(of: finished(7))
            _ = try await store.dependencies(of: [finished(7)])
            _ = try await store.events(of: finished(7), limit: 20)
        },
        Call("a page of events") { _ = try await $0.events(after: Int64(count) / 2, limit: 100) },
        Call("a batch, groups, schedules, a cursor") { store in
            _ = try await store.batch(batchID)
            _ = try await store.groups()
            _ = try await store.schedules()
            _ = try await store.cursor(of: "file")
            _ = try await store.parkedEvents(of: "file")
        },
        page("all") { _ in },
        page("all, far down") { $0.beforeNumber = Int64(count) / 2 },
        page("pending ones") { $0.statuses = [.pending] },
        page("running ones") { $0.statuses = [.processing] },
        page("completed ones") { $0.statuses = [.completed] },
        page("failed ones, of which there are few") { $0.statuses = [.failed] },
        page("final ones") { $0.statuses = [.completed, .failed, .cancelled] },
        page("what is active or was lately") { $0.activeSince = now.adding(.seconds(-60)) },
        page("what failed lately") { ($0.activeSince, $0.statuses) = (now.adding(.seconds(-60)), [.failed]) },
        page("a feature") { $0.featureID = "paint" },
        page("a feature with few") { $0.featureID = "rare" },
        page("pending ones of a feature") { ($0.featureID, $0.statuses) = ("paint", [.pending]) },
        page("failed ones of a feature") { ($0.featureID, $0.statuses) = ("paint", [.failed]) },
        page("completed ones of a feature with few") { ($0.featureID, $0.statuses) = ("rare", [.completed]) },
        page("a batch") { $0.batchID = batchID },
        page("completed ones of a batch") { ($0.batchID, $0.statuses) = (batchID, [.completed]) },
        page("a batch of a feature") { ($0.batchID, $0.featureID) = (batchID, "paint") },
    ]

    static let clears: [Call] = [
        clear("completed ones") { _ in },
        clear("old ones, keeping a hundred") { ($0.finishedBefore, $0.keeping) = (now, 100) },
        clear("named ones") { $0.ids = [finished(11), finished(12)] },
        clear("a batch") { $0.batchID = batchID },
        clear("a batch, keeping one, of which nothing is left") {
            ($0.batchID, $0.keeping) = (BatchID(stored: "none"), 1)
        },
        Call("counting what a clear of a batch would remove") { store in
            var filter = ClearFilter()
            filter.batchID = batchID
            _ = try await store.countClearable(filter)
        },
    ]

    @Test("is small, whatever the store has finished")
    func steps() async throws {
        try await withFullStore(Self.count) { store in
            let meter = StepMeter()
            for call in Self.changes + Self.reads + Self.clears {
                try await meter.reset(store)
                try await call.run(store)
                #expect(meter.steps < call.steps, "\(call)")
            }
            // What the count is worth: a walk over everything is seen.
            try await meter.reset(store)
            var query = TaskQuery()
            query.label = "a label that nobody has"
            _ = try await store.tasks(query)
            #expect(meter.steps > Self.count)
            try await meter.remove(from: store)
        }
    }

    @Test("no statement scans the tables of tasks, events and attempts")
    func scans() async throws {
        try await withFullStore(1000) { store in
            let seen = Mutex<Set<String>>([])
            let note: @Sendable (Database) -> Void = { db in
                db.trace { event in
                    if case .statement(let statement) = event {
                        _ = seen.withLock { $0.insert(statement.sql) }
                    }
                }
            }
            try await store.pool.writeWithoutTransaction { note($0) }
            try await store.pool.read { note($0) }
            for call in Self.changes + Self.reads + Self.clears { try await call.run(store) }
            let statements = seen.withLock { $0 }.filter { !$0.hasPrefix("INSERT") && $0.contains(" ") }
            #expect(statements.count >= 60)
            for statement in statements {
                for step in try await Self.plan(statement, store) {
                    let isScan = ["tasks", "events", "attempts", "dependencies"].contains {
                        step.hasPrefix("SCAN \($0)")
                    }
                    let isPartial = step.contains("tasks_processing") || step.contains("tasks_pending")
                    #expect(!isScan || isPartial || Self.isBounded(statement, step), "\(step): \(statement)")
                }
            }
        }
    }

    /// Reading an index in its order, to a limit, is no walk over everything.
    private static func isBounded(_ statement: String, _ step: String) -> Bool {
        step.contains("USING INDEX tasks_by_end") || step.contains("USING COVERING INDEX tasks_by_end")
            ? statement.contains("LIMIT")
            : step.hasPrefix("SCAN events") && statement.contains("MIN(position)")
    }

    private static func plan(_ statement: String, _ store: SQLiteTaskStore) async throws -> [String] {
        guard ["SELECT", "UPDATE", "DELETE", "WITH"].contains(where: statement.hasPrefix) else { return [] }
        return try await store.pool.read { db in
            let explain = try db.makeStatement(sql: "EXPLAIN QUERY PLAN " + statement)
            explain.setUncheckedArguments(StatementArguments())
            return try Row.fetchAll(explain).map { $0["detail"] as String }
        }
    }

    // MARK: The store

    private func withFullStore(_ count: Int, _ body: (SQLiteTaskStore) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let store = try await SQLiteTaskStore.open(.init(path: directory.path + "/store.sqlite"))
        try await store.pool.write { try Self.fill($0, count) }
        try await body(store)
        try await store.close()
    }

    /// Years of finished tasks: one in 1,000 failed, one in 10,000 of a rare feature, a batch of 100 at the start.
    private static func fill(_ db: Database, _ count: Int) throws {
        try db.execute(
            sql: """
                WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                INSERT INTO tasks (number, id, feature, title, params, user_id, notify, labels, priority, task_group,
                    lane, hold_count, ready, status, progress, attempt, max_attempts, fence, revision,
                    cancel_requested, on_interrupt, batch_id, unique_key, created_at, updated_at, started_at,
                    finished_at)
                SELECT i, 'finished-' || i, iif(i % 10000 = 1, 'rare', 'paint'), 'a title', '{}', '', 'full', '[]', 0,
                    'default', 'default/paint', 0, 1, iif(i % 1000 = 2, 'failed', 'completed'), 100, 1, 1, 2, 3, 0,
                    'rerun', iif(i <= 100, ?, NULL), 'same', i, i, i, i
                FROM n
                """,
            arguments: [count, batchID.rawValue]
        )
        try db.execute(
            sql: """
                INSERT INTO attempts SELECT number, 1, 1, 'w', 0, 1, 'completed', NULL FROM tasks;
                INSERT INTO events SELECT number, 0, 'task.added', id, CAST('{}' AS BLOB) FROM tasks;
                UPDATE counters SET value = (SELECT COUNT(*) FROM tasks) WHERE name IN ('number', 'position');
                UPDATE counters SET value = (SELECT COUNT(*) FROM tasks WHERE status = counters.name)
                    WHERE name IN ('completed', 'failed');
                """
        )
        try db.execute(
            sql: "INSERT INTO batches VALUES (?, '', 100, 99, 1, 0, 0)",
            arguments: [batchID.rawValue]
        )
    }
}

/// Counts what SQLite's machine does on all connections of a store, in steps, by tens.
private final class StepMeter: Sendable {
    private let count = Atomic<Int>(0)

    var steps: Int { count.load(ordering: .relaxed) * 10 }

    func reset(_ store: SQLiteTaskStore) async throws {
        let context = UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque())
        try await each(store) { db in
            sqlite3_progress_handler(
                db.sqliteConnection,
                10,
                { context in
                    guard let context else { return 0 }
                    Unmanaged<StepMeter>.fromOpaque(context).takeUnretainedValue().count.add(
                        1,
                        ordering: .relaxed
                    )
                    return 0
                },
                UnsafeMutableRawPointer(bitPattern: context)
            )
        }
        count.store(0, ordering: .relaxed)
    }

    func remove(from store: SQLiteTaskStore) async throws {
        try await each(store) { sqlite3_progress_handler($0.sqliteConnection, 0, nil, nil) }
    }

    /// The writer, and the reader that calls one after the other use.
    private func each(_ store: SQLiteTaskStore, _ work: @escaping @Sendable (Database) -> Void) async throws {
        try await store.pool.writeWithoutTransaction { work($0) }
        try await store.pool.read { work($0) }
    }
}
