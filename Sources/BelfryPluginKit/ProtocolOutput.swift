// What the program says to the hub: whole lines, not more often than is of use.

import BelfryCore
import Glibc
import Synchronization

/// The lines of the protocol, on a descriptor that nothing else in the program knows.
final class ProtocolOutput: Sendable {
    private struct Progress {
        var percent: Double?
        var message: String?
    }

    private struct State {
        /// Until it ends, progress and checkpoints are kept back.
        var isPausing = false
        var progress: Progress?
        /// `.some(nil)` forgets.
        var checkpoint: JSONValue??
    }

    private let descriptor: Int32
    /// Held while a line is written, so that no two of them mix.
    private let state = Mutex(State())
    private let interval = Duration.milliseconds(50)

    init() {
        descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        // From here on what is printed lands in the task's log.
        dup2(STDERR_FILENO, STDOUT_FILENO)
    }

    /// At most twenty lines a second. What comes sooner is kept, and the newest of it written then.
    func write(percent: Double?, message: String?) {
        keep { state in
            state.progress = Progress(
                percent: percent ?? state.progress?.percent,
                message: message ?? state.progress?.message
            )
        }
    }

    /// As often as progress; but the last one is written in any case, before the outcome.
    func write(checkpoint: JSONValue?) { keep { $0.checkpoint = .some(checkpoint) } }

    private func keep(_ change: (inout State) -> Void) {
        let isFirst = state.withLock { state in
            change(&state)
            guard !state.isPausing else { return false }
            state.isPausing = true
            writeKept(&state)
            return true
        }
        // Not awaited: who reports does not wait for the pause, and the outcome makes it needless.
        if isFirst { Task { await writeAfterPauses() } }
    }

    private func writeAfterPauses() async {
        var isPausing = true
        while isPausing {
            try? await Task.sleep(for: interval)
            isPausing = state.withLock { state in
                state.isPausing = state.progress != nil || state.checkpoint != nil
                writeKept(&state)
                return state.isPausing
            }
        }
    }

    private func writeKept(_ state: inout State) {
        if let progress = state.progress { line(progress) }
        if let checkpoint = state.checkpoint {
            line(["type": "checkpoint", "value": checkpoint ?? .null])
        }
        state.progress = nil
        state.checkpoint = nil
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
        end(.object(object))
    }

    func write(_ failure: TaskFailure) {
        var object: JSONObject = [
            "type": "error", "code": .string(failure.code), "message": .string(failure.message),
        ]
        object.set("fix", failure.fix.map { .string($0) })
        object["retryable"] = .bool(failure.isRetryable)
        end(.object(object))
    }

    func write(_ snooze: TaskSnooze) {
        var object: JSONObject = ["type": "snooze", "seconds": .double(snooze.delay.seconds)]
        object.set("message", snooze.message.map { .string($0) })
        end(.object(object))
    }

    /// The outcome, after the last checkpoint; progress that was kept is of no use any more.
    private func end(_ outcome: JSONValue) {
        state.withLock { state in
            state.progress = nil
            writeKept(&state)
            line(outcome)
        }
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
