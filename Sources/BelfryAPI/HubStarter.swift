// Starts a hub when a submission finds none: once, however many clients ask at the same time, and
// outside the terminal's session, so that closing the terminal ends nothing.

import BelfryCore
import Glibc

/// Starts `belfryd` in the background and waits until it answers.
public struct HubStarter: Sendable {
    public let places: Places
    /// The directory of `belfryd`; `belfry-launch` is there or in `../libexec/belfry`.
    public let programs: String
    /// The environment that the hub gets.
    public let environment: [String: String]

    /// - Parameter environment: the caller's; what belongs to its terminal is left out.
    public init(places: Places, programs: String, environment: [String: String]) {
        self.places = places
        self.programs = programs
        self.environment = environment.filter {
            !Self.ofTheTerminal.contains($0.key) && !$0.key.hasPrefix("SSH_")
        }
    }

    private static let ofTheTerminal: Set<String> = [
        "_", "PWD", "OLDPWD", "SHLVL", "TERM", "TERM_PROGRAM", "COLORTERM", "COLUMNS", "LINES", "TMUX",
        "TMUX_PANE",
        "STY", "WINDOWID", "LD_PRELOAD", "LD_LIBRARY_PATH",
    ]

    /// The directory of the running program, or `BELFRY_BIN_DIR`.
    public static func programsDirectory(environment: [String: String]) -> String {
        if let directory = environment["BELFRY_BIN_DIR"], directory.hasPrefix("/") { return directory }
        guard let target = realpath("/proc/self/exe", nil) else { return "/usr/bin" }
        defer { free(target) }
        let path = String(cString: target)
        return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
    }

    /// Where a program of ours is, beside the others or in `../libexec/belfry`.
    public static func program(_ name: String, in programs: String) -> String? {
        ["\(programs)/\(name)", "\(programs)/../libexec/belfry/\(name)"].first { access($0, X_OK) == 0 }
    }

    /// Starts a hub unless one answers by now.
    ///
    /// - Throws: ``BelfryError`` with what the hub said when it could not start.
    public func start() throws {
        try places.prepareRuntime()
        try places.prepareState()
        let lock = try lockStart()
        defer { close(lock) }
        if answers() { return }
        try spawn()
    }

    private func answers() -> Bool { (try? HubSocket(connectingTo: places.socket)) != nil }

    /// Losers wait here until the winner's hub answers. The file is never removed: a lock on a
    /// removed file would exclude nobody.
    private func lockStart() throws -> Int32 {
        let path = places.runtime + "/start.lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw BelfryError(
                .notWritable,
                "Cannot open \(path): \(String(cString: strerror(errno))).",
                fix: "Make \(places.runtime) writable, or set BELFRY_RUNTIME_DIR."
            )
        }
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
        return descriptor
    }

    /// Starts the hub through `belfry-launch detach` and reads its one word from a pipe: `ready`,
    /// or a problem document that says why it could not start.
    private func spawn() throws {
        guard let launcher = Self.program("belfry-launch", in: programs),
            let hub = Self.program("belfryd", in: programs)
        else {
            throw BelfryError(
                .noHub,
                "The programs belfryd and belfry-launch are not beside belfry in \(programs).",
                fix: "Install Belfry as a whole (make install), or set BELFRY_BIN_DIR."
            )
        }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
            throw BelfryError(.internalError, "Cannot make a pipe: \(String(cString: strerror(errno))).")
        }
        defer { close(ends[0]) }
        let arguments = [
            launcher, "detach", "--log", places.hubLog, "--keep-fd", "3", "--", hub, "--autostarted",
            "--ready-fd", "3",
        ]
        let pid = try launch(arguments, passing: ends[1])
        close(ends[1])
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let word = Self.readToEnd(ends[0])
        guard word.hasPrefix("ready") else { throw failure(word) }
    }

    /// - Parameter word: the problem document that the hub left, or nothing.
    private func failure(_ word: String) -> BelfryError {
        guard let problem = try? JSONValue(parsing: word), let reason = BelfryError(problem: problem) else {
            return BelfryError(
                .noHub,
                "The hub could not start. It ended without a word; its log is \(places.hubLog).",
                fix: "See: belfry doctor"
            )
        }
        return BelfryError(
            reason.code == .notWritable ? reason.code : .noHub,
            "The hub could not start. \(reason.message)",
            fix: reason.fix ?? "See: belfry doctor"
        )
    }

    private func launch(_ arguments: [String], passing descriptor: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The descriptor may be 3 already, and dup2 onto itself would leave it close-on-exec.
        let high = fcntl(descriptor, F_DUPFD_CLOEXEC, 10)
        defer { close(high) }
        posix_spawn_file_actions_adddup2(&actions, high, 3)
        var pid = pid_t()
        let pointers = arguments.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in pointers + variables { free(pointer) } }
        let code = posix_spawn(&pid, arguments[0], &actions, nil, pointers, variables)
        guard code == 0 else {
            throw BelfryError(.noHub, "Cannot start \(arguments[0]): \(String(cString: strerror(code))).")
        }
        return pid
    }

    private static func readToEnd(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
            // A hub that runs keeps the pipe open no longer than this word.
            if bytes.starts(with: "ready".utf8) { return "ready" }
        }
    }
}
