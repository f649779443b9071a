// Starts a program and stays with it. A cancelled Swift task stops reading at once, and belfry-launch takes a
// reader that is gone for a hub that is gone: it would kill the tree without its grace. So being cancelled is
// translated into TERM here, and the program is heard until it has ended.

import BelfryCore
import Subprocess
import SystemPackage

extension Launch {
    typealias Running = Execution<CustomWriteInput, SequenceOutput, SequenceOutput>

    /// Runs the program until nothing of its tree is left.
    ///
    /// - Parameters:
    ///   - sleep: for the time in which belfry-launch must be done.
    ///   - attend: writes and reads the program's streams until they end; it is not cancelled.
    /// - Throws: `CancellationError` when cancelled, after TERM, grace and KILL; ``TaskFailure`` `cannot_start`, or
    ///   `plugin_changed` when the files are not those that were pinned.
    func run(
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        attend: @escaping @Sendable (Running) async throws -> Void
    ) async throws -> TerminationStatus {
        try Task.checkCancellation()
        try pins?.check()
        let (stops, stop) = AsyncStream.makeStream(of: Void.self)
        // Unstructured, but awaited at once: the one way to keep the streams from being cancelled.
        let run = Task {
            try await Subprocess.run(
                .path(FilePath(launcher)),
                arguments: launcherArguments,
                environment: subprocessEnvironment,
                input: .inputWriter,
                output: .sequence,
                error: .sequence
            ) { execution in
                try await withThrowingTaskGroup { group in
                    group.addTask { try await attend(execution) }
                    group.addTask { await end(execution, after: stops, sleep) }
                    try await group.next()
                    group.cancelAll()
                }
            }.terminationStatus
        }
        do {
            let status = try await withTaskCancellationHandler {
                try await run.value
            } onCancel: {
                stop.yield()
            }
            try Task.checkCancellation()
            return status
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            throw failure(error)
        }
    }

    /// TERM has belfry-launch end the tree, by force after the grace; one that does not end then is killed itself.
    private func end(
        _ execution: Running,
        after stops: AsyncStream<Void>,
        _ sleep: @Sendable (Duration) async throws -> Void
    ) async {
        for await _ in stops {
            try? execution.send(signal: .terminate)
            guard (try? await sleep(cancelGrace + .seconds(5))) != nil else { return }
            try? execution.send(signal: .kill)
        }
    }
}
