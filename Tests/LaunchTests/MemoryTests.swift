// What `belfry-launch run --memory-mb` makes of a tree that takes too much. Which way holds the limit depends on
// the machine, and what is told here holds for each; `Tests/Cgroups/run` tries the ways of cgroups and of systemd
// on kernels of their own.

import Glibc
import Testing

@Suite("belfry-launch run: the memory limit", .timeLimit(.minutes(1)))
struct MemoryTests {
    /// Python that holds so many MiB, in the children too when `fork` is called afterwards.
    private func holding(_ megabytes: Int, then rest: String) -> [String] {
        [
            "/usr/bin/python3", "-c",
            "import os, sys, time\npages = bytearray(b'x') * (\(megabytes) << 20)\n\(rest)",
        ]
    }

    @Test("a program within its limit is left alone")
    func within() throws {
        let program = try Launcher.run(holding(8, then: "sys.exit(3)"), options: ["--memory-mb", "256"])
        #expect(try program.end() == (.exited(3), ""))
    }

    @Test("past the limit the tree is killed, and its last words are which limit")
    func past() throws {
        let program = try Launcher.run(
            holding(200, then: "time.sleep(1000)"),
            options: ["--memory-mb", "64"]
        )
        let (ending, errors) = try program.end()
        #expect(ending == .killed(by: SIGKILL))
        #expect(errors.hasPrefix("\nbelfry-launch: over the memory limit of 64 MiB"), "\(errors)")
    }

    @Test("the sum of all counts, also of what is in another session")
    func sum() throws {
        let each = holding(48, then: "time.sleep(1000)")
        let script = "setsid \"$@\" & setsid \"$@\" & \"$@\" & wait"
        let program = try Launcher.run(
            ["/bin/sh", "-c", script, "sh"] + each,
            options: ["--memory-mb", "100"]
        )
        let (ending, errors) = try program.end()
        #expect(ending == .killed(by: SIGKILL))
        #expect(errors.contains("over the memory limit of 100 MiB"), "\(errors)")
    }

    @Test("what processes share counts once")
    func shared() throws {
        // Eight times 40 MiB if it was counted for each. Long enough for several looks.
        let fork = """
            for i in range(7):
                if os.fork() == 0:
                    time.sleep(0.7)
                    os._exit(0)
            for i in range(7):
                os.wait()
            """
        let program = try Launcher.run(holding(40, then: fork), options: ["--memory-mb", "160"])
        #expect(try program.end() == (.exited(0), ""))
    }

    @Test("a program that cannot be started is told as ever")
    func noProgram() throws {
        let program = try Launcher.run(["/nowhere/tool"], options: ["--memory-mb", "64"])
        #expect(
            try program.end()
                == (.exited(127), "belfry-launch: cannot start /nowhere/tool: No such file or directory\n")
        )
    }
}
