// Putting a copy back, where the newest changes are still in the log beside a file.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import GRDB
import Testing

@testable import BelfrySQLite

@Suite("Restoring a store", .timeLimit(.minutes(1)))
struct RestoreTests {
    private static let now = Timestamp(milliseconds: 1_767_225_600_000)

    /// A store as `kill -9` leaves it: its one task is in the log only.
    private func crashedStore(_ path: String, _ directory: TemporaryDirectory) async throws {
        let origin = directory.path + "/origin-\(UUID().uuidString)"
        let store = try await SQLiteTaskStore.open(.init(path: origin))
        _ = try await store.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
        let new = NewTask(featureID: "paint")
        let task = AcceptedTask(id: IDGenerator().taskID(at: Self.now), new: new)
        _ = try await store.add([task], batch: nil, at: Self.now)
        for ending in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: origin + ending, toPath: path + ending)
        }
        try await store.close()
    }

    private func tasks(_ path: String) async throws -> Int {
        let store = try await SQLiteTaskStore.open(.init(path: path))
        let count = try await store.tasks(TaskQuery()).tasks.count
        try await store.close()
        return count
    }

    @Test("a copy whose newest changes are in the log beside it comes back with them")
    func copyWithLog() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let (copy, path) = (directory.path + "/copy.sqlite", directory.path + "/store.sqlite")
        try await crashedStore(copy, directory)
        #expect(try SQLiteTaskStore.restore(copy, to: path, at: Self.now) == nil)
        #expect(try await tasks(path) == 1)
        #expect(!FileManager.default.fileExists(atPath: path + ".restoring-wal"))
    }

    @Test("the store that was there is kept whole in one file")
    func keptStore() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let (copy, path) = (directory.path + "/copy.sqlite", directory.path + "/store.sqlite")
        try await SQLiteTaskStore.open(.init(path: copy)).close()
        try await crashedStore(path, directory)
        let kept = try #require(try SQLiteTaskStore.restore(copy, to: path, at: Self.now))
        #expect(try await tasks(path) == 0)
        #expect(!FileManager.default.fileExists(atPath: kept + "-wal"))
        #expect(try await tasks(kept) == 1)
    }
}
