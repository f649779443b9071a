// What is known of a task that runs.

import BelfryCore

/// One attempt between its start and its end.
struct RunningAttempt {
    struct Pause {
        var error: String?
    }

    /// On the lease clock.
    var startedAt: Duration
    /// The event that said so; read only when the attempt lives long enough to be shown.
    var record: EventRecord?
    var task: TaskSummary?
    var percent: Double?
    var message: String?
    /// Between this attempt and the next, when the task's popup is on the screen.
    var pause: Pause?
    var isCancelling = false
    /// The person does not want to see it: no more progress for this task.
    var isDismissed = false
    private var first: (percent: Double, at: Duration)?

    init(startedAt: Duration, record: EventRecord? = nil) {
        self.startedAt = startedAt
        self.record = record
    }

    mutating func update(_ update: ProgressUpdate, at now: Duration) {
        task = update.task
        record = nil
        if let percent = update.percent {
            if first == nil { first = (percent, now) }
            self.percent = percent
        }
        message = update.message ?? message
    }

    /// How long it will take, by the rate of this attempt so far; nil while that is a guess.
    func left(at now: Duration) -> Duration? {
        guard let first, let percent, percent < 100 else { return nil }
        let (gained, time) = (percent - first.percent, now - first.at)
        guard gained >= 3, time >= .seconds(3) else { return nil }
        return time * ((100 - percent) / gained)
    }
}

/// One batch with work left.
struct RunningBatch {
    /// Nil until it has been read.
    var batch: TaskBatch?
    var startedAt: Duration?
    /// One of its tasks, the first that is known: what holds for it holds for the batch.
    var sample: TaskSummary?
    /// Its counts may have changed.
    var isStale = true
    var isDismissed = false

    /// By the rate at which its tasks have ended.
    func left(percent: Double, at now: Duration) -> Duration? {
        guard let startedAt, percent >= 3, percent < 100, now - startedAt >= .seconds(3) else { return nil }
        return (now - startedAt) * ((100 - percent) / percent)
    }
}
