// One attempt from the outside: what was claimed, and how it is told to stop.

import BelfryCore
import Synchronization

/// An attempt that this worker runs. One object, since everyone who has to do with it would copy the task.
final class RunningAttempt: Sendable {
    let claimed: ClaimedTask
    /// The names of its devices by resource, and what programs are told of them.
    let devices: [String: [String]]
    let environment: [String: String]
    let stop = AttemptStop()

    var id: TaskID { claimed.task.id }

    init(_ claimed: ClaimedTask, devices: [String: [String]], environment: [String: String]) {
        self.claimed = claimed
        self.devices = devices
        self.environment = environment
    }
}

/// Waits until an attempt's work has ended or is to be stopped, whichever comes first.
final class AttemptStop: Sendable {
    private struct State {
        var result: Result<TaskResult, any Error>?
        var reason: TaskWorker.StopReason?
        var waiting: CheckedContinuation<Void, Never>?

        var isSettled: Bool { result != nil || reason != nil }
    }

    private let state = Mutex(State())

    /// Has the work stopped. Only the first reason counts, and none after the work has ended.
    func stop(_ reason: TaskWorker.StopReason) {
        change { if !$0.isSettled { $0.reason = reason } }
    }

    /// Runs `work`, cancelling it when a reason to stop arrives.
    func run(
        _ bounds: AttemptBounds,
        _ work: @escaping @Sendable () async throws -> TaskResult
    ) async -> TaskWorker.End {
        await withDiscardingTaskGroup { group in
            group.addTask {
                do { self.end(.success(try await work())) } catch { self.end(.failure(error)) }
            }
            for wait in bounds.waits {
                group.addTask { if let failure = await wait() { self.stop(.timedOut(failure)) } }
            }
            await settled()
            // The work, when it is to stop; it may take its time. Otherwise what waits for the bounds.
            group.cancelAll()
        }
        return state.withLock { state in
            // Only a worker that is itself cancelled cancels the work without a reason.
            let reason = state.reason ?? (Task.isCancelled ? .shutdown : nil)
            return TaskWorker.End(result: state.result ?? .failure(CancellationError()), reason: reason)
        }
    }

    private func end(_ result: Result<TaskResult, any Error>) { change { $0.result = result } }

    private func change(_ body: (inout State) -> Void) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            body(&state)
            guard state.isSettled else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    private func settled() async {
        await withCheckedContinuation { continuation in
            let isSettled = state.withLock { state in
                if !state.isSettled { state.waiting = continuation }
                return state.isSettled
            }
            if isSettled { continuation.resume() }
        }
    }
}
