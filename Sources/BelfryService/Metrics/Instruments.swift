// How an attempt and what the store is asked for it are observed: counted, timed, and, where there is a
// tracer, put into spans. Without either it costs a look at two nils.

import BelfryCore
public import Tracing

/// What watches a worker at its work. Defaults to nothing.
public struct Instruments: Sendable {
    /// Defaults to none.
    public var metrics: ServiceMetrics?
    /// Gets a span for each attempt, and in it one for recording the outcome; and one for each claim.
    /// Defaults to none.
    public var tracer: (any Tracer)?

    public init(metrics: ServiceMetrics? = nil, tracer: (any Tracer)? = nil) {
        self.metrics = metrics
        self.tracer = tracer
    }
}

extension Instruments {
    /// Asks the store for work, within a span.
    func claim(
        _ request: ClaimRequest,
        _ claim: () async throws -> [ClaimedTask]
    ) async throws -> [ClaimedTask] {
        guard let tracer else { return try await claim() }
        return try await tracer.withSpan("belfry.claim", context: .topLevel) { span in
            span.attributes["belfry.claim.slots"] = request.slots
            let claimed = try await claim()
            span.attributes["belfry.claim.tasks"] = claimed.count
            return claimed
        }
    }

    /// Runs an attempt to its recorded end, within a span.
    func attempt(_ claimed: ClaimedTask, _ body: ((any Span)?) async -> Void) async {
        let task = claimed.task
        if let metrics = metrics?[task.featureID] {
            metrics.began(after: claimed.dueSince.flatMap { task.startedAt?.since($0) })
        }
        guard let tracer else { return await body(nil) }
        // A trace of its own: what claimed it is over, and has claimed others too.
        await tracer.withSpan("belfry.attempt", context: .topLevel, ofKind: .consumer) { span in
            span.attributes["belfry.task.id"] = task.id.rawValue
            span.attributes["belfry.task.feature"] = task.featureID
            span.attributes["belfry.task.attempt"] = task.attempt
            await body(span)
        }
    }

    /// Notes what the feature made of the attempt and how long that took.
    func processed(
        _ task: BackgroundTask,
        _ outcome: Settlement.Outcome?,
        in duration: Duration,
        _ span: (any Span)?
    ) {
        metrics?[task.featureID].took(duration)
        if outcome == nil { metrics?[task.featureID].ended(.lost) }
        guard let span else { return }
        span.attributes["belfry.attempt.outcome"] = outcome.map(\.word) ?? "lost"
        guard case .failed(let failure, _) = outcome else { return }
        span.attributes["belfry.attempt.error"] = failure.code
        // The code only: a message may quote what is private.
        span.setStatus(SpanStatus(code: .error, message: failure.code))
    }

    /// Records an outcome in the store, within a span.
    func settle(
        _ settlement: Settlement,
        of claimed: ClaimedTask,
        _ settle: () async throws -> BackgroundTask
    ) async throws -> BackgroundTask {
        let featureID = claimed.task.featureID
        do {
            let task = try await inSettleSpan(claimed, settle)
            metrics?[featureID].ended(settlement.outcome.end(leaving: task.status))
            return task
        } catch let error as TaskStoreError {
            // Others are tried again, or end with the process.
            if case .leaseLost = error { metrics?[featureID].ended(.lost) }
            throw error
        }
    }

    private func inSettleSpan(
        _ claimed: ClaimedTask,
        _ settle: () async throws -> BackgroundTask
    ) async throws -> BackgroundTask {
        guard let tracer else { return try await settle() }
        return try await tracer.withSpan("belfry.settle") { span in
            span.attributes["belfry.task.id"] = claimed.task.id.rawValue
            return try await settle()
        }
    }
}

extension Settlement.Outcome {
    /// How the attempt ended, once the store has said what becomes of the task.
    func end(leaving status: TaskStatus) -> ServiceMetrics.AttemptEnd {
        switch self {
        case .completed: .completed
        case .cancelled: .cancelled
        case .interrupted: status == .cancelled ? .cancelled : .interrupted
        case .snoozed: status == .cancelled ? .cancelled : .snoozed
        case .failed: status == .pending ? .retrying : status == .cancelled ? .cancelled : .failed
        }
    }

    var word: String {
        switch self {
        case .completed: "completed"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .interrupted: "interrupted"
        case .snoozed: "snoozed"
        }
    }
}
