// How tasks ended, one by one and many at once.

import BelfryCore

/// How one task ended.
struct Outcome: Sendable {
    var task: TaskSummary
    var occasion: PopupOccasion
    var result: TaskResult?
    var error: TaskFailure?
    var duration: Duration?
    var time: Timestamp

    /// - Returns: nil when the event is no outcome.
    init?(_ event: TaskEvent) {
        guard let task = event.task else { return nil }
        switch event.kind {
        case .completed: occasion = .completed
        case .failed: occasion = .failed
        case .cancelled: occasion = .cancelled
        default: return nil
        }
        self.task = task
        result = event.draft.result
        error = event.draft.error
        duration = event.draft.duration
        time = event.time
    }

    /// What the popup's buttons act on.
    var scope: String { "\(task.id)/\(task.revision)" }

    /// Files that the task made, as paths.
    var files: [String] { result?.artifacts.compactMap { FileURI.path($0.uri) } ?? [] }
}

/// Outcomes that one popup stands for.
struct OutcomeTally: Sendable {
    static let shownLines = 4
    /// Failed tasks that "Retry failed" knows; of more it retries the newest.
    static let rememberedFailures = 1000

    var completed = 0
    var failed = 0
    var cancelled = 0
    /// The only one, when there is one.
    private(set) var single: Outcome?
    private(set) var failures: [TaskID] = []
    private(set) var failedBatches: [BatchID] = []
    private(set) var lines: [(text: String, isFailure: Bool)] = []

    var count: Int { completed + failed + cancelled }

    mutating func add(_ outcome: Outcome) {
        single = count == 0 ? outcome : nil
        switch outcome.occasion {
        case .failed:
            failed += 1
            failures.append(outcome.task.id)
            if failures.count > Self.rememberedFailures { failures.removeFirst() }
        case .cancelled: cancelled += 1
        case .completed, .progress: completed += 1
        }
        note(
            outcome.task.title.isEmpty ? "#\(outcome.task.number)" : outcome.task.title,
            outcome.occasion == .failed
        )
    }

    mutating func add(_ batch: TaskBatch) {
        single = nil
        completed += batch.completed
        failed += batch.failed
        cancelled += batch.cancelled
        if batch.failed > 0, failedBatches.count < Self.rememberedFailures { failedBatches.append(batch.id) }
        note(batch.title, batch.failed > 0)
    }

    /// Failures are what a person wants to know of first.
    private mutating func note(_ text: String, _ isFailure: Bool) {
        guard !text.isEmpty else { return }
        if lines.count < Self.shownLines { return lines.append((text, isFailure)) }
        if isFailure, let place = lines.lastIndex(where: { !$0.isFailure }) {
            lines.remove(at: place)
            lines.append((text, true))
        }
    }
}
