// Group commit: requests that wait while one transaction syncs go into the next one together. One
// sync then serves hundreds of callers, and each of them still gets its own answer.

import BelfryCore
import Dispatch
import GRDB
import Synchronization

/// Runs write requests on the database's writer, many to a transaction.
final class GroupWriter: Sendable {
    /// Work that waits for its turn and for the commit. Not checked: it has no state of its own, and the one
    /// subclass says who has its.
    private class Request: @unchecked Sendable {
        /// May be called again after a rollback: the last call counts.
        func run(_ transaction: StoreTransaction) throws {}
        /// Answers the caller: nil after a commit.
        func answer(_ error: (any Error)?) {}
    }

    /// Not checked: whoever submits it lets go of it, and then only the writer's queue has it.
    private final class WriteRequest<Value: Sendable>: Request, @unchecked Sendable {
        private let body: @Sendable (StoreTransaction) throws -> Value
        private let continuation: CheckedContinuation<Value, any Error>
        private var value: Value?

        init(
            _ continuation: CheckedContinuation<Value, any Error>,
            _ body: @escaping @Sendable (StoreTransaction) throws -> Value
        ) {
            self.continuation = continuation
            self.body = body
        }

        override func run(_ transaction: StoreTransaction) throws { value = try body(transaction) }

        override func answer(_ error: (any Error)?) {
            if let error { return continuation.resume(throwing: error) }
            if let value { continuation.resume(returning: value) }
        }
    }

    private struct State {
        var waiting: [Request] = []
        var isDraining = false
        var isClosed = false
        /// Taken by the transaction that is open, and put back after its commit.
        var running = RunningTasks()

        mutating func takeRunning() -> RunningTasks {
            defer { running.forgetAll() }
            return running
        }
    }

    private let pool: DatabasePool
    private let epoch: String
    private let didCommitEvents: (@Sendable ([EventRecord]) -> Void)?
    private let didCommit: (@Sendable (_ requests: Int, _ duration: Duration) -> Void)?
    private let state = Mutex(State())
    /// Where callers are answered and events handed over while the next transaction runs.
    private let answers = DispatchQueue(label: "belfry.answers")
    /// Requests in one transaction at most.
    private let groupSize = 512

    init(
        pool: DatabasePool,
        epoch: String,
        didCommitEvents: (@Sendable ([EventRecord]) -> Void)?,
        didCommit: (@Sendable (_ requests: Int, _ duration: Duration) -> Void)? = nil
    ) {
        self.pool = pool
        self.epoch = epoch
        self.didCommitEvents = didCommitEvents
        self.didCommit = didCommit
    }

    /// Runs `body` in a transaction and returns after it is durable.
    ///
    /// Cancelling the caller has no effect: once a request waits, it is done.
    func write<Value: Sendable>(_ body: @escaping @Sendable (StoreTransaction) throws -> Value) async throws
        -> Value
    {
        try await withCheckedThrowingContinuation { submit(WriteRequest($0, body)) }
    }

    private func submit(_ request: Request) {
        enum Next { case refuse, wait, drain }
        let next = state.withLock { state -> Next in
            if state.isClosed { return .refuse }
            state.waiting.append(request)
            defer { state.isDraining = true }
            return state.isDraining ? .wait : .drain
        }
        switch next {
        case .refuse: request.answer(StoreErrors.closed)
        case .wait: break
        case .drain: pool.asyncWriteWithoutTransaction { self.drain($0) }
        }
    }

    /// Refuses everything from now on; returns when what waited is done.
    func close() async {
        state.withLock { $0.isClosed = true }
        await withCheckedContinuation { continuation in
            pool.asyncWriteWithoutTransaction { db in
                self.drain(db)
                self.answers.sync { continuation.resume() }
            }
        }
    }

    private func drain(_ db: Database) {
        while true {
            let group = state.withLock { state -> [Request] in
                let group = Array(state.waiting.prefix(groupSize))
                state.waiting.removeFirst(group.count)
                if group.isEmpty { state.isDraining = false }
                return group
            }
            if group.isEmpty { return }
            commit(group, in: db)
        }
    }

