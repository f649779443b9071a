// The SQLite store against the suite that every engine must pass, and what is its own.

import BelfryCore
import BelfrySQLite
import BelfryTesting
import FoundationEssentials
import Testing

@Suite("The SQLite store")
struct SQLiteTaskStoreTests {
    @Test("keeps the promises of TaskStore", arguments: StoreConformance.allChecks)
    func conformance(_ check: StoreCheck) async throws {
        try await check.run { options in
            let directory = try TemporaryDirectory()
            var configuration = SQLiteTaskStore.Configuration(path: directory.path + "/store.sqlite")
            configuration.ids = options.ids
            configuration.didCommitEvents = options.didCommitEvents
            let opening = configuration
            let store = try await SQLiteTaskStore.open(opening)
            return StoreFixture(
                store: store,
                reopen: { try await SQLiteTaskStore.open(opening) },
                cleanUp: { directory.remove() }
            )
        }
    }

    @Test("a schema of a newer version is refused and the file stays as it is")
    func newerSchema() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/store.sqlite"
        try await SQLiteTaskStore.open(SQLiteTaskStore.Configuration(path: path)).close()
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[63] = 99
        try bytes.write(to: URL(filePath: path))
        let error = await #expect(throws: BelfryError.self) {
            _ = try await SQLiteTaskStore.open(SQLiteTaskStore.Configuration(path: path))
        }
        #expect(error?.code == .schemaTooNew)
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    }

    @Test("a second owner is refused and told who has the store")
    func secondOwner() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let configuration = SQLiteTaskStore.Configuration(path: directory.path + "/store.sqlite")
        let store = try await SQLiteTaskStore.open(configuration)
        let error = await #expect(throws: BelfryError.self) {
            _ = try await SQLiteTaskStore.open(configuration)
        }
        #expect(error?.code == .alreadyRunning)
        #expect(error?.message.contains("\(ProcessInfo.processInfo.processIdentifier)") == true)
        try await store.close()
        try await SQLiteTaskStore.open(configuration).close()
    }

    @Test("a file that is no store is refused with the way to recover, and stays as it is")
    func damagedFile() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/store.sqlite"
        let bytes = Data(repeating: 0x55, count: 8192)
        try bytes.write(to: URL(filePath: path))
        let error = await #expect(throws: BelfryError.self) {
            _ = try await SQLiteTaskStore.open(SQLiteTaskStore.Configuration(path: path))
        }
        #expect(error?.code == .storeUnavailable || error?.code == .schemaTooNew)
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    }
}

/// A directory that a test may fill.
struct TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = "/tmp/belfry-store-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
