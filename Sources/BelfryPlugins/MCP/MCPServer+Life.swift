// The process of a server from its start to its end, and what its end means to those who wait.

import BelfryCore
import Synchronization

extension MCPServer {
    /// Runs the process until it has ended.
    func run() async -> End {
        var failure: TaskFailure?
        do {
            failure = try await withThrowingTaskGroup(of: PluginProcess.End?.self) { group in
                group.addTask { [self] in try await runProcess() }
                group.addTask { [self] in
                    await open()
                    return nil
                }
                group.addTask { [self] in
                    await watchAbandoned()
                    return nil
                }
                defer { group.cancelAll() }
                while let end = try await group.next() {
                    guard let end else { continue }
                    state.withLock { $0.errorTail = end.errorTail }
                    return self.failure(end)
                }
                return nil
            }
        } catch let error as TaskFailure {
            failure = error
        } catch {
            state.withLock { $0.wasAsked = true }
        }
        return ended(failure)
    }

    private func runProcess() async throws -> PluginProcess.End {
        try await configuration.process.run(
            connection.channel,
            onLine: { [connection] in connection.take($0) },
            onError: { [self] bytes in
                configuration.onError(bytes)
                log(bytes)
            },
            onDiscard: { [self] in discarded() }
        )
    }

    private func ended(_ failure: TaskFailure?) -> End {
        let (fault, wasAsked, calls, verdict) = state.withLock { state in
            defer { state.calls = [:] }
            state.isRetired = true
            return (state.fault, state.wasAsked, state.calls, state.verdict)
        }
        let reason =
            fault ?? failure
            ?? TaskFailure(
                "no_result",
                "\(configuration.name) ended without an answer.",
                isRetryable: true,
                logTail: state.withLock { $0.errorTail }
            )
        let wasInUse = !isReady || calls.values.contains { !$0.isAbandoned }
        readiness.settle(.failure(reason))
        verdict?.settle(.success(()))
        connection.end(reason)
        for call in calls.values { call.onDone() }
        if wasAsked { return .stopped }
        if let fault { return .crashed(fault) }
        // An end in order, when nobody wanted anything, is no crash.
        return failure != nil || wasInUse ? .crashed(reason) : .stopped
    }

    /// What the end of the process means to those who waited for it; nil when it ended in order.
    private func failure(_ end: PluginProcess.End) -> TaskFailure? {
        let end = ExecHost.End(
            status: end.status,
            timeout: nil,
            errorTail: end.errorTail,
            discardedLines: end.discardedLines
        )
        guard var failure = ExecEnd.failure(end, said: nil, program: configuration.name) else { return nil }
        if failure.code == "exit_status" { failure.code = "crashed" }
        failure.isRetryable = failure.code == "crashed"
        return failure
    }
}