    private func commit(_ group: [Request], in db: Database) {
        var outcomes = [(any Error)?](repeating: nil, count: group.count)
        // A measurement of the disk, which decides nothing: no injected clock would know it.
        let start = ContinuousClock.now
        let transaction: StoreTransaction
        do {
            transaction = try run(group, in: db, &outcomes)
        } catch {
            let failure = StoreErrors.translated(error)
            for (index, request) in group.enumerated() { request.answer(outcomes[index] ?? failure) }
            return
        }
        do { try db.commit() } catch {
            let isUndone = db.isInsideTransaction
            rollBack(db)
            let failure = StoreErrors.ofCommit(error, isUndone: isUndone)
            for request in group { request.answer(failure) }
            return
        }
        didCommit?(group.count, start.duration(to: .now))
        let isBusy = state.withLock { state in
            state.running = transaction.running
            return !state.waiting.isEmpty
        }
        announce(group, outcomes, transaction.events, isBusy: isBusy)
    }

    /// In the order of commits; on this thread when nothing else waits for it, which saves an idle hub the
    /// way to another one.
    private func announce(
        _ group: [Request],
        _ outcomes: [(any Error)?],
        _ events: [EventRecord],
        isBusy: Bool
    ) {
        let work: @Sendable () -> Void = { [didCommitEvents] in
            for (index, request) in group.enumerated() { request.answer(outcomes[index]) }
            if !events.isEmpty { didCommitEvents?(events) }
        }
        if isBusy { answers.async(execute: work) } else { answers.sync(execute: work) }
    }

    /// Runs every request of a group in a transaction that is left open.
    ///
    /// What can be refused is refused before anything is written, nearly always: so a savepoint for each
    /// request is only made when one has failed in the middle, and then the whole group is run again.
    private func run(_ group: [Request], in db: Database, _ outcomes: inout [(any Error)?]) throws
        -> StoreTransaction
    {
        do {
            return try run(group, in: db, &outcomes) { try $0.run($1) }
        } catch is StoreTransaction.NeedsSavepoint {
            return try run(group, in: db, &outcomes) { try $0.savepoint($1) }
        }
    }

    private func run(
        _ group: [Request],
        in db: Database,
        _ outcomes: inout [(any Error)?],
        each run: (StoreTransaction, () throws -> Void) throws -> Void
    ) throws -> StoreTransaction {
        do {
            try db.beginTransaction(.immediate)
            let transaction = try StoreTransaction(
                db,
                epoch: epoch,
                running: state.withLock { $0.takeRunning() }
            )
            for (index, request) in group.enumerated() {
                outcomes[index] = nil
                do { try run(transaction) { try request.run(transaction) } } catch {
                    if error is StoreTransaction.NeedsSavepoint { throw error }
                    outcomes[index] = StoreErrors.translated(error)
                    // A full disk may have ended the whole transaction: then nothing of it is left.
                    guard db.isInsideTransaction else { throw error }
                }
            }
            try transaction.finish()
            return transaction
        } catch {
            rollBack(db)
            throw error
        }
    }

    private func rollBack(_ db: Database) {
        if db.isInsideTransaction { try? db.rollback() }
    }
}

enum StoreErrors {
    static let closed = TaskStoreError.unavailable(
        BelfryError(
            .storeUnavailable,
            "The store is closed: the hub is shutting down.",
            fix: "Try again in a moment."
        )
    )

    /// What SQLite says in the words of the store; other errors as they are.
    static func translated(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        switch error.resultCode {
        case .SQLITE_FULL:
            return TaskStoreError.unavailable(
                BelfryError(
                    .diskFull,
                    "The disk with the store is full; nothing was changed.",
                    fix: "Free some space: remove files there, or belfry clear. Then the same works."
                )
            )
        case .SQLITE_IOERR, .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_BUSY:
            return TaskStoreError.unavailable(
                BelfryError(
                    .storeUnavailable,
                    "The store cannot be written: \(error.message ?? "\(error.resultCode)").",
                    fix: "Make sure that its disk is sound and not full."
                )
            )
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return TaskStoreError.unavailable(corrupt(error.message ?? ""))
        default:
            return TaskStoreError.unavailable(BelfryError(.storeUnavailable, "The store failed: \(error)"))
        }
    }

    /// A commit that failed: undone for certain when SQLite still holds the transaction.
    static func ofCommit(_ error: any Error, isUndone: Bool) -> any Error {
        let translated = translated(error)
        if isUndone, (error as? DatabaseError)?.resultCode == .SQLITE_FULL { return translated }
        return TaskStoreError.outcomeUnknown("\(error)")
    }

    static func corrupt(_ detail: String) -> BelfryError {
        BelfryError(
            .storeUnavailable,
            "The store's file is damaged: \(detail).",
            fix: "In the state directory: \(SQLiteTaskStore.recovery(of: "belfry.sqlite"))"
        )
    }
}
