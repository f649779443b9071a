// When a task was ready to run: what its wait is counted from.

extension BackgroundTask {
    /// Since when a pending task could start, or from when on it can: the later of when it became pending
    /// or was last changed, and its `notBefore`. Nil when it is not pending, or is held.
    public var dueSince: Timestamp? {
        guard status == .pending, holdCount == 0 else { return nil }
        return max(updatedAt, notBefore ?? updatedAt)
    }
}
