// A process that lives no longer than the test's: the kernel ends it when the test's process ends, however
// that came about.

import Dispatch
import Glibc
import Synchronization

/// A program that runs until it is killed.
final class Child: Sendable {
    let pid: pid_t
    private let life: Life

    private final class Life: Sendable {
        let isReaped = Mutex(false)
        /// Left when the process is gone.
        let end = DispatchGroup()
    }

    private init(pid: pid_t, life: Life) {
        self.pid = pid
        self.life = life
    }

    /// Starts a program and returns when it has written a line to `descriptor`, by which it says that it is
    /// ready.
    static func start(
        _ arguments: [String],
        lineOn descriptor: Int32 = 1,
        log: String,
        environment: [String: String] = [:]
    ) async throws -> Child {
        let life = Life()
        return try await withCheckedThrowingContinuation { continuation in
            // The kernel sends the death signal when the thread ends that has started the process, so that
            // thread, one of its own, stays to wait for it.
            DispatchQueue(label: "child \(arguments[0])").async {
                run(arguments, descriptor, log, environment, life) { continuation.resume(with: $0) }
            }
        }
    }

    /// Ends the process at once (SIGKILL) and returns when it is gone.
    func kill() {
        life.isReaped.withLock { isReaped in if !isReaped { _ = Glibc.kill(pid, SIGKILL) } }
        life.end.wait()
    }

    private static func run(
        _ arguments: [String],
        _ descriptor: Int32,
        _ log: String,
        _ environment: [String: String],
        _ life: Life,
        _ report: (Result<Child, any Error>) -> Void
    ) {
        do {
            let pipe = try Pipe()
            defer { close(pipe.reader) }
            let pid = Result {
                try spawn(
                    arguments,
                    environment: BusTesting.environment(adding: environment),
                    log: log,
                    descriptor: pipe.writer,
                    as: descriptor
                )
            }
            close(pipe.writer)
            let child = Child(pid: try pid.get(), life: life)
            life.end.enter()
            let isReady = Result { try awaitLine(pipe.reader, of: arguments[0], log) }
            report(isReady.map { child })
            reap(child.pid, life)
        } catch {
            report(.failure(error))
        }
    }

    private static func awaitLine(_ descriptor: Int32, of program: String, _ log: String) throws {
        var byte: UInt8 = 0
        while byte != UInt8(ascii: "\n") {
            let count = read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else {
                throw BusTestingFailure("\(program) was not ready; it said: \(text(log))")
            }
        }
    }

    private static func reap(_ pid: pid_t, _ life: Life) {
        var details = siginfo_t()
        while waitid(P_PID, id_t(pid), &details, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        life.isReaped.withLock { isReaped in
            wait(for: pid)
            isReaped = true
        }
        life.end.leave()
    }

    private static func text(_ path: String) -> String {
        guard let file = fopen(path, "re") else { return "nothing" }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
