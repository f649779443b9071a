// Every write and every sync of the hub is, in turn, the one at which it is killed, or the one that fails.
// What a client was told is accepted is there afterwards, whatever the moment.

import BelfryAPI
import BelfryCore
import BelfryTesting
import Dispatch
import FoundationEssentials
import GRDB
import Glibc
import Synchronization
import Testing

@Suite(
    "Torture by faults",
    .enabled(if: StracedHub.isThere, "strace is not installed"),
    .serialized,
    .timeLimit(.minutes(30))
)
struct TortureFaultTests {
    /// Every N up to this by `make torture`; a few in every test run.
    static let sweep = ProcessInfo.processInfo.environment["BELFRY_TORTURE_FAULTS"].flatMap { Int($0) }

    /// A system call and what becomes of it.
    struct Fault: Sendable, CustomStringConvertible {
        var call: String
        var effect: String

        var isDeath: Bool { effect.hasPrefix("signal") }
        var description: String { "\(call):\(effect)" }
    }

    static let faults = [
        Fault(call: "pwrite64", effect: "signal=SIGKILL"), Fault(call: "fdatasync", effect: "signal=SIGKILL"),
        Fault(call: "pwrite64", effect: "error=ENOSPC"), Fault(call: "pwrite64", effect: "error=EIO"),
        Fault(call: "fdatasync", effect: "error=ENOSPC"), Fault(call: "fdatasync", effect: "error=EIO"),
    ]

    /// The Ns at which a hub that makes its store fails, and those at which one that has it does.
    private func moments(_ fault: Fault) -> (new: [Int], old: [Int]) {
        if let last = Self.sweep { return (Array(1...max(1, last)), Array(1...max(1, last))) }
        // A generator of its own for each fault, so that one of them can be run again alone.
        let salt = fault.description.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) }
        var random = SeededRandom(seed: TortureTests.seed &+ salt)
        func pick(_ last: UInt64) -> Int { Int(random.next() % last) + 1 }
        // Each thread counts for itself, and syncs are few.
        let last: UInt64 = fault.call == "fdatasync" ? 12 : 60
        return ([pick(last)], [pick(last / 4), pick(last)])
    }

    @Test(
        "the Nth write or sync kills the hub or fails: what was accepted is there, and the store is sound",
        arguments: faults
    )
    func sweep(_ fault: Fault) async throws {
        let moments = moments(fault)
        try await sweep(fault, at: moments.new, of: "a new store", in: try Sandbox())
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("stop")
        try await sweep(fault, at: moments.old, of: "a store", in: sandbox)
    }

    private func sweep(_ fault: Fault, at moments: [Int], of store: String, in sandbox: Sandbox) async throws
    {
        let accepted = Submissions()
        var (starts, hits) = (0, 0)
        for moment in moments {
            let name = "\(fault) at \(moment) of \(store), seed \(TortureTests.seed)"
            let rule = "inject=\(fault.call):\(fault.effect):when=\(moment)"
            let hub = StracedHub(sandbox, ["-e", "trace=\(fault.call)", "-e", rule])
            let refusedBefore = accepted.refusals
            let result = try await hub.run {
                submit(to: sandbox, into: accepted)
                if !fault.isDeath { try resumes(sandbox, accepted, name) }
            }
            // A hub that was killed does not answer; one whose call failed refused somebody.
            if !result.wasAlive || accepted.refusals > refusedBefore { hits += 1 }
            if result.answered { starts += 1 } else { refusedToStart(result.ran, fault, name) }
            if !fault.isDeath { #expect(result.wasAlive == result.answered, "\(name)") }
            try check(sandbox, accepted.ids, name)
        }
        print(
            "torture: \(fault) of \(store) at \(moments.map(String.init).joined(separator: " ")), seed "
                + "\(TortureTests.seed): \(starts) of \(moments.count) starts, \(hits) hits, "
                + "\(accepted.ids.count) accepted, \(accepted.refusals) refused"
        )
        try await goesOn(sandbox, accepted)
    }

    /// Two clients, some of whose tasks run while others wait.
    private func submit(to sandbox: Sandbox, into accepted: Submissions) {
        DispatchQueue.concurrentPerform(iterations: 2) { client in
            for count in 0..<6 {
                guard accepted.add(to: sandbox, runs: count % 3 == client) != .noHub else { return }
            }
        }
    }

    /// One failed call ends nothing: the hub lives and takes work again.
    private func resumes(_ sandbox: Sandbox, _ accepted: Submissions, _ moment: String) throws {
        for _ in 0..<100 {
            guard let code = accepted.add(to: sandbox, runs: false) else { return }
            try #require(
                [.diskFull, .storeUnavailable, .outcomeUnknown].contains(code),
                "\(moment): \(code.rawValue)"
            )
        }
        Issue.record("\(moment): nothing is accepted any more")
    }

    private func refusedToStart(_ ran: Ran, _ fault: Fault, _ moment: String) {
        #expect(ran.status != 0, "\(moment)")
        guard !fault.isDeath else { return }
        #expect(ran.errors.contains("belfryd: ") && ran.errors.contains("fix: "), "\(moment): \(ran.errors)")
    }

    private func check(_ sandbox: Sandbox, _ accepted: Set<TaskID>, _ moment: String) throws {
        guard access(sandbox.places.store, F_OK) == 0 else {
            #expect(accepted.isEmpty, "\(moment)")
            return
        }
        let database = try DatabaseQueue(path: sandbox.places.store)
        defer { try? database.close() }
        let verdict = try database.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        #expect(verdict == ["ok"], "\(moment)")
        let hasTasks = try database.read { try $0.tableExists("tasks") }
        let ids =
            hasTasks ? try database.read { try Set(String.fetchAll($0, sql: "SELECT id FROM tasks")) } : []
        let lost = accepted.filter { !ids.contains($0.rawValue) }
        #expect(lost.isEmpty, "\(moment): \(lost.count) accepted tasks are not in the store")
    }

    /// A hub without faults does the rest, and the event log is whole.
    private func goesOn(_ sandbox: Sandbox, _ accepted: Submissions) async throws {
        try sandbox.startHub()
        for id in accepted.running {
            let waited = try await sandbox.belfry("wait", id.rawValue)
            #expect(waited.status == 0, "\(waited.errors)")
        }
        try await sandbox.belfry("stop")
        let events = try sandbox.eventLog()
        #expect(events.compactMap { $0["position"]?.int } == (0..<Int64(events.count)).map { $0 + 1 })
        let ends = events.filter { $0["type"]?.string == "task.completed" }
        #expect(Set(ends.compactMap { $0["task"]?["id"]?.string }).count == ends.count)
    }
}

