// Writes what running attempts want to be remembered: the newest of each task, as fast as the store takes
// it, and the last one before the attempt's outcome.

import BelfryCore
import Logging
import Synchronization

final class CheckpointKeeper: Sendable {
    /// The largest checkpoint, in bytes of JSON.
    static let limit = 1 << 20

    private struct State {
        var claims: [TaskID: Claim] = [:]
        /// What was not written yet. `.some(nil)` forgets.
        var changed: [TaskID: JSONValue?] = [:]
    }

    private let store: any TaskStore
    private let logger: Logger
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init(store: any TaskStore, logger: Logger) {
        self.store = store
        self.logger = logger
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func note(_ checkpoint: JSONValue?, of claim: Claim) {
        if let checkpoint, checkpoint.encoded.count > Self.limit {
            return logger.warning(
                "a checkpoint is larger than 1 MiB and was not kept",
                metadata: ["task": "\(claim.taskID)"]
            )
        }
        state.withLock { state in
            state.claims[claim.taskID] = claim
            state.changed[claim.taskID] = .some(checkpoint)
        }
        signal.yield()
    }

    /// Writes until cancelled.
    func run() async {
        for await _ in signals {
            for id in state.withLock({ Array($0.changed.keys) }) { await save(id) }
        }
    }

    /// Writes what is left of a task, and forgets it. Before the attempt's outcome.
    func end(_ id: TaskID) async {
        await save(id)
        state.withLock { _ = $0.claims.removeValue(forKey: id) }
    }

    private func save(_ id: TaskID) async {
        let work = state.withLock { state -> (Claim, JSONValue?)? in
            guard let claim = state.claims[id], let checkpoint = state.changed.removeValue(forKey: id) else {
                return nil
            }
            return (claim, checkpoint)
        }
        guard let (claim, checkpoint) = work else { return }
        do { try await store.saveCheckpoint(checkpoint, of: claim) } catch {
            logger.warning("a checkpoint was not kept", metadata: ["task": "\(id)", "error": "\(error)"])
        }
    }
}
