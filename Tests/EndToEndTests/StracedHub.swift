// A hub whose system calls fail or kill it on demand: strace stands between it and the kernel.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Synchronization
import Testing

/// Runs `belfryd` under strace. A call is counted for each thread of the hub by itself.
struct StracedHub: Sendable {
    static let isThere = access("/usr/bin/strace", X_OK) == 0

    let sandbox: Sandbox
    /// What strace is to do, such as `inject=pwrite64:signal=SIGKILL:when=3`.
    let rules: [String]

    struct Result: Sendable {
        var ran: Ran
        /// Whether it had come as far as to answer.
        var answered: Bool
        /// Whether it still answered after the work.
        var wasAlive: Bool
    }

    init(_ sandbox: Sandbox, _ rules: [String]) {
        self.sandbox = sandbox
        self.rules = rules
    }

    /// Starts the hub, does `work` when it answers, kills what is left of it.
    ///
    @discardableResult
    func run(_ work: @Sendable () async throws -> Void) async throws -> Result {
        let hasEnded = Ended()
        async let hub = start(noting: hasEnded)
        var answers = false
        while !answers, !hasEnded.value {
            answers = (try? client.send("GET", "/healthz")) != nil
            await Task.yield()
        }
        if answers { try await work() }
        // Who may not answer any more is given no chance to be taken for alive.
        let isAlive = (try? client.send("GET", "/healthz")) != nil
        if let pid = sandbox.hubProcess { kill(pid, SIGKILL) }
        return Result(ran: try await hub, answered: answers, wasAlive: isAlive)
    }

    private var client: HubClient { HubClient(socketPath: sandbox.places.socket) }

    private func start(noting hasEnded: Ended) async throws -> Ran {
        // Without --seccomp-bpf: with it strace 6.1 delivers a signal at the first call or at none.
        let options = ["-f", "-qq", "-o", "/dev/null"] + rules
        let ran = try await sandbox.run("/usr/bin/strace", options + [Sandbox.programs + "/belfryd"])
        hasEnded.set()
        return ran
    }
}

private final class Ended: Sendable {
    private let flag = Mutex(false)
    var value: Bool { flag.withLock { $0 } }
    func set() { flag.withLock { $0 = true } }
}
