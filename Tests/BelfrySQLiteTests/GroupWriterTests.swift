// Requests that share a commit, and what the writer remembers between commits.

import BelfryCore
import GRDB
import Testing

@testable import BelfrySQLite

@Suite("The group writer")
struct GroupWriterTests {
    private struct Midway: Error {}

    private static let now = Timestamp(milliseconds: 1_000_000)
    private static let ids = IDGenerator()

    private func withStore(_ body: (SQLiteTaskStore) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let store = try await SQLiteTaskStore.open(.init(path: directory.path + "/store.sqlite"))
        try await body(store)
        try await store.close()
    }

    private static func accepted() -> AcceptedTask {
        AcceptedTask(id: ids.taskID(at: now), new: NewTask(featureID: "paint"))
    }

    private static let request = ClaimRequest(
        worker: WorkerID("worker"),
        lease: Lease(bootID: "boot", expiresAt: .seconds(60)),
        slots: 1,
        lanes: [Lane(group: "default", featureID: "paint"): 1]
    )

    private func claimed(in store: SQLiteTaskStore) async throws -> Claim {
        _ = try await store.add([Self.accepted()], batch: nil, at: Self.now)
        return try #require(try await store.claim(Self.request, at: Self.now).first).claim
    }

    @Test("a request that fails after it has written something is undone, and nothing else with it")
    func failingMidway() async throws {
        try await withStore { store in
            let failures = await withTaskGroup(of: Bool.self) { group in
                // More than go into one commit, so that those that fail have company.
                for number in 0..<600 {
                    group.addTask {
                        let added = try? await store.writer.write { transaction in
                            let added = try transaction.add([Self.accepted()], batch: nil, at: Self.now)
                            if number % 100 == 50 { throw Midway() }
                            return added
                        }
                        return added == nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(failures == 6)
            #expect(try await store.status().counts[.pending] == 594)
            let page = try await store.events(after: 0, limit: 1000)
            #expect(page.events.map(\.position) == Array(1...594))
            let tasks = try await store.tasks(TaskQuery()).tasks
            #expect(tasks.first?.number == 594)
        }
    }

    @Test("the end of an attempt knows what was written of it since the claim")
    func writtenMeanwhile() async throws {
        try await withStore { store in
            let claim = try await claimed(in: store)
            let later = Lease(bootID: "boot", expiresAt: .seconds(600))
            #expect(try await store.extendLeases([claim], to: later).isEmpty)
            #expect(try await store.requestCancel(claim.taskID, at: Self.now).lease == later)
            let value = ProgressValue(claim: claim, percent: 40, message: "half")
            #expect(try await store.saveProgress([value], at: Self.now).isEmpty)
            let before = try #require(try await store.task(claim.taskID))
            #expect((before.progress, before.message, before.lease) == (40, "half", later))
            let ended = try await store.settle(Settlement(claim: claim, outcome: .cancelled), at: Self.now)
            #expect((ended.revision, ended.progress) == (before.revision + 1, 40))
            #expect(try await store.task(claim.taskID) == ended)
        }
    }

    @Test("what was rolled back is not remembered")
    func rolledBack() async throws {
        try await withStore { store in
            let waiting = Self.accepted()
            _ = try await store.add([waiting], batch: nil, at: Self.now)
            await #expect(throws: Midway.self) {
                try await store.writer.write { transaction in
                    #expect(try transaction.claim(Self.request, at: Self.now).count == 1)
                    throw Midway()
                }
            }
            #expect(try await store.requestCancel(waiting.id, at: Self.now).status == .cancelled)

            let settlement = Settlement(claim: try await claimed(in: store), outcome: .interrupted)
            await #expect(throws: Midway.self) {
                try await store.writer.write { transaction in
                    _ = try transaction.settle(settlement, at: Self.now)
                    throw Midway()
                }
            }
            #expect(try await store.settle(settlement, at: Self.now).status == .pending)
            await #expect(throws: TaskStoreError.self) {
                _ = try await store.settle(settlement, at: Self.now)
            }
        }
    }
}
