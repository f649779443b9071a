// What is told about an attempt while it runs: metrics, a span, and log lines that all name the task, its
// feature and the attempt, so that one attempt can be followed through a log of many.

import BelfryCore
import Logging
import Tracing

extension TaskWorker {
    /// Runs an attempt to its recorded end, observed.
    func observed(_ claimed: ClaimedTask, _ body: ((any Span)?) async -> Void) async {
        logger.debug("an attempt begins", metadata: claimed.metadata())
        await instruments.attempt(claimed, body)
    }

    /// Runs the feature, and tells how long it took and how it ended.
    func processed(
        _ claimed: ClaimedTask,
        _ span: (any Span)?,
        _ body: () async -> Settlement.Outcome?
    ) async -> Settlement.Outcome? {
        // On the lease clock: it stops while the machine sleeps, and nobody sets it back.
        let start = clocks.lease.now
        let outcome = await body()
        let duration = clocks.lease.now - start
        instruments.processed(claimed.task, outcome, in: duration, span)
        log(outcome, of: claimed, in: duration)
        return outcome
    }

    /// On debug: the events tell the same, and thousands of tasks may end in a second.
    private func log(_ outcome: Settlement.Outcome?, of claimed: ClaimedTask, in duration: Duration) {
        guard let outcome else {
            logger.warning("an attempt lost its lease; its outcome is dropped", metadata: claimed.metadata())
            return
        }
        logger.debug(
            "an attempt ended",
            metadata: claimed.metadata([
                "outcome": "\(outcome.word)", "durationSeconds": "\(duration.seconds)",
            ]).merging(outcome.failureMetadata) { own, _ in own }
        )
    }
}

extension Settlement.Outcome {
    /// The code only: a message may quote what is private.
    fileprivate var failureMetadata: Logger.Metadata {
        guard case .failed(let failure, _) = self else { return [:] }
        return ["code": "\(failure.code)"]
    }
}

extension ClaimedTask {
    /// What every log line about this attempt carries: `task`, `feature`, `attempt`, and `more`.
    func metadata(_ more: Logger.Metadata = [:]) -> Logger.Metadata {
        let own: Logger.Metadata = [
            "task": "\(task.id)", "feature": "\(task.featureID)", "attempt": "\(task.attempt)",
        ]
        return own.merging(more) { _, new in new }
    }
}
