// Programs that a test starts beside itself: a screen, a notification server. Each is ended by its pid, and
// ends by itself when the test's process dies, even by SIGKILL.

import BusTesting
import Dispatch
import FoundationEssentials
public import Glibc
import Synchronization

/// A program that runs until it is ended or this object goes.
public final class ChildProcess: Sendable {
    /// The process's id. It is not given to another process while this one is signalled here.
    public let pid: pid_t
    /// The file that has what the program printed, both streams.
    public let log: String
    private let life: Life
    private let lastSignal: Int32

    /// Whether it still runs, and the wait for its end.
    private final class Life: Sendable {
        /// The status as `wait` gives it, once the process has ended.
        let status = Watched<Int32?>(nil)
        private let reaping = Mutex(false)

        func signal(_ signal: Int32, to pid: pid_t) {
            reaping.withLock { isReaped in if !isReaped { _ = Glibc.kill(pid, signal) } }
        }

        /// Blocks until the process has ended.
        func awaitEnd(of pid: pid_t) {
            var details = siginfo_t()
            while waitid(P_PID, id_t(pid), &details, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            var status: Int32 = 0
            reaping.withLock { isReaped in
                waitpid(pid, &status, 0)
                isReaped = true
            }
            self.status.update { [status] in $0 = status }
        }
    }

    private init(pid: pid_t, log: String, life: Life, lastSignal: Int32) {
        self.pid = pid
        self.log = log
        self.life = life
        self.lastSignal = lastSignal
    }

    deinit { life.signal(lastSignal, to: pid) }

    /// Starts `command` with exactly this environment.
    ///
    /// - Parameters:
    ///   - log: the file for what it prints.
    ///   - descriptor: becomes descriptor 3 of the program.
    ///   - tidiesUp: whether SIGTERM ends it when nobody wants it any more, since it has files to remove;
    ///     else SIGKILL. Defaults to false.
    public static func start(
        _ command: [String],
        environment: [String: String],
        log: String,
        descriptor: Int32? = nil,
        tidiesUp: Bool = false
    ) async throws -> ChildProcess {
        let life = Life()
        let pid: pid_t = try await withCheckedThrowingContinuation { continuation in
            // The kernel sends the death signal when the *thread* that started the process ends, so the
            // thread that starts it stays to wait for it.
            DispatchQueue(label: "child \(command[0])").async {
                do {
                    let pid = try spawn(
                        command,
                        environment: environment,
                        log: log,
                        descriptor: descriptor,
                        as: 3,
                        deathSignal: tidiesUp ? "TERM" : "KILL"
                    )
                    continuation.resume(returning: pid)
                    life.awaitEnd(of: pid)
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
        return ChildProcess(pid: pid, log: log, life: life, lastSignal: tidiesUp ? SIGTERM : SIGKILL)
    }

    /// False from the moment that its end is known.
    public var isRunning: Bool { life.status.value == nil }

    /// Sends `signal`, unless it has ended already.
    public func signal(_ signal: Int32) { life.signal(signal, to: pid) }

    /// Waits until it has ended by itself.
    ///
    /// - Returns: the exit code, or 128 and the signal's number.
    @discardableResult
    public func untilEnded(within patience: Duration = patience) async throws -> Int {
        let status = try await life.status.first("the end of process \(pid)", within: patience) { $0 }
        return status & 0x7f == 0 ? Int(status >> 8 & 0xff) : 128 + Int(status & 0x7f)
    }

    /// Runs `body`, unless the process ends before it is done.
    ///
    /// - Throws: ``DesktopFault`` with what the process printed when it has ended; what `body` throws.
    @discardableResult
    public func until<Result: Sendable>(
        _ what: String,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask(operation: body)
            group.addTask {
                let code = try await self.untilEnded(within: .seconds(600))
                throw DesktopFault("process \(self.pid) ended with \(code), not \(what): \(self.output)")
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }

    /// Ends it: politely first, with SIGKILL when two seconds do not suffice.
    public func end() async {
        signal(SIGTERM)
        signal(SIGCONT)
        if (try? await untilEnded(within: .seconds(2))) != nil { return }
        await kill()
    }

    /// Ends it with SIGKILL, and returns when it is gone.
    public func kill() async {
        signal(SIGKILL)
        _ = try? await untilEnded()
    }

    /// What it has printed.
    public var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
}

/// A program could not be started or did not do its work.
public struct DesktopFault: Error, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
