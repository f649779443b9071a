// What makes a program of a Swift type that is a feature: it serves exec/1 on stdin and stdout.

public import BelfryCore
import Glibc
import Synchronization

/// Serves features as a plugin.
public enum PluginMain {
    /// Does the one task that the hub gives on stdin, and ends the process.
    ///
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

/// The request that the hub writes on stdin.
struct PluginRequest: Sendable {
    let featureID: String
    let params: JSONValue
    private let taskID: TaskID
    private let attempt: Int
    private let fence: Int64
    private let outputDirectory: String

    init(_ bytes: [UInt8]) throws {
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes) } catch {
            throw TaskFailure(
                "bad_request",
                "stdin is not a request of exec/1: \(error)",
                fix: "Run it through Belfry: belfry run …"
            )
        }
        let reader = JSONReader(json, what: "request")
        featureID = try reader.string("featureId")
        params = json["params"] ?? [:]
        taskID = try reader.taskID("taskId")
        attempt = Int(json["attempt"]?.int ?? 1)
        fence = json["fence"]?.int ?? 0
        outputDirectory = try reader.string("outputDir")
    }

    func context(_ output: ProtocolOutput) -> FeatureContext {
        FeatureContext(
            taskID: taskID,
            featureID: featureID,
            attempt: attempt,
            fence: fence,
            outputDirectory: outputDirectory,
            onProgress: { percent, message in output.write(percent: percent, message: message) },
            onLog: { bytes in output.log(bytes) }
        )
    }
}

/// The lines of the protocol, on a descriptor that nothing else in the program knows.
final class ProtocolOutput: Sendable {
    private struct Progress {
        var percent: Double?
        var message: String?
    }

    private struct State {
        /// Until it ends, progress is kept back.
        var isPausing = false
        var kept: Progress?
    }

    private let descriptor: Int32
    private let state = Mutex(State())
    private let interval = Duration.milliseconds(50)

    init() {
        descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        // From here on what is printed lands in the task's log.
        dup2(STDERR_FILENO, STDOUT_FILENO)
    }

    /// At most twenty lines a second. What comes sooner is kept, and the newest of it written then.
    func write(percent: Double?, message: String?) {
        let isFirst = state.withLock { state in
            if state.isPausing {
                state.kept = Progress(
                    percent: percent ?? state.kept?.percent,
                    message: message ?? state.kept?.message
                )
                return false
            }
            state.isPausing = true
            line(Progress(percent: percent, message: message))
            return true
        }
        // Not awaited: who reports does not wait for the pause, and the last line makes it needless.
        if isFirst { Task { await writeKept() } }
    }

    private func writeKept() async {
        var isPausing = true
        while isPausing {
            try? await Task.sleep(for: interval)
            isPausing = state.withLock { state in
                guard let kept = state.kept else {
                    state.isPausing = false
                    return false
                }
                line(kept)
                state.kept = nil
                return true
            }
        }
    }

    private func line(_ progress: Progress) {
        var object: JSONObject = ["type": "progress"]
        object.set("percent", progress.percent.map { .double($0) })
        object.set("message", progress.message.map { .string($0) })
        line(.object(object))
    }

    func write(_ result: TaskResult) {
        let artifacts = result.artifacts.map { artifact -> JSONValue in
            var object: JSONObject = ["path": .string(FileURI.path(artifact.uri) ?? artifact.uri)]
            object.set("mime", artifact.mime.map { .string($0) })
            return .object(object)
        }
        var object: JSONObject = ["type": "result"]
        object["value"] = result.value ?? [:]
        object["artifacts"] = .array(artifacts)
        line(.object(object))
    }

    func write(_ failure: TaskFailure) {
        var object: JSONObject = [
            "type": "error", "code": .string(failure.code), "message": .string(failure.message),
        ]
        object.set("fix", failure.fix.map { .string($0) })
        object["retryable"] = .bool(failure.isRetryable)
        line(.object(object))
    }

    func log(_ bytes: [UInt8]) { Self.writeAll(bytes, to: STDERR_FILENO) }

    private func line(_ json: JSONValue) { Self.writeAll(json.encoded + [0x0A], to: descriptor) }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}

/// SIGTERM as a call. The handler may do next to nothing, so it writes a byte that a thread waits for.
enum Termination {
    private final class Box: Sendable {
        let action: @Sendable () -> Void
        init(_ action: @escaping @Sendable () -> Void) { self.action = action }
    }

    // Written once, before the handler that reads it is installed.
    nonisolated(unsafe) private static var writeEnd: Int32 = -1
    nonisolated(unsafe) private static var readEnd: Int32 = -1

    static func watch(_ action: @escaping @Sendable () -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { pointer in
                var byte: UInt8 = 0
                while read(Termination.readEnd, &byte, 1) < 0, errno == EINTR {}
                if let pointer { Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().action() }
                return nil
            },
            Unmanaged.passRetained(Box(action)).toOpaque()
        )
        pthread_detach(thread)
        signal(SIGTERM) { _ in
            var byte: UInt8 = 1
            _ = write(Termination.writeEnd, &byte, 1)
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
