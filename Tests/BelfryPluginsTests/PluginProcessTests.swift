// A program that stays: what is said both ways, how it ends, and that nothing piles up in between. The programs
// are real, and so is belfry-launch.

import BelfryCore
import FoundationEssentials
import Glibc
import Subprocess
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("A plugin's process", .timeLimit(.minutes(1)))
struct PluginProcessTests {
    private let directory: TestDirectory

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        directory = try TestDirectory()
    }

    /// A shell script as a process that stays.
    private func process(_ script: String, grace: Duration = .seconds(5)) -> PluginProcess {
        PluginProcess(
            launch: Launch(
                launcher: Attempts.launcher,
                executable: "/bin/sh",
                arguments: ["-c", script],
                environment: ["PATH": "/usr/bin:/bin", "WORD": "given"],
                workingDirectory: directory.path,
                cancelGrace: grace
            )
        )
    }

    /// Runs the process, with `talk` beside it.
    private func run(
        _ process: PluginProcess,
        onLine: @escaping @Sendable (String) async -> Void = { _ in },
        onError: @escaping @Sendable ([UInt8]) -> Void = { _ in },
        talk: @escaping @Sendable (PluginChannel) async throws -> Void
    ) async throws -> PluginProcess.End {
        let channel = PluginChannel()
        async let end = process.run(channel, onLine: onLine, onError: onError)
        try await talk(channel)
        return try await end
    }

    // MARK: Lines

    @Test("lines go in and come out in order; end of input is its end")
    func lines() async throws {
        let heard = Heard()
        let end = try await run(
            process("cat; echo over"),
            onLine: { heard.take($0) },
            talk: { channel in
                try await channel.send(Array("one".utf8))
                channel.post(Array("two".utf8))
                try await channel.send(Array("three".utf8))
                channel.stop(.politely)
            }
        )
        #expect(heard.lines == ["one", "two", "three", "over"])
        #expect(end.status == .exited(0))
    }

    @Test("it runs in its directory, with its environment and nothing else")
    func surroundings() async throws {
        let heard = Heard()
        _ = try await run(
            process("pwd; env | grep -v -e ^PWD -e ^_ -e ^SHLVL -e ^OLDPWD"),
            onLine: { heard.take($0) },
            talk: { _ in }
        )
        #expect(heard.lines.first == directory.path)
        #expect(heard.lines.dropFirst().sorted() == ["PATH=/usr/bin:/bin", "WORD=given"])
    }

    @Test("a line that is too long is thrown away and counted, and the next one is read")
    func longLine() async throws {
        let heard = Heard()
        var process = process("head -c 70000 /dev/zero | tr '\\0' x; echo; echo next")
        process.maxLineBytes = 65536
        let end = try await run(process, onLine: { heard.take($0) }, talk: { _ in })
        #expect(heard.lines == ["next"])
        #expect(end.discardedLines == 1)
    }

    @Test("a flood on stderr is drained while nobody reads stdout; its end is kept")
    func errorFlood() async throws {
        let gate = Gate()
        let bytes = Mutex(0)
        let script = "echo first; head -c 3000000 /dev/zero | tr '\\0' e >&2; echo last words >&2"
        let end = try await run(
            process(script),
            onLine: { _ in await gate.wait() },
            onError: { part in
                let total = bytes.withLock { total in
                    total += part.count
                    return total
                }
                if total == 3_000_011 { gate.open() }
            },
            talk: { _ in }
        )
        #expect(end.errorTail.hasSuffix("last words\n"))
        #expect(end.errorTail.utf8.count == 8192)
    }

    // MARK: Back-pressure

    @Test("who sends to a program that does not read waits until it does")
    func sendingWaits() async throws {
        let go = directory.path + "/go"
        try #require(mkfifo(go, 0o600) == 0)
        let heard = Heard()
        let sent = Heard()
        let line = [UInt8](repeating: 0x78, count: 2 << 20)
        let end = try await run(
            process("echo ready; read x < go; wc -c"),
            onLine: { heard.take($0) },
            talk: { channel in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await channel.send(line)
                        sent.take("it")
                    }
                    await heard.count(1)
                    #expect(sent.lines.isEmpty)
                    try "\n".write(toFile: go, atomically: false, encoding: .utf8)
                    try await group.waitForAll()
                }
                channel.stop(.politely)
            }
        )
        #expect(heard.lines == ["ready", String(line.count + 1)])
        #expect(end.status == .exited(0))
    }

    @Test("a program that talks faster than it is heard has to wait")
    func talkingWaits() async throws {
        let gate = Gate()
        let heard = Heard()
        let done = directory.path + "/done"
        let end = try await run(
            process("yes | head -n 500000; : > done"),
            onLine: { line in
                heard.take(line)
                await gate.wait()
            },
            talk: { _ in
                await heard.count(1)
                #expect(access(done, F_OK) != 0)
                gate.open()
            }
        )
        #expect(heard.lines.count == 500_000)
        #expect(end.status == .exited(0))
    }

    @Test("a sender that is cancelled goes at once; what it had begun is still one line")
    func cancelledSender() async throws {
        let go = directory.path + "/go"
        try #require(mkfifo(go, 0o600) == 0)
        let heard = Heard()
        let line = [UInt8](repeating: 0x78, count: 2 << 20)
        _ = try await run(
            process("echo ready; read x < go; wc -l -c"),
            onLine: { heard.take($0) },
            talk: { channel in
                await heard.count(1)
                await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 { group.addTask { try await channel.send(line) } }
                    group.cancelAll()
                }
                try "\n".write(toFile: go, atomically: false, encoding: .utf8)
                try await channel.send(Array("last".utf8))
                channel.stop(.politely)
            }
        )
        // The first may have been begun before it was cancelled, the others were not.
        let counts = heard.lines.last?.split(separator: " ").compactMap { Int($0) }
        #expect(counts == [2, line.count + 6] || counts == [1, 5])
    }

    // MARK: Ends

    @Test("the status tells of the signal, and the tail what it said last")
    func crash() async throws {
        let end = try await run(process("echo dying >&2; kill -SEGV $$")) { _ in }
        #expect(end.status == .signaled(SIGSEGV))
        #expect(end.errorTail == "dying\n")
    }

    @Test("whoever waits for a program that dies is told, and so is who comes later")
    func sendingToTheDead() async throws {
        let line = [UInt8](repeating: 0x78, count: 2 << 20)
        let kept = Mutex<PluginChannel?>(nil)
        let end = try await run(process("sleep 0.05; exit 3")) { channel in
            await #expect(throws: PluginChannel.Closed.self) { try await channel.send(line) }
            kept.withLock { $0 = channel }
        }
        #expect(end.status == .exited(3))
        let channel = kept.withLock { $0 }
        await #expect(throws: PluginChannel.Closed.self) { try await channel?.send([0x78]) }
    }

    @Test("one that closes its input is asked to end")
    func closesItsInput() async throws {
        var process = process("exec <&-; trap 'exit 4' TERM; while :; do sleep 0.01; done")
        process.sleep = { _ in }
        let end = try await run(process) { channel in
            await #expect(throws: PluginChannel.Closed.self) {
                while true { try await channel.send([0x78]) }
            }
        }
        #expect(end.status == .exited(4))
    }

    @Test("one that does not end with its input gets TERM after the grace")
    func politeThenTerm() async throws {
        let heard = Heard()
        let graces = Mutex<[Duration]>([])
        var process = process("trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done", grace: .seconds(7))
        process.sleep = { grace in graces.withLock { $0.append(grace) } }
        let end = try await run(
            process,
            onLine: { heard.take($0) },
            talk: { channel in
                await heard.count(1)
                channel.stop(.politely)
            }
        )
        #expect(end.status == .exited(5))
        #expect(graces.withLock { $0 } == [.seconds(7)])
    }

    @Test("one that is deaf to TERM is killed with its whole tree, also what left its session")
    func deaf() async throws {
        let heard = Heard()
        let script = "trap '' TERM; setsid sleep 1000 & echo $!; while :; do sleep 0.01; done"
        let end = try await run(
            process(script, grace: .milliseconds(50)),
            onLine: { heard.take($0) },
            talk: { channel in
                await heard.count(1)
                channel.stop(.now)
            }
        )
        #expect(end.status == .signaled(SIGKILL))
        let child = try #require(heard.lines.first.flatMap { pid_t($0) })
        #expect(kill(child, 0) != 0)
    }

    @Test("now is stronger than politely, whenever it comes")
    func nowAfterPolitely() async throws {
        let heard = Heard()
        let didAsk = Gate()
        var process = process("trap 'exit 6' TERM; echo up; while :; do sleep 0.01; done")
        process.sleep = { _ in
            didAsk.open()
            try await Task.sleep(for: .seconds(1000))
        }
        let end = try await run(
            process,
            onLine: { heard.take($0) },
            talk: { channel in
                await heard.count(1)
                channel.stop(.politely)
                await didAsk.wait()
                channel.stop(.now)
            }
        )
        #expect(end.status == .exited(6))
    }

    @Test("cancelling ends it with its tree")
    func cancelled() async throws {
        let heard = Heard()
        let process = process("sleep 1000 & echo $!; wait", grace: .milliseconds(50))
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await process.run(PluginChannel(), onLine: { heard.take($0) })
            }
            await heard.count(1)
            group.cancelAll()
            await #expect(throws: CancellationError.self) { try await group.waitForAll() }
        }
        let child = try #require(heard.lines.first.flatMap { pid_t($0) })
        #expect(kill(child, 0) != 0)
    }

    @Test("without a launcher it is said what to install")
    func noLauncher() async throws {
        var process = process("true")
        process = PluginProcess(
            launch: Launch(launcher: "/nowhere/belfry-launch", executable: "/bin/true", workingDirectory: "/")
        )
        let failure = try await #require(throws: TaskFailure.self) {
            try await process.run(PluginChannel(), onLine: { _ in })
        }
        #expect(failure.code == "cannot_start")
        #expect(failure.fix == "Install Belfry as a whole (make install).")
    }
}

/// Lines that were heard, and a wait for them.
final class Heard: Sendable {
    private let state = Mutex<(lines: [String], waiters: [(Int, CheckedContinuation<Void, Never>)])>(([], []))

    var lines: [String] { state.withLock { $0.lines } }

    func take(_ line: String) {
        let ready = state.withLock { state in
            state.lines.append(line)
            let count = state.lines.count
            defer { state.waiters.removeAll { $0.0 <= count } }
            return state.waiters.filter { $0.0 <= count }.map(\.1)
        }
        for waiter in ready { waiter.resume() }
    }

    /// Returns when there are as many as that.
    func count(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.lines.count >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

/// Holds up whoever waits, until it is opened.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
