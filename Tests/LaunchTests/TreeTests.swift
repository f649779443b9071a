// What `belfry-launch run` does to a process tree. `end()` returns only when the last process of the tree
// has closed its errors stream, so a survivor fails these tests by itself.

import Glibc
import Testing

@Suite("belfry-launch run: the whole tree ends")
struct TreeTests {
    @Test("SIGTERM, SIGINT and SIGHUP ask the program to end", arguments: [SIGTERM, SIGINT, SIGHUP])
    func cancel(_ number: Int32) throws {
        let program = try Launcher.run(
            script: "trap 'exit 42' TERM; echo ready; while :; do sleep 1000 & wait; done",
            options: ["--grace", "3600"]
        )
        #expect(try program.output.line() == "ready")
        program.signal(number)
        #expect(try program.end().ending == .exited(42))
    }

    @Test("a program that ignores SIGTERM is killed after the grace, not before")
    func grace() throws {
        let program = try Launcher.run(
            script: "trap '' TERM; echo ready; while :; do sleep 1000; done",
            options: ["--grace", "0.3"]
        )
        #expect(try program.output.line() == "ready")
        let start = ContinuousClock.now
        program.signal(SIGTERM)
        #expect(try program.end().ending == .killed(by: SIGKILL))
        #expect(ContinuousClock.now - start >= .milliseconds(300))
    }

    @Test("a second SIGTERM kills at once")
    func impatience() throws {
        let program = try Launcher.run(
            script: "trap 'echo asked' TERM; echo ready; while :; do sleep 1000 & wait; done",
            options: ["--grace", "3600"]
        )
        #expect(try program.output.line() == "ready")
        program.signal(SIGTERM)
        #expect(try program.output.line() == "asked")
        program.signal(SIGTERM)
        #expect(try program.end().ending == .killed(by: SIGKILL))
    }

    @Test("a stopped program is woken to hear SIGTERM")
    func stopped() throws {
        let program = try Launcher.run(
            script: "echo ready; kill -STOP $$; exit 1",
            options: ["--grace", "3600"]
        )
        #expect(try program.output.line() == "ready")
        program.signal(SIGTERM)
        #expect(try program.end().ending == .killed(by: SIGTERM))
    }

    /// Ways to outlive the program that started one.
    static let descendants = [
        "sleep 1000 &",
        "setsid sleep 1000 &",
        "(sleep 1000 &);",
        "(setsid sh -c 'sleep 1000 & sleep 1000' &);",
        "(trap '' TERM; sleep 1000 & sleep 1000) &",
        "setsid sh -c 'kill -STOP $$' &",
    ]

    @Test("descendants do not outlive the program, whose exit code stays", arguments: descendants)
    func leftovers(_ start: String) throws {
        let program = try Launcher.run(script: "\(start) exit 3", options: ["--linger", "0.05"])
        #expect(try program.end().ending == .exited(3))
    }

    @Test("a descendant may finish its work within the time it may linger")
    func linger() throws {
        // Its own child may not have become `sleep` yet, and then does not hear SIGTERM.
        let script = """
            (trap 'kill -KILL $!; echo saved; exit' TERM; sleep 1000 & echo ready >&2; wait) &
            read -r line; exit 0
            """
        let program = try Launcher.run(script: script, options: ["--linger", "3600"])
        #expect(try program.errors.line() == "ready")
        program.closeInput()
        #expect(try program.output.rest() == "saved\n")
        #expect(try program.end().ending == .exited(0))
    }

    @Test("a cancelled program takes its descendants along", arguments: descendants)
    func cancelledTree(_ start: String) throws {
        let program = try Launcher.run(
            script: "\(start) echo ready; exec sleep 1000",
            options: ["--linger", "0.05"]
        )
        #expect(try program.output.line() == "ready")
        program.signal(SIGTERM)
        #expect(try program.end().ending == .killed(by: SIGTERM))
    }

