// What is wrong with the files that must last: found at start or in the background, told in the log, and
// kept for people who ask how the hub is.

import BelfryAPI
import BelfryCore
import BelfryFileSink
import BelfrySQLite
import Logging
import ServiceLifecycle
import Synchronization

/// What was found wrong with the store since the hub started.
final class StoreHealth: Sendable {
    private let found = Mutex<[BelfryError]>([])
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func note(_ problem: BelfryError) {
        logger.error("\(problem.message)", metadata: ["fix": "\(problem.fix ?? "none is known")"])
        found.withLock { $0.append(problem) }
    }

    /// `[{"message":…,"fix":…}]`
    var json: JSONValue {
        .array(
            found.withLock { $0 }.map { ["message": .string($0.message), "fix": .string($0.fix ?? "")] }
        )
    }
}

/// Looks for damage in the store's file, once, after a stop that was not clean.
struct IntegrityCheck: Service {
    let store: SQLiteTaskStore
    let health: StoreHealth
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown { await check() }
        // A service that ends while others shut down is taken for one that failed.
        try? await gracefulShutdown()
    }

    private func check() async {
        do {
            guard try await store.isCheckDue() else { return }
            guard let damage = try await store.check() else {
                return logger.info("the hub was not ended in order; the store's file is sound")
            }
            health.note(damage)
        } catch is CancellationError {
            // Still due at the next start.
        } catch { logger.warning("the store could not be checked", metadata: ["error": "\(error)"]) }
    }
}

extension Hub {
    /// Opens the event log and holds its end against the store's.
    ///
    /// A log that is ahead of its store shows that the store lost commits, as when its `-wal` file was
    /// deleted: SQLite itself sees nothing wrong then.
    /// - Throws: ``BelfryError`` `not_writable`.
    func prepareEventLog() throws {
        guard let log = parts.eventLog, let last = try log.prepare() else { return }
        let newest = newestEvent
        guard last.epoch == newest.epoch, last.position > newest.position else { return }
        parts.health.note(
            BelfryError(
                .storeUnavailable,
                "The store is behind the event log: it ends at event \(newest.position), the log at "
                    + "\(last.position). What happened between the two is lost in the store.",
                fix: "Read the log for what that was: the old file is kept beside the new one. If the store "
                    + "was restored from a copy, nothing else is to be done; if not, see that nobody deletes "
                    + "\(parts.places.store)-wal."
            )
        )
        try? log.setAside(goingOnAfter: newest)
    }
}
