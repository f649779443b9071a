// Pages of tasks, read from the in-memory store.

import BelfryCore

extension MemoryState {
    func page(_ query: TaskQuery) -> TaskPage {
        let limit = min(max(query.limit, 1), 1000)
        let matching = tasks.values.filter(query.matches).sorted { $0.number > $1.number }
        let page = Array(matching.prefix(limit))
        return TaskPage(
            tasks: page,
            nextBefore: matching.count > limit ? page.last?.number : nil,
            asOf: cursor
        )
    }
}

extension TaskQuery {
    fileprivate func matches(_ task: BackgroundTask) -> Bool {
        (statuses.isEmpty || statuses.contains(task.status))
            && featureID.map { $0 == task.featureID } ?? true
            && batchID.map { $0 == task.batchID } ?? true
            && label.map { task.labels.contains($0) } ?? true
            && activeSince.map { !task.status.isFinal || task.updatedAt >= $0 } ?? true
            && beforeNumber.map { task.number < $0 } ?? true
    }
}
