// One attempt: the feature runs, its progress and log go where they belong, it can be stopped,
// and how it ended is reported to the store under the claim's fence.

import BelfryCore
import Logging
import Synchronization

extension TaskWorker {
    /// Runs the attempt and reports its outcome. Never throws: every end is an outcome.
    func run(_ attempt: RunningAttempt) async {
        let claimed = attempt.claimed
        await observed(claimed) { span in
            let outcome = await processed(claimed, span) { await self.outcome(of: attempt) }
            progress.end(attempt.id)
            await checkpoints.end(attempt.id)
            if let outcome {
                await settle(Settlement(claim: claimed.claim, outcome: outcome), of: claimed)
            }
            files.wake(attempt.id)
        }
    }

    /// - Returns: nil when the lease was lost: there is nothing that may be written.
    private func outcome(of attempt: RunningAttempt) async -> Settlement.Outcome? {
        let (claim, task) = (attempt.claimed.claim, attempt.claimed.task)
        // The plugin was removed between claim and start: given back until it is there again.
        guard let feature = features[task.featureID] else { return .interrupted }
        let descriptor = feature.descriptor
        let policy = task.options.retry ?? descriptor.retry
        let log = files.makeLog(of: task.id, attempt: task.attempt)
        defer { log.close() }
        do {
            let params = try await params(of: attempt.claimed, for: feature)
            let signs = SignsOfLife()
            let context = try makeContext(attempt, descriptor, log: log, signs: signs)
            let bounds = AttemptBounds(task, context.timeouts, feature: feature, signs: signs, clocks: clocks)
            let end = await attempt.stop.run(bounds) { try await feature.process(params, context) }
            if descriptor.makesFiles {
                if case .failure = end.result { files.removeOutput(of: claim) }
                files.removeEmptyOutput(of: claim)
            }
            return outcome(of: end, policy: policy, attempt: Self.counted(task, policy))
        } catch {
            return outcome(
                of: End(result: .failure(error)),
                policy: policy,
                attempt: Self.counted(task, policy)
            )
        }
    }

    /// The params with what the tasks before this one made, checked again where they have changed.
    private func params(of claimed: ClaimedTask, for feature: any Feature) async throws -> JSONValue {
        let task = claimed.task
        guard task.params.hasTaskReference else { return task.params }
        // One that was cleared keeps its place, so that the others are still the first, the second and so on.
        var earlier: [BackgroundTask?] = []
        for dependency in try await store.dependencies(of: [task.id])[task.id] ?? [] {
            earlier.append(try await store.task(dependency.id))
        }
        // Relative paths that hold a reference could not be resolved before.
        return try feature.accept(
            TaskReferences.resolved(task.params, from: earlier),
            from: claimed.context
        )
    }

    private func makeContext(
        _ attempt: RunningAttempt,
        _ descriptor: FeatureDescriptor,
        log: AttemptLog,
        signs: SignsOfLife
    ) throws -> FeatureContext {
        let (claim, task) = (attempt.claimed.claim, attempt.claimed.task)
        var context = FeatureContext(
            taskID: task.id,
            number: task.number,
            featureID: task.featureID,
            attempt: task.attempt,
            fence: task.fence,
            outputDirectory: descriptor.makesFiles ? try files.makeOutputDirectory(of: claim) : "",
            submission: attempt.claimed.context,
            onProgress: { [progress] percent, message in
                signs.show()
                progress.report(claim.taskID, percent: percent, message: message)
            },
            onLog: { log.append($0) },
            onCheckpoint: { [checkpoints] in
                signs.show()
                checkpoints.note($0, of: claim)
            }
        )
        context.checkpoint = attempt.claimed.checkpoint
        context.deviceEnvironment = attempt.environment
        let own = descriptor.timeouts
        context.timeouts = TaskTimeouts(
            attempt: task.options.timeouts.attempt ?? own.attempt,
            idle: task.options.timeouts.idle ?? own.idle
        )
        return context
    }

    struct End: Sendable {
        var result: Result<TaskResult, any Error>
        /// Why it was told to stop, if it was.
        var reason: StopReason?
    }

    /// What the store is told. Success counts even when it came after the word to stop.
    private func outcome(of end: End, policy: RetryPolicy, attempt: Int) -> Settlement.Outcome? {
        switch (end.result, end.reason) {
        case (.success, .leaseLost), (.failure, .leaseLost): return nil
        case (.success(let result), _): return .completed(result)
        case (.failure, .cancelled): return .cancelled
        case (.failure, .shutdown): return .interrupted
        case (.failure, .timedOut(let failure)): return failed(failure, policy, attempt)
        case (.failure(let snooze as TaskSnooze), nil): return .snoozed(snooze.delay, snooze.message)
        case (.failure(let error), nil): return failed(Self.failure(from: error), policy, attempt)
        }
    }

    /// Which attempt of the present budget this is: those that were interrupted or snoozed do not count, nor
    /// those before a retry by hand (each raised `maxAttempts`).
    private static func counted(_ task: BackgroundTask, _ policy: RetryPolicy) -> Int {
        max(1, task.attempt - (task.maxAttempts - policy.maxAttempts))
    }

    private func failed(_ failure: TaskFailure, _ policy: RetryPolicy, _ attempt: Int) -> Settlement.Outcome {
        var failure = failure
        failure.isRetryable = policy.isRetryable(failure)
        return .failed(failure, retryAfter: policy.delay(after: attempt, random: clocks.random()))
    }

    private static func failure(from error: any Error) -> TaskFailure {
        switch error {
        case let failure as TaskFailure: failure
        case let error as BelfryError: TaskFailure(error.code.rawValue, error.message, fix: error.fix)
        case is CancellationError:
            TaskFailure("cancelled_itself", "The feature gave up without being asked to.")
        default: TaskFailure("feature_error", "The feature failed: \(error)")
        }
    }

    /// Reports the outcome. While the store is unavailable (a full disk) it is tried again: the
    /// work is done and must not be lost; at shutdown the next start's rescue takes over.
    private func settle(_ settlement: Settlement, of claimed: ClaimedTask) async {
        var failures = 0
        while true {
            do {
                let task = try await instruments.settle(settlement, of: claimed) {
                    try await store.settle(settlement, at: clocks.wall.now)
                }
                if task.status == .pending { wake([task.lane], isTimed: task.notBefore != nil) }
                return
            } catch let error as TaskStoreError where error.isPassing {
                // A commit that could not be confirmed may have landed: then the fence refuses this one.
                failures += 1
                if failures == 1 {
                    logger.error(
                        "cannot record an outcome; trying again",
                        metadata: claimed.metadata(["error": "\(error)"])
                    )
                }
                if state.withLock({ $0.isDraining }) && failures > 5 { return }
                try? await clocks.sleep(Backoff.delay(failures, upTo: .seconds(5)))
            } catch {
                logger.warning(
                    "an outcome was refused",
                    metadata: claimed.metadata(["error": "\(error)"])
                )
                return
            }
        }
    }
}
