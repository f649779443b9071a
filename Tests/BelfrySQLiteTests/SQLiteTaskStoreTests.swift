// The SQLite store against the suite that every engine must pass, and what is its own.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import GRDB
import Synchronization
import Testing

@testable import BelfrySQLite

@Suite("The SQLite store")
struct SQLiteTaskStoreTests {
    @Test("keeps the promises of TaskStore", arguments: StoreConformance.allChecks)
    func conformance(_ check: StoreCheck) async throws {
        try await check.run { options in
            let directory = try TemporaryDirectory()
            var configuration = SQLiteTaskStore.Configuration(path: directory.path + "/store.sqlite")
            configuration.ids = options.ids
            configuration.didCommitEvents = { _ in options.didCommitEvents() }
            let opened = OpenedStores(configuration)
            return StoreFixture(
                store: try await opened.open(),
                reopen: { try await opened.open() },
                cleanUp: {
                    try await opened.close()
                    directory.remove()
                }
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

    @Test("claiming, settling and rescuing walk over nothing that merely waits")
    func plans() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let store = try await SQLiteTaskStore.open(.init(path: directory.path + "/store.sqlite"))
        let seen = Mutex<Set<String>>([])
        let note: @Sendable (Database) -> Void = { db in
            db.trace { event in
                if case .statement(let statement) = event { _ = seen.withLock { $0.insert(statement.sql) } }
            }
        }
        try await store.pool.writeWithoutTransaction { note($0) }
        try await store.pool.read { note($0) }

        let now = Timestamp(milliseconds: 1_000_000)
        let ids = IDGenerator()
        let new = AcceptedTask(id: ids.taskID(at: now), new: NewTask(featureID: "paint"))
        _ = try await store.add([new], batch: nil, at: now)
        let lease = Lease(bootID: "boot", expiresAt: .seconds(60))
        let request = ClaimRequest(
            worker: WorkerID("worker"),
            lease: lease,
            slots: 1,
            lanes: [Lane(group: "default", featureID: "paint"): 1]
        )
        let claimed = try #require(try await store.claim(request, at: now).first)
        _ = try await store.extendLeases([claimed.claim], to: lease)
        _ = try await store.saveProgress(
            [ProgressValue(claim: claimed.claim, percent: 1, message: nil)],
            at: now
        )
        _ = try await store.settle(
            Settlement(claim: claimed.claim, outcome: .completed(TaskResult())),
            at: now
        )
        _ = try await store.pendingWork()
        let rescue = Rescue(alive: [], bootID: "boot", leaseTime: .zero, isSoleOwner: true)
        _ = try await store.rescue(rescue, at: now)

        let statements = seen.withLock { $0 }.filter { $0.contains("tasks") && !$0.hasPrefix("INSERT") }
        #expect(statements.count >= 8)
        for statement in statements {
            let plan = try await store.pool.read { db in
                let query = "EXPLAIN QUERY PLAN " + statement.replacing("?", with: "NULL")
                return try Row.fetchAll(db, sql: query).map { $0["detail"] as String }
            }
            for step in plan {
                #expect(!step.contains("tasks_by_status"), "\(statement)")
                #expect(!step.hasPrefix("SCAN tasks") || step.contains("tasks_processing"), "\(statement)")
                #expect(!step.contains("TEMP B-TREE"), "\(statement)")
            }
        }
        try await store.close()
    }
}

/// The stores of one file: all are closed before it is removed, so that no connection outlives its file.
private final class OpenedStores: Sendable {
    private let configuration: SQLiteTaskStore.Configuration
    private let stores = Mutex<[SQLiteTaskStore]>([])

    init(_ configuration: SQLiteTaskStore.Configuration) { self.configuration = configuration }

    func open() async throws -> SQLiteTaskStore {
        let store = try await SQLiteTaskStore.open(configuration)
        stores.withLock { $0.append(store) }
        return store
    }

    func close() async throws {
        for store in stores.withLock({ $0 }) { try await store.close() }
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
