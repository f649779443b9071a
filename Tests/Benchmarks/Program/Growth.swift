// What a store that has seen a great deal costs, against an empty one.

import BelfryCore
import BelfrySQLite
import GRDB

extension Bench {
    /// Row 9: calls beside 1,000,000 finished and 100,000 pending tasks, against an empty store.
    func growth() async throws {
        let small = Growth(path: try makeDirectory("empty") + "/bench.sqlite")
        try await small.fill(finished: 0, pending: 0)
        let empty = try await small.measure()
        let full = Growth(path: try makeDirectory("full") + "/bench.sqlite")
        try await full.fill(finished: 1_000_000, pending: 100_000)
        let grown = try await full.measure()
        for (before, after) in zip(empty, grown) {
            Self.report(
                "\(after.name), full store",
                after.milliseconds,
                "ms",
                "p50; in an empty store \((before.milliseconds * 1000).rounded() / 1000) ms"
            )
        }
    }
}

private struct Growth {
    struct Figure {
        var name: String
        var milliseconds: Double
    }

    let path: String
    private let ids = IDGenerator()
    private let clock = SystemWallClock()
    private let lane = Lane(group: "default", featureID: "noop")

    func measure() async throws -> [Figure] {
        let start = ContinuousClock.now
        let store = try await SQLiteTaskStore.open(.init(path: path))
        _ = try await store.rescue(
            Rescue(alive: [], bootID: "boot", leaseTime: .zero, isSoleOwner: true),
            at: clock.now
        )
        _ = try await store.pendingWork()
        _ = try await store.status()
        let started = Bench.seconds(ContinuousClock.now - start) * 1000
        let figures = [
            Figure(name: "start", milliseconds: started),
            try await median("add", 300) { _ = try await add(1, to: store) },
            try await median("claim", 300) { _ = try await claim(in: store) },
            try await median("first page", 300) { _ = try await store.tasks(TaskQuery()) },
        ]
        try await store.close()
        return figures
    }

    private func median(_ name: String, _ count: Int, _ call: () async throws -> Void) async throws -> Figure
    {
        for _ in 0..<20 { try await call() }
        var times: [Double] = []
        for _ in 0..<count {
            let start = ContinuousClock.now
            try await call()
            times.append(Bench.seconds(ContinuousClock.now - start) * 1000)
        }
        return Figure(name: name, milliseconds: times.sorted()[count / 2])
    }

    private func add(_ count: Int, to store: SQLiteTaskStore) async throws -> [AddedTask] {
        let now = clock.now
        let tasks = (0..<count).map { _ in
            AcceptedTask(id: ids.taskID(at: now), new: NewTask(featureID: "noop"))
        }
        return try await store.add(tasks, batch: nil, at: now)
    }

    private func claim(in store: SQLiteTaskStore) async throws -> [ClaimedTask] {
        let lease = Lease(bootID: "boot", expiresAt: .seconds(60))
        let request = ClaimRequest(worker: WorkerID("bench"), lease: lease, slots: 1, lanes: [lane: 1])
        return try await store.claim(request, at: clock.now)
    }

    /// Runs one task, leaves one pending, and makes copies of their rows.
    func fill(finished: Int, pending: Int) async throws {
        let store = try await SQLiteTaskStore.open(.init(path: path))
        _ = try await add(2, to: store)
        for task in try await claim(in: store) {
            _ = try await store.settle(
                Settlement(claim: task.claim, outcome: .completed(TaskResult())),
                at: clock.now
            )
        }
        try await store.close()
        guard finished + pending > 0 else { return }
        let queue = try DatabaseQueue(path: path)
        try await queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = OFF")
            try db.inTransaction {
                try Self.copy(task: 1, times: finished, from: 10, in: db)
                try Self.copy(task: 2, times: pending, from: 10 + finished, in: db)
                return .commit
            }
        }
        try queue.close()
    }

    private static func copy(task: Int, times count: Int, from first: Int, in db: Database) throws {
        let rest = try db.columns(in: "tasks").map(\.name).filter { $0 != "number" && $0 != "id" }
            .joined(separator: ", ")
        let numbers = "WITH RECURSIVE n(i) AS (VALUES(\(first)) UNION ALL SELECT i + 1 FROM n LIMIT \(count))"
        let id = "printf('0198c0de-%04x-7000-8000-%012x', i >> 8 & 0xffff, i)"
        try db.execute(
            sql: """
                \(numbers) INSERT INTO tasks (number, id, \(rest))
                    SELECT i, \(id), \(rest) FROM n, (SELECT * FROM tasks WHERE number = \(task));
                \(numbers) INSERT INTO events (position, time, kind, task_id, json)
                    SELECT i, 0, 'task.added', \(id), CAST('{}' AS BLOB) FROM n;
                UPDATE counters SET value = value + \(count)
                    WHERE name = (SELECT status FROM tasks WHERE number = \(task));
                UPDATE counters SET value = \(first + count) WHERE name IN ('number', 'position');
                """
        )
        guard task == 1 else { return }
        try db.execute(
            sql: """
                \(numbers) INSERT INTO attempts
                    SELECT i, 1, 1, 'bench', 0, 0, 'completed', NULL FROM n
                """
        )
    }
}
