// Why a store did not do what it was asked.

/// Why a store refused or could not do what was asked.
public enum TaskStoreError: Error, Hashable, Sendable {
    case notFound(TaskID)
    /// The fence has moved on: the attempt is no longer the caller's.
    case leaseLost(TaskID)
    case refused(TaskID, TransitionError)
    /// The id or idempotency key belongs to a different submission.
    case conflict(String)
    /// A task cannot come after another as it is.
    case dependency(String)
    /// Nothing was changed; the same call may work later.
    case unavailable(BelfryError)
    /// The commit itself failed: the change may or may not be there after a restart.
    case outcomeUnknown(String)

    /// The same call may work later: the store is out of order, or could not confirm a commit.
    public var isPassing: Bool {
        switch self {
        case .unavailable, .outcomeUnknown: true
        case .notFound, .leaseLost, .refused, .conflict, .dependency: false
        }
    }
}
