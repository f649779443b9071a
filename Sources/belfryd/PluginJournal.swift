// The logs of plugins that stay: what they wrote to stderr, when they were started, crashed and were set aside.
// Their tasks' logs do not have it, and the hub's own log is no place for so much.

import BelfryCore
import BelfryPlugins
import Glibc
import Logging
import Synchronization

/// Writes `ID.log` for each plugin, which becomes `ID.log.1` when it is full.
final class PluginJournal: Sendable {
    /// At most about two times so much is kept of a plugin, in bytes.
    static let limit = 1 << 20

    private let directory: String
    private let clock: any WallClock
    private let logger: Logger
    /// One line after the other; whether a line could not be written, which is told once.
    private let hasFailed = Mutex(false)

    init(directory: String, clock: any WallClock = SystemWallClock(), logger: Logger) {
        self.directory = directory
        self.clock = clock
        self.logger = logger
    }

    /// Adds a line: `TIME  ` before what the plugin said, `TIME * ` before what became of it.
    func note(_ note: PluginNote, of id: String) {
        let text =
            switch note {
            case .said(let line): "  " + line
            case .happened(let words): "* " + words.replacing("\n", with: " ")
            }
        hasFailed.withLock { hasFailed in
            let failure = append("\(clock.now) \(text)\n", to: "\(directory)/\(id).log")
            if let failure, !hasFailed {
                logger.warning(
                    "a plugin's log cannot be written",
                    metadata: ["plugin": "\(id)", "reason": "\(failure)"]
                )
            }
            hasFailed = failure != nil
        }
    }

    /// - Returns: why it could not.
    private func append(_ line: String, to path: String) -> String? {
        mkdir(directory, 0o700)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        let bytes = Array(line.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            return String(cString: strerror(errno))
        }
        var info = stat()
        if fstat(descriptor, &info) == 0, info.st_size >= Self.limit { rename(path, path + ".1") }
        return nil
    }
}
