// What `belfry-launch run` makes of a program: how it starts, and how its end is told.

import BelfryCore
import Glibc
import Testing

@Suite("belfry-launch run: start and end")
struct RunTests {
    @Test("the exit code is the program's", arguments: [0, 1, 7, 255] as [Int32])
    func exitCode(_ code: Int32) throws {
        #expect(try Launcher.run(script: "exit \(code)").end() == (.exited(code), ""))
    }

    @Test(
        "death by a signal is told by the same signal",
        arguments: [SIGKILL, SIGTERM, SIGSEGV, SIGPIPE, SIGUSR1]
    )
    func deathBySignal(_ number: Int32) throws {
        #expect(try Launcher.run(script: "kill -\(number) $$").end().ending == .killed(by: number))
    }

    @Test("the three standard streams are the program's")
    func streams() throws {
        let program = try Launcher.run(script: "tr a-z A-Z; echo done >&2")
        write(program.input, "picture\n", 8)
        program.closeInput()
        #expect(try program.output.rest() == "PICTURE\n")
        #expect(try program.end() == (.exited(0), "done\n"))
    }

    @Test("a program that is not there is told and 127")
    func noProgram() throws {
        let (ending, errors) = try Launcher.run(["/nowhere/tool"]).end()
        #expect(errors == "belfry-launch: cannot start /nowhere/tool: No such file or directory\n")
        #expect(ending == .exited(127))
    }

