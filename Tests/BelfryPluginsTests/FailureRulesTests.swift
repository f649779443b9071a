// What becomes of a plugin that misbehaves, one test for each rule. Docs/PluginProtocol.md lists them. The
// programs are real, and so is belfry-launch, whose part of the rules is tested in TreeTests and MemoryTests.

import BelfryCore
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("Failure rules of exec/1", .timeLimit(.minutes(1)))
struct FailureRulesTests {
    private let attempts: Attempts

    init() throws { attempts = try Attempts() }

    private func failure(
        _ script: String,
        _ more: JSONObject = [:],
        sleep: (@Sendable (Duration) async throws -> Void)? = nil
    ) async throws -> TaskFailure {
        var feature = try attempts.plugin(script, more)
        if let sleep { feature.sleep = sleep }
        let context = try attempts.context { $0.timeouts.idle = sleep == nil ? nil : .seconds(30) }
        return try #require(
            await #expect(throws: TaskFailure.self) { try await feature.process([:], context) }
        )
    }

    /// Ends the first span of silence once the attempt has logged something, and every further one at once.
    private func sleepUntilLogged() -> @Sendable (Duration) async throws -> Void {
        let isFirst = Mutex(true)
        return { [attempts] _ in
            let waits = isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            if waits { await attempts.nextLog() }
        }
    }

    // MARK: Output

    @Test("a line that is not understood is logged and skipped; without a result the first one is quoted")
    func garbage() async throws {
        let lines =
            #"echo hello; echo '{"type":'; echo '{"type":"dance"}'; printf '\377\n'; echo '::twist 1';"#
        let value = try await attempts.plugin(lines + "echo '::result 1'").process([:], attempts.context())
        #expect(value.value == 1)
        #expect(attempts.log == "hello\n{\"type\":\n{\"type\":\"dance\"}\n\u{FFFD}\n::twist 1\n")
        let failure = try await failure(lines)
        #expect(failure.code == "no_result")
        #expect(failure.message.hasSuffix("The first line that was not understood: hello"), "\(failure)")
        #expect(!failure.isRetryable)
    }

    @Test("a line of 20 MB is thrown away up to its newline; the lines around it count")
    func longLine() async throws {
        let line = "head -c 20000000 /dev/zero | tr '\\0' x; echo;"
        let result = try await attempts.plugin("echo '::result 1';" + line + "echo '::result 2'")
            .process([:], attempts.context())
        #expect(result.value == 2)
        let failure = try await failure(line)
        #expect(failure.code == "no_result")
        #expect(failure.message.contains("1 line was longer than limits.max_line_bytes."), "\(failure)")
        #expect(attempts.log.isEmpty)
    }

    @Test(
        "no more than one line is kept of whatever a program prints, and no more than the end of its errors"
    )
    func boundedBuffers() {
        let part = Array(repeating: UInt8(ascii: "x"), count: 65_536)
        var splitter = LineSplitter(limit: 1 << 20)
        var ring = ByteRing(limit: 8192)
        var most = (line: 0, errors: 0)
        for _ in 0..<1000 {
            splitter.feed(part) { _ in Issue.record("there is no line") }
            ring.append(part)
            most = (max(most.line, splitter.buffered), max(most.errors, ring.buffered))
        }
        #expect(most.line <= 1 << 20)
        #expect(most.errors <= 2 * 8192)
        splitter.feed([0x0A]) { _ in Issue.record("the line was too long") }
        #expect(splitter.discarded == 1)
    }

    @Test("a program that ends well without a result has failed")
    func noResult() async throws {
        let failure = try await failure("echo working >&2; exit 0")
        #expect(failure.code == "no_result")
        #expect(failure.message == "main.sh ended without a result. It printed nothing.")
        #expect(failure.logTail == "working\n")
        #expect(!failure.isRetryable)
    }

    @Test(
        "a crash tells its signal and the end of stderr, and may be tried again",
        arguments: [SIGSEGV, SIGKILL]
    )
    func crash(_ signal: Int32) async throws {
        let failure = try await failure("echo '::result 1'; echo 'out of ideas' >&2; kill -\(signal) $$")
        #expect(failure.code == "crashed")
        #expect(
            failure.message
                == "main.sh was ended by signal \(signal) (\(String(cString: strsignal(signal)))). "
                + "It said: out of ideas"
        )
        #expect(failure.logTail == "out of ideas\n")
        #expect(failure.isRetryable)
    }

    // MARK: Time

    @Test(
        "a hanging program gets SIGTERM after the idle time, and SIGKILL with its whole group after the grace"
    )
    func hang() async throws {
        let script = """
            trap 'echo asked >&2' TERM
            sh -c 'trap "" TERM; echo $$ > child; while :; do sleep 1000; done' &
            while [ ! -s child ]; do :; done
            echo ready >&2
            while :; do sleep 1000 & wait; done
            """
        let failure = try await failure(script, ["cancel_grace_s": 0.2], sleep: sleepUntilLogged())
        #expect(failure.code == "idle_timeout")
        #expect(failure.isRetryable)
        #expect(failure.logTail == "ready\nasked\n")
        #expect(try isGone("child"))
    }

    @Test("a flood on stderr is no sign of life, and of it the last 8 KiB are kept")
    func stderrFlood() async throws {
        let enough = Atomic<Int>(0)
        let context = try attempts.context {
            $0.timeouts.idle = .seconds(30)
            $0 = FeatureContext(
                taskID: $0.taskID,
                featureID: $0.featureID,
                attempt: 1,
                fence: 1,
                outputDirectory: $0.outputDirectory,
                onLog: { [attempts] bytes in
                    // Told once a megabyte of it was read.
                    if enough.add(bytes.count, ordering: .relaxed).newValue > 1 << 20 { attempts.note([]) }
                }
            )
            $0.timeouts.idle = .seconds(30)
        }
        let spans = Atomic<Int>(0)
        var feature = try attempts.plugin("exec yes 'still here' >&2")
        feature.sleep = { [attempts] _ in
            spans.add(1, ordering: .relaxed)
            await attempts.nextLog()
        }
        let failure = try #require(
            await #expect(throws: TaskFailure.self) { try await feature.process([:], context) }
        )
        #expect(failure.code == "idle_timeout")
        #expect(spans.load(ordering: .relaxed) == 1)
        #expect(failure.logTail?.utf8.count ?? 0 <= 8192)
        #expect(failure.logTail?.hasSuffix("still here\n") ?? false)
    }

    // MARK: The tree

    @Test(
        "descendants that hold stdout open, in a session of their own or not, are killed and hold nothing up",
        arguments: ["", "setsid"]
    )
    func descendants(_ prefix: String) async throws {
        let script = """
            \(prefix) sh -c 'trap "" TERM; echo $$ > child; while :; do sleep 1000; done' &
            while [ ! -s child ]; do :; done
            echo '::result 1'
            """
        let result = try await attempts.plugin(script).process([:], attempts.context())
        #expect(result.value == 1)
        #expect(try isGone("child"))
    }

    @Test("a program that takes more memory than its limit is killed with its tree, and the figures are told")
    func memory() async throws {
        let script = """
            exec python3 -c '
            import os, sys, time
            os.write(2, b"no newline")
            pages = bytearray(b"x") * (256 << 20)
            time.sleep(1000)'
            """
        let failure = try await failure(script, ["limits": ["memory_mb": 64]])
        #expect(failure.code == "memory_limit", "\(failure)")
        #expect(failure.message.hasPrefix("main.sh was over the memory limit of 64 MiB"), "\(failure)")
        #expect(failure.fix?.contains("limits.memory_mb") ?? false)
        #expect(!failure.isRetryable)
    }

    @Test("a program that says what only belfry-launch says is believed by its signal alone")
    func forgedLimit() async throws {
        let failure = try await failure("echo 'belfry-launch: over the memory limit of 1 MiB' >&2; exit 3")
        #expect(failure.code == "exit_status")
    }

    /// Whether the process is gone whose id the program wrote to a file.
    private func isGone(_ file: String) throws -> Bool {
        let text = try String(contentsOfFile: attempts.directory.path + "/out/\(file)", encoding: .utf8)
        let pid = try #require(pid_t(text.split(separator: "\n").first ?? ""))
        return kill(pid, 0) != 0 && errno == ESRCH
    }
}
