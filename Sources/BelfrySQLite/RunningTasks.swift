// The rows of running tasks, kept by the one process that owns the store: the end of an attempt needs the
// whole row, which the claim has read already.

import BelfryCore

/// Tasks that are `processing`, as the store has them. Used on the writer's queue only.
///
/// Whoever takes a row from here sees first whether its fence and revision are the store's. Who changes a
/// running task by SQL alone forgets it here, and a rollback forgets all.
struct RunningTasks {
    private var tasks: [TaskID: BackgroundTask] = [:]
    /// The time of the last claim: a claim at an earlier one finds a clock that was set back.
    var lastClaim: Timestamp?

    subscript(id: TaskID) -> BackgroundTask? { tasks[id] }

    mutating func note(_ task: BackgroundTask) {
        if task.status == .processing { tasks[task.id] = task } else { forget(task.id) }
    }

    mutating func forget(_ id: TaskID) { tasks[id] = nil }
    mutating func forgetAll() { tasks = [:] }
}
