// The files that belong to tasks: what attempts make, and what they log. Nothing outside these
// two directories is ever touched, and every name in them is made from a checked task id.

public import BelfryCore
import Glibc
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The result directories and attempt logs of a hub.
public final class TaskFiles: Sendable {
    /// Where attempts put their files: `<results>/<task id>/<fence>/`.
    public let resultsDirectory: String
    /// Where attempts' logs are: `<logs>/<task id>.<attempt>.log`.
    public let logsDirectory: String
    /// What is kept of one attempt's log, in bytes.
    public let logLimit: Int

    private let watchers = Mutex<[TaskID: [Int: AsyncStream<Void>.Continuation]]>([:])
    private let nextWatcher = Atomic<Int>(0)

    /// - Throws: ``BelfryError`` `not_writable` when the directories cannot be made.
    public init(directory: String, logLimit: Int = 8 << 20) throws {
        resultsDirectory = directory + "/results"
        logsDirectory = directory + "/logs"
        self.logLimit = logLimit
        for path in [resultsDirectory, logsDirectory] { try Self.makeDirectory(path) }
    }

    private static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        throw BelfryError(
            .notWritable,
            "Cannot make the directory \(path): \(String(cString: strerror(errno))).",
            fix: "Make its parent writable, or set BELFRY_STATE_DIR to a directory that is."
        )
    }

    /// What is free for results, in bytes; `Int64.max` when the file system does not say.
    var freeSpace: Int64 {
        var info = statvfs()
        guard statvfs(resultsDirectory, &info) == 0 else { return .max }
        return Int64(clamping: UInt64(info.f_bavail) * UInt64(info.f_frsize))
    }

    /// What all results take together, in bytes, as their files say.
    func resultsSize() -> Int64 {
        let manager = FileManager.default
        guard let paths = try? manager.subpathsOfDirectory(atPath: resultsDirectory) else { return 0 }
        return paths.reduce(0) { total, path in
            var info = stat()
            guard lstat("\(resultsDirectory)/\(path)", &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
                return total
            }
            return total + Int64(info.st_size)
        }
    }

    /// Makes the empty output directory of an attempt.
    func makeOutputDirectory(of claim: Claim) throws -> String {
        let task = taskDirectory(claim.taskID)
        let path = outputDirectory(of: claim)
        try Self.makeAttemptDirectory(task)
        try Self.makeAttemptDirectory(path)
        return path
    }

    private static func makeAttemptDirectory(_ path: String) throws {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        let reason = String(cString: strerror(errno))
        throw TaskFailure(
            errno == ENOSPC || errno == EDQUOT ? "disk_full" : "no_output_directory",
            "Cannot make the directory for results, \(path): \(reason).",
            fix: "Free some space, or make the directory writable.",
            isRetryable: true
        )
    }

    /// Removes an attempt's output that nobody will read.
    func removeOutput(of claim: Claim) {
        try? FileManager.default.removeItem(atPath: outputDirectory(of: claim))
        rmdir(taskDirectory(claim.taskID))
    }

    /// Removes an attempt's directory when the attempt put nothing there.
    func removeEmptyOutput(of claim: Claim) {
        if rmdir(outputDirectory(of: claim)) == 0 { rmdir(taskDirectory(claim.taskID)) }
    }

    /// Removes everything that belongs to a task.
    func removeAll(of task: TaskSummary) {
        try? FileManager.default.removeItem(atPath: taskDirectory(task.id))
        guard task.attempt > 0 else { return }
        for attempt in 1...task.attempt { unlink(logPath(of: task.id, attempt: attempt)) }
    }

    private func taskDirectory(_ id: TaskID) -> String { "\(resultsDirectory)/\(id.rawValue)" }

    private func outputDirectory(of claim: Claim) -> String {
        "\(taskDirectory(claim.taskID))/\(claim.fence)"
    }

    public func logPath(of id: TaskID, attempt: Int) -> String {
        "\(logsDirectory)/\(id.rawValue).\(attempt).log"
    }

    /// The log of an attempt that begins.
    func makeLog(of id: TaskID, attempt: Int) -> AttemptLog {
        AttemptLog(of: id, attempt: attempt, in: self)
    }

    /// A signal whenever the log of `id` may have grown or its attempt has ended.
    public func logSignals(of id: TaskID) -> AsyncStream<Void> {
        let key = nextWatcher.add(1, ordering: .relaxed).newValue
        return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            watchers.withLock { $0[id, default: [:]][key] = continuation }
            continuation.onTermination = { [weak self] _ in self?.removeWatcher(key, of: id) }
        }
    }

    private func removeWatcher(_ key: Int, of id: TaskID) {
        watchers.withLock { watchers in
            watchers[id]?[key] = nil
            if watchers[id]?.isEmpty == true { watchers[id] = nil }
        }
    }

    func wake(_ id: TaskID) {
        let waiting = watchers.withLock { $0[id].map { Array($0.values) } ?? [] }
        for watcher in waiting { watcher.yield() }
    }
}

/// The log of one attempt: made when the first bytes come, and cut off at a bound.
final class AttemptLog: Sendable {
    private struct State {
        var descriptor: Int32 = -1
        var size = 0
        var isClosed = false
    }

    private let id: TaskID
    private let attempt: Int
    private let files: TaskFiles
    private let state = Mutex(State())

    init(of id: TaskID, attempt: Int, in files: TaskFiles) {
        self.id = id
        self.attempt = attempt
        self.files = files
    }

    private var limit: Int { files.logLimit }

    /// Appends, up to the bound; a log that cannot be written loses bytes, never the attempt.
    func append(_ bytes: [UInt8]) {
        let grew = state.withLock { state -> Bool in
            guard !state.isClosed, state.size < limit, open(&state) else { return false }
            let kept = bytes.prefix(limit - state.size)
            write(Array(kept), to: state.descriptor)
            state.size += kept.count
            if state.size >= limit {
                write(Array("\n[the log ends here: it reached \(limit) bytes]\n".utf8), to: state.descriptor)
            }
            return true
        }
        if grew { files.wake(id) }
    }

    /// The end of the attempt says so to who follows the log.
    func close() {
        state.withLock { state in
            if state.descriptor >= 0 { Glibc.close(state.descriptor) }
            state.descriptor = -1
            state.isClosed = true
        }
    }

    private func open(_ state: inout State) -> Bool {
        if state.descriptor < 0 {
            let path = files.logPath(of: id, attempt: attempt)
            state.descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        return state.descriptor >= 0
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}
