// Tasks and the events of their lives, as the store would write them.

import BelfryCore

/// Makes the events that sinks get, in order.
struct ExampleTasks {
    private(set) var tasks: [TaskID: BackgroundTask] = [:]
    private var position: Int64 = 0
    private var lastNumber: Int64 = 0
    private let ids = IDGenerator()

    subscript(id: TaskID) -> BackgroundTask? { tasks[id] }

    /// A task that has been accepted, with its event.
    mutating func add(
        _ title: String,
        at time: Timestamp,
        _ change: (inout NewTask) -> Void = { _ in }
    ) -> (id: TaskID, event: EventRecord) {
        var new = NewTask(featureID: "text-to-image")
        new.title = title
        change(&new)
        lastNumber += 1
        let task = BackgroundTask(new, id: ids.taskID(at: time), number: lastNumber, at: time)
        tasks[task.id] = task
        return (task.id, record(.added, of: task.id, at: time))
    }

    mutating func start(_ id: TaskID, at time: Timestamp) -> EventRecord {
        tasks[id]?.status = .processing
        tasks[id]?.attempt += 1
        tasks[id]?.startedAt = time
        return record(.started, of: id, at: time)
    }

    mutating func complete(_ id: TaskID, _ files: [String] = [], at time: Timestamp) -> EventRecord {
        let result = TaskResult(artifacts: files.map { TaskResult.Artifact(uri: FileURI.make($0)) })
        tasks[id]?.status = .completed
        tasks[id]?.result = result
        return record(.completed, of: id, at: time) { $0.result = result }
    }

    mutating func fail(
        _ id: TaskID,
        _ error: TaskFailure,
        retrying: Bool = false,
        at time: Timestamp
    ) -> EventRecord {
        tasks[id]?.status = retrying ? .pending : .failed
        tasks[id]?.error = error
        return record(retrying ? .retrying : .failed, of: id, at: time) { $0.error = error }
    }

    /// Any other event of a task.
    mutating func record(
        _ kind: TaskEvent.Kind,
        of id: TaskID,
        at time: Timestamp,
        _ change: (inout TaskEvent.Draft) -> Void = { _ in }
    ) -> EventRecord {
        tasks[id]?.revision += 1
        guard let task = tasks[id] else { preconditionFailure("There is no task \(id).") }
        var draft = TaskEvent.Draft(kind, task: TaskSummary(task))
        if task.status.isFinal { draft.duration = time.since(task.startedAt ?? time) }
        change(&draft)
        return record(draft, at: time)
    }

    mutating func record(_ kind: TaskEvent.Kind, of batch: TaskBatch, at time: Timestamp) -> EventRecord {
        record(TaskEvent.Draft(kind, batch: batch), at: time)
    }

    func batch(_ title: String, of total: Int, at time: Timestamp) -> TaskBatch {
        TaskBatch(id: ids.batchID(at: time), title: title, total: total, createdAt: time)
    }

    func progress(_ id: TaskID, _ percent: Double?, _ message: String? = nil, at time: Timestamp)
        -> ProgressUpdate
    {
        guard let task = tasks[id] else { preconditionFailure("There is no task \(id).") }
        return ProgressUpdate(task: TaskSummary(task), percent: percent, message: message, time: time)
    }

    private mutating func record(_ draft: TaskEvent.Draft, at time: Timestamp) -> EventRecord {
        position += 1
        return EventRecord(
            TaskEvent(cursor: EventCursor(epoch: "e", position: position), time: time, draft: draft)
        )
    }
}
