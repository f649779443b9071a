// The embedded store: tasks and their events in one SQLite file that one hub owns.

public import BelfryCore
import GRDB
import Glibc
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A ``TaskStore`` in a SQLite file (WAL, `synchronous=FULL`), owned by one process.
public final class SQLiteTaskStore: TaskStore {
    public struct Configuration: Sendable {
        /// The database file; its directory must exist.
        public var path: String
        /// Makes the log's epoch. Defaults to the system's randomness.
        public var ids = IDGenerator()
        /// Called after each commit with the events that it wrote, in the order of the log. It must not
        /// wait: those who wait for later commits are answered after it. Defaults to nothing.
        public var didCommitEvents: (@Sendable ([EventRecord]) -> Void)?
        /// Called after each commit with how many requests it carried and how long it took, its sync
        /// included. It must not wait. Defaults to nothing.
        public var didCommit: (@Sendable (_ requests: Int, _ duration: Duration) -> Void)?

        public init(path: String) { self.path = path }
    }

    let pool: DatabasePool
    let writer: GroupWriter
    let epoch: String
    let lock: FileLock
    let wasUnclean: Bool
    let isClosed = Mutex(false)

    private init(
        pool: DatabasePool,
        writer: GroupWriter,
        epoch: String,
        lock: consuming FileLock,
        wasUnclean: Bool
    ) {
        self.pool = pool
        self.writer = writer
        self.epoch = epoch
        self.lock = lock
        self.wasUnclean = wasUnclean
    }

    /// Opens the store, making it when there is none.
    ///
    /// - Throws: ``BelfryError``: `already_running` when another process has it, `not_writable`,
    ///   `disk_full`, `schema_too_new` (the file is not touched), `store_unavailable` when damaged.
    public static func open(_ configuration: Configuration) async throws -> SQLiteTaskStore {
        let lock = try FileLock(configuration.path + ".lock")
        try refuseNewerSchema(configuration.path)
        do {
            let pool = try openPool(configuration.path)
            try Schema.migrator.migrate(pool)
            let (epoch, wasUnclean) = try await pool.write { try begin($0, ids: configuration.ids) }
            let writer = GroupWriter(
                pool: pool,
                epoch: epoch,
                didCommitEvents: configuration.didCommitEvents,
                didCommit: configuration.didCommit
            )
            return SQLiteTaskStore(
                pool: pool,
                writer: writer,
                epoch: epoch,
                lock: lock,
                wasUnclean: wasUnclean
            )
        } catch let error as DatabaseError {
            throw openError(error, path: configuration.path)
        }
    }
}
