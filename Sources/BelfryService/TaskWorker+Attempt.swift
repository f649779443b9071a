// One attempt: the feature runs, its progress and log go where they belong, it can be stopped,
// and how it ended is reported to the store under the claim's fence.

import BelfryCore
import Logging
import Synchronization

extension TaskWorker {
    /// Runs the attempt and reports its outcome. Never throws: every end is an outcome.
    func runAttempt(_ claimed: ClaimedTask, stops: AsyncStream<StopReason>) async {
        await observed(claimed) { span in
            let outcome = await processed(claimed, span) { await self.outcome(of: claimed, stops: stops) }
            progress.end(claimed.task.id)
            if let outcome {
                await settle(Settlement(claim: claimed.claim, outcome: outcome), of: claimed)
            }
            files.wake(claimed.task.id)
        }
    }

    /// - Returns: nil when the lease was lost: there is nothing that may be written.
    private func outcome(of claimed: ClaimedTask, stops: AsyncStream<StopReason>) async -> Settlement.Outcome?
    {
        let task = claimed.task
        // The plugin was removed between claim and start: given back until it is there again.
        guard let feature = features[task.featureID] else { return .interrupted }
        let log = files.makeLog(of: task.id, attempt: task.attempt)
        defer { log.close() }
        do {
            let context = try makeContext(claimed, feature: feature, log: log)
            let end = await withStops(stops) { try await feature.process(task.params, context) }
            if case .success = end.result {
            } else if feature.descriptor.makesFiles {
                files.removeOutput(of: claimed.claim)
            }
            if feature.descriptor.makesFiles { files.removeEmptyOutput(of: claimed.claim) }
            return outcome(of: end, policy: feature.descriptor.retry, attempt: task.attempt)
        } catch {
            return outcome(
                of: End(result: .failure(error)),
                policy: feature.descriptor.retry,
                attempt: task.attempt
            )
        }
    }

    private func makeContext(
        _ claimed: ClaimedTask,
        feature: any Feature,
        log: AttemptLog
    ) throws -> FeatureContext {
        let task = claimed.task
        return FeatureContext(
            taskID: task.id,
            number: task.number,
            featureID: task.featureID,
            attempt: task.attempt,
            fence: task.fence,
            outputDirectory: feature.descriptor.makesFiles
                ? try files.makeOutputDirectory(of: claimed.claim) : "",
            submission: claimed.context,
            onProgress: { [progress] percent, message in
                progress.report(task.id, percent: percent, message: message)
            },
            onLog: { log.append($0) }
        )
    }

    struct End: Sendable {
        var result: Result<TaskResult, any Error>
        /// Why it was told to stop, if it was.
        var reason: StopReason?
    }

    /// Runs `work`, cancelling it when a reason to stop arrives.
    private func withStops(
        _ stops: AsyncStream<StopReason>,
        _ work: @escaping @Sendable () async throws -> TaskResult
    ) async -> End {
        await withTaskGroup(of: End?.self) { group in
            group.addTask {
                do { return End(result: .success(try await work())) } catch {
                    return End(result: .failure(error))
                }
            }
            group.addTask {
                for await stop in stops {
                    return End(result: .failure(CancellationError()), reason: stop)
                }
                return nil
            }
            var end = await group.next() ?? nil
            if let stop = end?.reason {
                group.cancelAll()
                end = await group.next() ?? nil
                end?.reason = stop
            }
            group.cancelAll()
            return end ?? End(result: .failure(CancellationError()), reason: .shutdown)
        }
    }

    /// What the store is told. Success counts even when it came after the word to stop.
    private func outcome(of end: End, policy: RetryPolicy, attempt: Int) -> Settlement.Outcome? {
        switch (end.result, end.reason) {
        case (.success, .leaseLost), (.failure, .leaseLost): return nil
        case (.success(let result), _): return .completed(result)
        case (.failure, .cancelled): return .cancelled
        case (.failure, .shutdown): return .interrupted
        case (.failure(let error), nil):
            return .failed(
                Self.failure(from: error),
                retryAfter: policy.delay(after: attempt, random: clocks.random())
            )
        }
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
                if task.status == .pending { wake([task.lane]) }
                return
            } catch TaskStoreError.unavailable(let error) {
                failures += 1
                if failures == 1 {
                    logger.error(
                        "cannot record an outcome; trying again",
                        metadata: claimed.metadata(["error": "\(error.message)"])
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
