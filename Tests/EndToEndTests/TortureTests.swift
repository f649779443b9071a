// kill -9 of the hub at random moments while tasks pour in: nothing that was accepted is lost,
// nothing ends twice, and the event file has every event once and in order.

import BelfryAPI
import BelfryCore
import BelfryTesting
import Dispatch
import FoundationEssentials
import GRDB
import Glibc
import Synchronization
import Testing

@Suite("Torture")
struct TortureTests {
    /// 60 by `make torture`; a few in every test run.
    static let rounds = ProcessInfo.processInfo.environment["BELFRY_TORTURE_ROUNDS"].flatMap { Int($0) } ?? 6
    static let seed =
        ProcessInfo.processInfo.environment["BELFRY_TORTURE_SEED"].flatMap { UInt64($0) }
        ?? UInt64.random(in: 0..<1 << 32)

    @Test("kill -9 of the hub at random moments loses nothing and repeats nothing")
    func killStorm() async throws {
        let sandbox = try Sandbox()
        var random = SeededRandom(seed: Self.seed)
        print("torture: \(Self.rounds) rounds, seed \(Self.seed)")
        let accepted = Accepted()
        for round in 1...Self.rounds {
            try sandbox.startHub()
            let pid = try #require(sandbox.hubProcess)
            let limit = 1 + Int(random.next() % 120)
            accepted.atNext(limit) { kill(pid, SIGKILL) }
            DispatchQueue.concurrentPerform(iterations: 3) { client in
                Self.submit(round: round, client: client, to: sandbox, into: accepted)
            }
        }
        try sandbox.startHub()
        let waited = try await sandbox.belfry("wait")
        #expect(waited.status == 0, "\(waited.errors)")
        let newest = try #require(try await sandbox.belfry("status", "--json").json["store"]?["newest"]?.int)
        try await sandbox.belfry("stop")
        try check(sandbox, accepted: accepted.ids, newest: newest)
    }

    /// Submits until the hub is gone. What was answered with success counts as accepted.
    private static func submit(
        round: Int,
        client: Int,
        to sandbox: Sandbox,
        into accepted: Accepted
    ) {
        let hub = HubClient(socketPath: sandbox.places.socket)
        let ids = IDGenerator()
        for count in 0..<100_000 {
            let id = ids.taskID(at: SystemWallClock().now)
            let body: JSONValue = [
                "id": .string(id.rawValue), "featureId": "shell", "onInterrupt": "rerun",
                "params": ["command": ["/bin/true", .string("\(round).\(client).\(count)")]],
                "context": ["workingDirectory": "/", "environment": ["PATH": "/usr/bin:/bin"]],
            ]
            guard (try? hub.send("POST", "/v1/tasks", body: body)) != nil else { return }
            accepted.insert(id)
        }
    }

    private func check(_ sandbox: Sandbox, accepted: Set<TaskID>, newest: Int64) throws {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        let database = try DatabaseQueue(path: sandbox.places.store, configuration: configuration)
        let verdict = try database.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        #expect(verdict == ["ok"])
        let rows = try database.read { try Row.fetchAll($0, sql: "SELECT id, status FROM tasks") }
        var statuses: [String: String] = [:]
        for row in rows { statuses[row["id"]] = row["status"] }
        let lost = accepted.filter { statuses[$0.rawValue] == nil }
        #expect(lost.isEmpty, "\(lost.count) accepted tasks are not in the store")

        let events = try sandbox.eventLog()
        #expect(events.compactMap { $0["position"]?.int } == Array(1...newest))
        var ends: [String: Int] = [:]
        for event in events
        where ["task.completed", "task.failed", "task.cancelled"].contains(event["type"]?.string) {
            ends[event["task"]?["id"]?.string ?? "", default: 0] += 1
        }
        #expect(ends.values.allSatisfy { $0 == 1 })
        #expect(ends.count == statuses.count)
        let interrupted = events.filter { $0["type"]?.string == "task.interrupted" }.count
        print(
            "torture: \(accepted.count) accepted, \(statuses.count) in the store, \(interrupted) interrupted, \(newest) events"
        )
    }
}

/// The tasks that the hub has said it accepted.
private final class Accepted: Sendable {
    private struct State {
        var ids: Set<TaskID> = []
        var moment = Int.max
        var action: @Sendable () -> Void = {}
    }

    private let state = Mutex(State())

    var ids: Set<TaskID> { state.withLock { $0.ids } }

    /// Acts when so many more tasks are accepted: a moment that means the same on any machine.
    func atNext(_ count: Int, _ action: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.moment = state.ids.count + count
            state.action = action
        }
    }

    func insert(_ id: TaskID) {
        state.withLock { state in
            state.ids.insert(id)
            if state.ids.count == state.moment { state.action() }
        }
    }
}