    @Test("a program that somebody has open for writing is started as soon as that is over")
    func busyProgram() throws {
        try withFolder { folder in
            let path = folder + "/tool"
            let writer = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o755)
            write(writer, "#!/bin/sh\nexit 7\n", 17)
            let program = try Launcher.run([path])
            let isWaiting = program.hasSleepingChild()
            close(writer)
            #expect(isWaiting)
            #expect(try program.end() == (.exited(7), ""))
        }
    }

    @Test("a file that is no program is told and 126")
    func noPermission() throws {
        let (ending, errors) = try Launcher.run(["/etc/passwd"]).end()
        #expect(errors == "belfry-launch: cannot start /etc/passwd: Permission denied\n")
        #expect(ending == .exited(126))
    }

    @Test("a directory to start in that is not there is named")
    func noDirectory() throws {
        let (ending, errors) = try Launcher.run(["/bin/true"], options: ["--cwd", "/nowhere"]).end()
        #expect(errors == "belfry-launch: cannot start /bin/true: /nowhere: No such file or directory\n")
        #expect(ending == .exited(126))
    }

    @Test("a script without its interpreter is told from a script that is not there")
    func noInterpreter() throws {
        try withFolder { folder in
            let script = "\(folder)/script"
            let writer = try Running([
                "/bin/sh", "-c", "echo '#!/nowhere/python' >\(script); chmod +x \(script)",
            ])
            try writer.end()
            let (ending, errors) = try Launcher.run([script]).end()
            #expect(
                errors
                    == "belfry-launch: cannot start \(script): its interpreter: No such file or directory\n"
            )
            #expect(ending == .exited(127))
        }
    }

    @Test("descriptors above 2 do not reach the program")
    func descriptors() throws {
        let leak = Channel()
        defer { for end in [leak.reader, leak.writer] { close(end) } }
        // Without the launcher it would have them. The 3 is how ls reads the folder.
        let list = ["/bin/ls", "/proc/self/fd"]
        let bare = try Running(list, passing: [7: leak.writer, 63: leak.reader])
        #expect(try bare.output.rest().split(separator: "\n").contains("63"))
        try bare.end()
        let program = try Launcher.run(list, passing: [7: leak.writer, 63: leak.reader])
        #expect(try program.output.rest() == "0\n1\n2\n3\n")
        try program.end()
    }

    @Test("no signal is ignored or blocked in the program, SIGPIPE neither")
    func signals() throws {
        let script = "while read -r name value; do case $name in SigBlk:|SigIgn:) echo $value; esac; done"
        let show = ["/bin/sh", "-c", "\(script) </proc/self/status"]
        let bare = try Running(show)
        #expect(try bare.output.line() != "0000000000000000")
        #expect(try bare.output.line() != "0000000000000000")
        try bare.end()
        let program = try Launcher.run(show)
        #expect(try program.output.rest() == "0000000000000000\n0000000000000000\n")
        try program.end()
    }

    @Test("directory, mask and limits are as asked")
    func surroundings() throws {
        let options = [
            "--cwd", "/usr", "--umask", "027", "--nofile", "99", "--core-off", "--address-space-mb", "3000",
        ]
        let program = try Launcher.run(
            script: "pwd; umask; ulimit -n; ulimit -H -n; ulimit -c; ulimit -v",
            options: options
        )
        #expect(try program.output.rest() == "/usr\n0027\n99\n99\n0\n3072000\n")
        try program.end()
    }

    @Test("the program leads a session of its own without a terminal")
    func session() throws {
        let script =
            "read -r pid name state parent group session terminal rest </proc/$$/stat; "
            + "echo $(($$ - group)) $(($$ - session)) $terminal"
        let program = try Launcher.run(script: script)
        #expect(try program.output.rest() == "0 0 0\n")
        try program.end()
    }

    @Test("standard output into a file is no reader that is gone")
    func outputIntoFile() throws {
        let program = try Launcher.run(
            script: "read -r line; exit 5",
            stdout: Channel(writingTo: "/dev/null")
        )
        program.closeInput()
        #expect(try program.end().ending == .exited(5))
    }

    @Test("the program is the only one to hold standard input")
    func standardInput() throws {
        let program = try Launcher.run(script: "exec <&-; echo closed; exec sleep 1000")
        #expect(try program.output.line() == "closed")
        // The launcher lets go of it a moment after the start.
        var watched = pollfd(fd: program.input, events: 0, revents: 0)
        #expect(poll(&watched, 1, 60_000) == 1)
        #expect(write(program.input, "x", 1) == -1)
        #expect(errno == EPIPE)
        program.signal(SIGTERM)
        #expect(try program.end().ending == .killed(by: SIGTERM))
    }

    @Test(
        "wrong usage is 64 and says what is wrong",
        arguments: [
            ([], "missing 'run or detach'"),
            (["walk"], "there is no mode 'walk'"),
            (["run"], "missing '-- PROGRAM'"),
            (["run", "--"], "after -- there is no 'PROGRAM'"),
            (["run", "/bin/true"], "before -- there can only be options, and none is '/bin/true'"),
            (["run", "--grace", "soon", "--", "/bin/true"], "--grace cannot be 'soon'"),
            (["run", "--linger", "-1", "--", "/bin/true"], "--linger cannot be '-1'"),
            (["run", "--umask", "8", "--", "/bin/true"], "--umask cannot be '8'"),
            (["run", "--cwd", "--", "/bin/true"], "a value is missing after '--cwd'"),
            (["detach", "--keep-fd", "1", "--", "/bin/true"], "not an open descriptor above 2: '1'"),
            (["detach", "--keep-fd", "77", "--", "/bin/true"], "not an open descriptor above 2: '77'"),
        ] as [([String], String)]
    )
    func usage(_ words: [String], _ complaint: String) throws {
        let (ending, errors) = try Running([Launcher.path()] + words).end()
        #expect(errors.hasPrefix("belfry-launch: \(complaint)\nusage: belfry-launch run "))
        #expect(ending == .exited(64))
    }

    @Test("--version and --help answer on standard output")
    func information() throws {
        let version = try Running([Launcher.path(), "--version"])
        #expect(try version.output.rest() == "belfry-launch \(BelfryVersion.current)\n")
        #expect(try version.end() == (.exited(0), ""))
        let help = try Running([Launcher.path(), "run", "--help"])
        #expect(try help.output.rest().contains("--keep-fd N"))
        #expect(try help.end() == (.exited(0), ""))
    }
}
