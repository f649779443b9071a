// Which running work is on the screen: each task and batch by itself, or all in one.

import BelfryCore

extension PopupPlanner {
    /// Wants exactly the progress popups that fit what runs now.
    mutating func refreshProgress(at now: Duration) {
        if ripe.isEmpty, batches.isEmpty { isAggregateDismissed = false }
        var wanted: [PopupKey: Popup] = [:]
        if !isQuiet { wanted = isTooMuch ? aggregate() : single(at: now) }
        for key in visible.subtracting(wanted.keys) { board.withdraw(key) }
        for (key, popup) in wanted { board.show(popup, for: key) }
        visible = Set(wanted.keys)
        // What is not known yet is shown with the next look.
        if !batchesToRead().isEmpty { isProgressStale = true }
    }

    private var shownTasks: [(id: TaskID, attempt: RunningAttempt, task: TaskSummary)] {
        ripe.compactMap { id in
            guard let attempt = attempts[id], let task = attempt.task, task.batchID == nil,
                configuration.urgency(for: task, .progress, nil) != nil
            else { return nil }
            return (id, attempt, task)
        }
    }

    private var shownBatches: [(id: BatchID, state: RunningBatch, batch: TaskBatch)] {
        batches.compactMap { id, state in
            guard let batch = state.batch, state.startedAt != nil,
                configuration.urgency(ofBatchLike: state.sample, .progress, nil) != nil
            else { return nil }
            return (id, state, batch)
        }
    }

    /// Whether popups of their own would be too many. What was one popup stays one until there is room
    /// again: popups that come and go with every task are worse than none.
    private var isTooMuch: Bool {
        mutating get {
            let count = shownTasks.count + shownBatches.count
            let limit = configuration.aggregateAbove
            isAggregated = count > (isAggregated ? max(limit - 1, 0) : limit)
            return isAggregated
        }
    }

    private func single(at now: Duration) -> [PopupKey: Popup] {
        var wanted: [PopupKey: Popup] = [:]
        for (id, attempt, task) in shownTasks where !attempt.isDismissed {
            let popup =
                attempt.pause.map { writer.pause($0, task) } ?? writer.progress(attempt, task, at: now)
            wanted[.task(id)] = popup
        }
        for (id, state, batch) in shownBatches where !state.isDismissed {
            guard let startedAt = state.startedAt, now - startedAt >= configuration.progressDelay else {
                continue
            }
            let percent = percent(of: batch)
            wanted[.batch(id)] = writer.batchProgress(
                batch,
                like: state.sample,
                percent: Int(percent),
                left: state.left(percent: percent, at: now)
            )
        }
        return wanted
    }

    private func aggregate() -> [PopupKey: Popup] {
        guard !isAggregateDismissed else { return [:] }
        let (tasks, batches) = (shownTasks, shownBatches)
        var features: [String: Int] = [:]
        var sum = 0.0
        for (_, attempt, task) in tasks {
            features[task.featureID, default: 0] += 1
            sum += attempt.percent ?? 0
        }
        for (_, _, batch) in batches {
            features["batch", default: 0] += 1
            sum += percent(of: batch)
        }
        let count = tasks.count + batches.count
        let ordered = features.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let isTold = !batches.isEmpty || tasks.contains { $0.attempt.percent != nil }
        let popup = writer.running(
            count,
            features: ordered.map { (name: $0.key, count: $0.value) },
            percent: isTold ? Int(sum / Double(max(count, 1))) : nil
        )
        return [.running: popup]
    }

    /// Percent of a whole batch: the tasks that ended and the parts of those that run.
    private func percent(of batch: TaskBatch) -> Double {
        guard batch.total > 0 else { return 0 }
        let parts = attempts.values.lazy.filter { $0.task?.batchID == batch.id }.map {
            ($0.percent ?? 0) / 100
        }
        let done = Double(batch.finished) + parts.reduce(0, +)
        return min(100, done / Double(batch.total) * 100)
    }
}
