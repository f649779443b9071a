// Tasks in every state, for the tests of what may happen to them.

import BelfryCore

enum Example {
    static let now = Timestamp(milliseconds: 1_767_225_600_000)
    static let later = now.adding(.milliseconds(1500))
    static let id = TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab")
    static let batchID = BatchID(stored: "0198c0de-0000-7000-8000-000000000001")
    static let worker = WorkerID("worker-1")
    static let lease = Lease(bootID: "boot-1", expiresAt: .seconds(60))

    static func task(change: (inout NewTask) -> Void = { _ in }) -> BackgroundTask {
        var new = NewTask(featureID: "paint", params: ["prompt": "a lighthouse"])
        new.title = "a lighthouse"
        new.maxAttempts = 3
        change(&new)
        return BackgroundTask(new, id: id, number: 7, at: now)
    }

    /// A task in `status`, after one attempt if it had any.
    static func task(_ status: TaskStatus, change: (inout NewTask) -> Void = { _ in }) throws
        -> BackgroundTask
    {
        let pending = task(change: change)
        if status == .pending { return pending }
        let running = try pending.applying(.claim(by: worker, lease: lease), at: now).task
        return switch status {
        case .processing, .pending: running
        case .completed: try running.applying(.complete(TaskResult(value: ["seed": 7])), at: later).task
        case .failed: try running.applying(.fail(failure, retryAfter: .zero), at: later).task
        case .cancelled: try running.applying(.confirmCancel, at: later).task
        }
    }

    static let failure = TaskFailure("exit_status", "The program ended with 1.", fix: "Look at its log.")

    static var retryable: TaskFailure {
        var failure = failure
        failure.isRetryable = true
        return failure
    }
}