/// What the hub was asked for, and what it said.
private final class Submissions: Sendable {
    private struct State {
        var ids: Set<TaskID> = []
        var running: Set<TaskID> = []
        var refusals = 0
    }

    private let state = Mutex(State())

    var ids: Set<TaskID> { state.withLock { $0.ids } }
    var running: Set<TaskID> { state.withLock { $0.running } }
    var refusals: Int { state.withLock { $0.refusals } }

    /// - Returns: why the task was not accepted; nil when it was.
    func add(to sandbox: Sandbox, runs: Bool) -> BelfryError.Code? {
        let id = IDGenerator().taskID(at: SystemWallClock().now)
        var body: JSONObject = [
            "id": .string(id.rawValue), "featureId": "shell", "onInterrupt": "rerun",
            "params": ["command": ["/bin/true", .string(String(repeating: "x", count: 600))]],
            "context": ["workingDirectory": "/", "environment": ["PATH": "/usr/bin:/bin"]],
        ]
        if !runs { body["notBefore"] = "2100-01-01T00:00:00Z" }
        do {
            _ = try HubClient(socketPath: sandbox.places.socket).send(
                "POST",
                "/v1/tasks",
                body: .object(body)
            )
        } catch {
            let code = (error as? BelfryError)?.code ?? .noHub
            // The connection broke in the middle of the answer: nothing was said.
            state.withLock { if code != .noHub { $0.refusals += 1 } }
            return code
        }
        state.withLock { state in
            state.ids.insert(id)
            if runs { state.running.insert(id) }
        }
        return nil
    }
}
