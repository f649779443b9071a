// Events that never happened, made as the real ones are, for observers that are tried.

import BelfryCore

/// A log of one event of each kind.
struct SampleEvents: Sendable {
    let epoch = "sample"
    var time = SystemWallClock().now
    private let ids = IDGenerator()

    /// - Parameter position: its place in the log, from 1.
    func record(_ kind: TaskEvent.Kind, at position: Int64) -> EventRecord {
        let cursor = EventCursor(epoch: epoch, position: position)
        return EventRecord(TaskEvent(cursor: cursor, time: time, draft: draft(kind)))
    }

    private func draft(_ kind: TaskEvent.Kind) -> TaskEvent.Draft {
        if kind == .batchAdded || kind == .batchFinished {
            return TaskEvent.Draft(kind, batch: batch(isFinished: kind == .batchFinished))
        }
        var draft = TaskEvent.Draft(kind, task: summary(kind))
        switch kind {
        case .completed:
            draft.result = TaskResult(value: ["sample": true])
            draft.duration = .seconds(90)
        case .failed, .retrying:
            draft.error = TaskFailure("sample", "This failure is a sample.", fix: "Nothing is to be done.")
            draft.duration = .seconds(90)
        default: break
        }
        if kind == .retrying || kind == .snoozed { draft.notBefore = time.adding(.seconds(60)) }
        return draft
    }

    private func summary(_ kind: TaskEvent.Kind) -> TaskSummary {
        var new = NewTask(featureID: "sample")
        new.title = "A sample"
        var task = BackgroundTask(new, id: ids.taskID(at: time), number: 1, at: time)
        switch kind {
        case .started, .cancelRequested: (task.status, task.attempt) = (.processing, 1)
        case .completed: (task.status, task.attempt, task.progress) = (.completed, 1, 100)
        case .failed: (task.status, task.attempt) = (.failed, 1)
        case .cancelled: task.status = .cancelled
        case .retrying, .interrupted, .snoozed, .retried: task.attempt = 1
        default: break
        }
        return TaskSummary(task)
    }

    private func batch(isFinished: Bool) -> TaskBatch {
        var batch = TaskBatch(id: ids.batchID(at: time), title: "Samples", total: 2, createdAt: time)
        if isFinished { (batch.completed, batch.failed) = (1, 1) }
        return batch
    }

    /// A stretch that was pruned.
    func gap(from: Int64, to: Int64) -> EventGap {
        EventGap(epoch: epoch, from: from, to: to, reason: .pruned)
    }
}
