// What makes a program of a Swift type that is a feature: it serves exec/1 on stdin and stdout.

public import BelfryCore
import Glibc
import Synchronization

/// Serves features as a plugin.
public enum PluginMain {
    /// Does the one task that the hub gives on stdin, and ends the process.
    ///
    /// What an earlier attempt saved is in `context.checkpoint`; a ``TaskSnooze`` that is thrown puts the task off.
    /// What `print` writes goes to the task's log, not between the lines of the protocol. SIGTERM
    /// cancels the task in which `process` runs.
    public static func serve(_ features: any Feature...) async -> Never {
        let output = ProtocolOutput()
        let status: Int32
        do {
            let request = try PluginRequest(readToEnd(STDIN_FILENO))
            guard let feature = features.first(where: { $0.descriptor.id == request.featureID }) else {
                throw TaskFailure("unknown_feature", "This program does not serve '\(request.featureID)'.")
            }
            let result = try await cancellable {
                try await feature.process(request.params, request.context(output))
            }
            output.write(result)
            status = 0
        } catch let snooze as TaskSnooze {
            output.write(snooze)
            status = 0
        } catch {
            output.write(failure(from: error))
            status = 1
        }
        exit(status)
    }

    private static func failure(from error: any Error) -> TaskFailure {
        switch error {
        case let failure as TaskFailure: failure
        case let error as BelfryError: TaskFailure(error.code.rawValue, error.message, fix: error.fix)
        case is CancellationError: TaskFailure("cancelled", "The task was cancelled.")
        default: TaskFailure("feature_error", "\(error)")
        }
    }

    /// Runs `work` so that SIGTERM cancels it. A thread of its own waits for the signal.
    private static func cancellable(_ work: @escaping @Sendable () async throws -> TaskResult) async throws
        -> TaskResult
    {
        let (terms, term) = AsyncStream.makeStream(of: Void.self)
        Termination.watch { term.finish() }
        return try await withThrowingTaskGroup(of: TaskResult?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                for await _ in terms {}
                return nil
            }
            if let result = try await group.next() ?? nil {
                group.cancelAll()
                return result
            }
            group.cancelAll()
            guard let result = try await group.next() ?? nil else { throw CancellationError() }
            return result
        }
    }

    private static func readToEnd(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}

extension TaskResult {
    /// A result that is one file.
    ///
    /// - Parameter path: inside the attempt's output directory.
    public static func file(_ path: String, mime: String? = nil, value: JSONValue? = nil) -> TaskResult {
        TaskResult(value: value, artifacts: [Artifact(uri: FileURI.make(path), mime: mime)])
    }
}
