// What a program can do beside succeeding and failing: be remembered, come again later, and be stopped when
// it takes too long. The programs are real, and so is belfry-launch.

import BelfryCore
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("Attempts", .timeLimit(.minutes(1)))
struct AttemptTests {
    private let attempts: Attempts

    init() throws { attempts = try Attempts() }

    // MARK: Checkpoints

    @Test("checkpoints are saved in either form, in order; null forgets")
    func checkpoints() async throws {
        let feature = try attempts.plugin(
            #"""
            echo '::checkpoint {"page":1}'
            echo '{"type":"checkpoint","value":[2]}'
            echo '::checkpoint null'
            echo '::checkpoint three'
            echo '{"type":"checkpoint"}'
            echo '{"type":"checkpoint","value":null}'
            echo '::result 1'
            """#
        )
        _ = try await feature.process([:], attempts.context())
        #expect(attempts.checkpoints == [["page": 1], [2], nil, nil])
        // What is none of the protocol's is in the log instead.
        #expect(attempts.log == "::checkpoint three\n{\"type\":\"checkpoint\"}\n")
    }

    @Test("the next attempt finds the checkpoint on stdin and in its environment, the first one neither")
    func checkpointIsHandedBack() async throws {
        let feature = try attempts.plugin(
            #"""
            read -r request
            printf '{"type":"result","value":{"request":%s,"variable":"%s"}}\n' "$request" "${BELFRY_CHECKPOINT-none}"
            """#
        )
        let first = try await feature.process([:], attempts.context()).value
        #expect(first?["request"]?["params"] == [:])
        #expect(first?["request"]?["checkpoint"] == nil)
        #expect(first?["variable"] == "none")
        let next = try await feature.process([:], attempts.context { $0.checkpoint = [1, nil] }).value
        #expect(next?["request"]?["checkpoint"] == [1, nil])
        #expect(next?["variable"] == "[1,null]")
    }

    @Test("a checkpoint that is too large for a variable is only on stdin", arguments: [0, 1])
    func largeCheckpoint(excess: Int) async throws {
        let feature = try attempts.plugin(
            #"""
            read -r request
            echo "::result [${#request},${#BELFRY_CHECKPOINT}]"
            """#
        )
        // With its quotes it is 64 KiB, and one more.
        let text = JSONValue.string(String(repeating: "x", count: 65536 - 2 + excess))
        let value = try await feature.process([:], attempts.context { $0.checkpoint = text }).value
        #expect((value?.array?[0].int ?? 0) > 65536)
        #expect(value?.array?[1].int == (excess == 0 ? 65536 : 0))
    }

    // MARK: Snoozing

    @Test(
        "a program that ends well after a snooze is tried again later",
        arguments: [
            ("echo '::snooze 60 the server is busy'", 60_000, "the server is busy"),
            (#"echo '{"type":"snooze","seconds":1.5,"message":"not yet"}'"#, 1500, "not yet"),
            ("echo '::snooze 30'; echo '::snooze 90'", 90_000, nil),
            ("touch part; echo '::artifact part'; echo '::snooze 5'", 5000, nil),
        ]
    )
    func snooze(script: String, milliseconds: Int, message: String?) async throws {
        let feature = try attempts.plugin(script)
        let context = try attempts.context()
        let snooze = await #expect(throws: TaskSnooze.self) { try await feature.process([:], context) }
        #expect(snooze == TaskSnooze(for: .milliseconds(milliseconds), message))
    }

    @Test(
        "a result or a failure is stronger than a snooze",
        arguments: [
            ("echo ::snooze 60; echo '::result 1'", nil), ("echo '::result 1'; echo ::snooze 60", nil),
            ("echo ::snooze 60; exit 3", "exit_status"), ("echo ::snooze 60; echo '::error bad no'", "bad"),
            ("echo ::snooze 60; kill -9 $$", "crashed"), ("echo ::snooze soon", "no_result"),
        ]
    )
    func noSnooze(script: String, code: String?) async throws {
        let feature = try attempts.plugin(script)
        let context = try attempts.context()
        guard let code else {
            #expect(try await feature.process([:], context).value == 1)
            return
        }
        let failure = await #expect(throws: TaskFailure.self) { try await feature.process([:], context) }
        #expect(failure?.code == code)
    }

    // MARK: Timeouts

    @Test("features that run programs keep the attempt's timeouts themselves")
    func keepsTimeouts() throws {
        #expect(try attempts.plugin("").keepsTimeouts)
        #expect(try ShellFeature(launcher: Attempts.launcher).keepsTimeouts)
    }

    @Test("an attempt that takes longer than it may is stopped, after the time that the task says")
    func total() async throws {
        let slept = Mutex<[Duration]>([])
        let sleep: @Sendable (Duration) async throws -> Void = { span in slept.withLock { $0.append(span) } }
        var plugin = try attempts.plugin("exec sleep 1000")
        plugin.sleep = sleep
        var shell = try ShellFeature(launcher: Attempts.launcher)
        shell.sleep = sleep
        let context = try attempts.context { $0.timeouts.attempt = .seconds(90) }
        let runs: [(any Feature, JSONValue)] = [(plugin, [:]), (shell, ["command": ["sleep", "1000"]])]
        for (feature, params) in runs {
            let failure = await #expect(throws: TaskFailure.self) {
                try await feature.process(params, context)
            }
            #expect(failure?.code == "timeout")
            #expect(failure?.isRetryable == true)
        }
        #expect(slept.withLock { $0 } == [.seconds(90), .seconds(90)])
    }

    @Test("without bounds nothing is waited for")
    func unbounded() async throws {
        var feature = try attempts.plugin("echo '::result 1'")
        feature.sleep = { _ in Issue.record("it sleeps") }
        _ = try await feature.process([:], attempts.context())
    }

    @Test(
        "a plugin lives by lines that are understood; a checkpoint is one",
        arguments: [("::checkpoint 1", 2), ("::progress 1", 2), ("::snooze 1", 2), ("hello", 1)]
    )
    func idlePlugin(line: String, spans: Int) async throws {
        let gate = try Gate(attempts)
        // The log line after it says that the line before was read: stdout is read in order.
        var feature = try attempts.plugin(
            "read go < '\(gate.path)'; echo '\(line)'; echo heard; exec sleep 1000"
        )
        feature.sleep = gate.sleep
        let context = try attempts.context { $0.timeouts.idle = .seconds(30) }
        let failure = await #expect(throws: TaskFailure.self) { try await feature.process([:], context) }
        #expect(failure?.code == "idle_timeout")
        #expect(gate.spans.withLock { $0 } == Array(repeating: .seconds(30), count: spans))
    }

    @Test("a command lives by whatever it prints, on stderr too", arguments: ["", ">&2"])
    func idleShell(redirection: String) async throws {
        let gate = try Gate(attempts)
        var shell = try ShellFeature(launcher: Attempts.launcher)
        shell.sleep = gate.sleep
        let script = "read go < '\(gate.path)'; printf . \(redirection); exec sleep 1000"
        let context = try attempts.context { $0.timeouts.idle = .seconds(30) }
        let failure = await #expect(throws: TaskFailure.self) {
            try await shell.process(["command": ["sh", "-c", .string(script)]], context)
        }
        #expect(failure?.code == "idle_timeout")
        #expect(gate.spans.withLock { $0 } == [.seconds(30), .seconds(30)])
    }

    /// Lets the program print once the first span of silence has begun, and ends that span when it has. Every
    /// further span ends at once.
    private final class Gate: Sendable {
        let path: String
        let spans = Mutex<[Duration]>([])
        private let attempts: Attempts
        private let descriptor: Int32

        init(_ attempts: Attempts) throws {
            self.attempts = attempts
            path = attempts.directory.path + "/gate"
            mkfifo(path, 0o600)
            // Open for both, so that neither end waits for the other here.
            descriptor = open(path, O_RDWR | O_CLOEXEC)
        }

        deinit { close(descriptor) }

        var sleep: @Sendable (Duration) async throws -> Void {
            { [self] span in
                let isFirst = spans.withLock { spans in
                    spans.append(span)
                    return spans.count == 1
                }
                guard isFirst else { return }
                _ = write(descriptor, "\n", 1)
                await attempts.nextLog()
            }
        }
    }

    // MARK: Devices

    @Test("the devices of the attempt are stronger than what the hub or the submitter had")
    func devices() async throws {
        let plugin = try attempts.plugin(#"echo "::result \"$CUDA_VISIBLE_DEVICES\"""#)
        let bound = try attempts.context { $0.deviceEnvironment = ["CUDA_VISIBLE_DEVICES": "0,1"] }
        #expect(try await plugin.process([:], bound).value == "0,1")
        #expect(try await plugin.process([:], attempts.context()).value == "9")
        let shell = try ShellFeature(launcher: Attempts.launcher)
        let params: JSONValue = ["command": ["sh", "-c", "echo $CUDA_VISIBLE_DEVICES"]]
        _ = try await shell.process(params, bound)
        _ = try await shell.process(params, attempts.context())
        #expect(attempts.log == "0,1\n9\n")
    }

    // MARK: Cancelling

    @Test("a program that is cancelled gets TERM and its grace, and is heard until it ends")
    func grace() async throws {
        let feature = try attempts.plugin(
            """
            trap 'sleep 0.2; echo "tidied up" >&2; exit 0' TERM
            echo up >&2
            while :; do sleep 0.01; done
            """
        )
        let context = try attempts.context()
        await withTaskGroup { group in
            group.addTask {
                await #expect(throws: CancellationError.self) { try await feature.process([:], context) }
            }
            await attempts.nextLog()
            group.cancelAll()
        }
        // The shell itself may say that its child was terminated.
        #expect(attempts.log.hasSuffix("tidied up\n"))
    }
}