    @Test("three hundred children that ignore SIGTERM are all gone")
    func manyChildren() throws {
        let script = """
            trap '' TERM
            i=0
            while [ $i -lt 300 ]; do sleep 1000 & i=$((i + 1)); done
            echo ready
            wait
            """
        let program = try Launcher.run(script: script, options: ["--grace", "0"])
        #expect(try program.output.line() == "ready")
        program.signal(SIGTERM)
        #expect(try program.end().ending == .killed(by: SIGKILL))
    }

    @Test("a tree that forks all the time is caught")
    func hopping() throws {
        // Each process starts its successor and ends: whoever is listed is gone when the signal comes.
        // The count is an end for launchers that fail this test.
        let hop = "trap '' TERM; hops=$((hops - 1)); [ $hops -gt 0 ] && sh -c \"$BELFRY_TEST_HOP\" &"
        let program = try Launcher.run(
            script: """
                BELFRY_TEST_HOP=$(cat <<'HOP'
                \(hop)
                HOP
                )
                export BELFRY_TEST_HOP hops=5000
                sh -c "$BELFRY_TEST_HOP"; echo ready; exec sleep 1000
                """,
            options: ["--linger", "0"]
        )
        #expect(try program.output.line() == "ready")
        program.signal(SIGTERM)
        #expect(try program.end().ending == .killed(by: SIGTERM))
    }

    @Test("the tree is killed when nobody reads its output any more", arguments: [false, true])
    func readerGone(isSocket: Bool) throws {
        let program = try Launcher.run(
            script: "trap '' TERM; setsid sleep 1000 & echo ready; sleep 1000",
            options: ["--grace", "3600", "--linger", "3600"],
            stdout: isSocket ? Channel(socket: ()) : Channel()
        )
        #expect(try program.output.line() == "ready")
        program.closeOutput()
        #expect(try program.end().ending == .killed(by: SIGKILL))
    }

    @Test("the tree is killed when the hub is killed")
    func hubKilled() throws {
        try withFolder { folder in
            // The hub is the only one to read the pipe, and has no chance to say goodbye.
            let hub = """
                mkfifo $0/out
                $1 run --grace 3600 -- sh -c 'trap "" TERM; setsid sleep 1000 & echo up; sleep 1000' >$0/out &
                exec 3<$0/out
                read -r word <&3
                echo $word
                exec sleep 1000
                """
            let running = try Running(["/bin/sh", "-c", hub, folder, Launcher.path()])
            #expect(try running.output.line() == "up")
            running.signal(SIGKILL)
            #expect(try running.end().ending == .killed(by: SIGKILL))
        }
    }

    @Test("the program outlives the thread that started it")
    func threadEnds() throws {
        let program = try onThread { try Launcher.run(["/bin/cat"]) }
        write(program.input, "still here\n", 11)
        #expect(try program.output.line() == "still here")
        program.closeInput()
        #expect(try program.end().ending == .exited(0))
    }

    @Test("the program dies with the launcher")
    func launcherKilled() throws {
        let program = try Launcher.run(script: "trap '' TERM; echo ready; exec sleep 1000")
        #expect(try program.output.line() == "ready")
        program.signal(SIGKILL)
        #expect(try program.end().ending == .killed(by: SIGKILL))
    }
}

/// Runs `body` on a thread that has ended when this returns.
private func onThread(_ body: @escaping () throws -> Running) throws -> Running {
    let work = Work(body)
    var thread = pthread_t()
    let code = pthread_create(
        &thread,
        nil,
        { context in
            let work = Unmanaged<Work>.fromOpaque(context!).takeUnretainedValue()
            work.result = Result { try work.body() }
            return nil
        },
        Unmanaged.passUnretained(work).toOpaque()
    )
    guard code == 0 else { throw TestFailure.cannotSpawn("a thread", errno: code) }
    pthread_join(thread, nil)
    return try #require(work.result).get()
}

private final class Work {
    let body: () throws -> Running
    var result: Result<Running, any Error>?
    init(_ body: @escaping () throws -> Running) { self.body = body }
}
