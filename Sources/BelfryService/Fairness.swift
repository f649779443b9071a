// Who takes turns with whom.

import BelfryCore

/// How tasks of one priority share the slots of their lane.
public enum Fairness: String, Sendable, CaseIterable {
    /// First come, first served.
    case none
    /// Users take turns: one who submits a thousand tasks does not keep another waiting for all of them.
    case user
    /// Batches take turns, and each user's single tasks are one more.
    case batch

    /// Whose turn a task is; nil without fairness.
    func flow(of new: NewTask) -> String? {
        switch self {
        case .none: nil
        case .user: "user \(new.userID)"
        case .batch: new.batchID.map { "batch \($0)" } ?? "user \(new.userID)"
        }
    }
}
