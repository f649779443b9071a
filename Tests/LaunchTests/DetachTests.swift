// What `belfry-launch detach` leaves of its caller in the program it puts into the background: nothing
// but the kept descriptors. Through those the tests hear from it.

import Glibc
import Testing

@Suite("belfry-launch detach")
struct DetachTests {
    /// `detach OPTIONS -- /bin/sh -c SCRIPT` with a pipe of ours as `kept` and another as 8; the script's
    /// descriptor `kept` is what is returned once the launcher has ended.
    private func detach(_ script: String, kept: Int32 = 5, options: [String] = []) throws -> Stream {
        let (report, other) = (Channel(), Channel())
        defer { for end in [report.writer, other.reader, other.writer] { close(end) } }
        let words = [try Launcher.path(), "detach", "--keep-fd", "\(kept)"] + options
        let launcher = try Running(
            words + ["--", "/bin/sh", "-c", script],
            passing: [kept: report.writer, 8: other.writer]
        )
        #expect(try launcher.end() == (.exited(0), ""))
        return Stream(descriptor: report.reader, name: "the program in the background")
    }

    @Test("the program is in a session that it does not lead, without a terminal")
    func session() throws {
        let script =
            "read -r pid name state parent group session terminal rest </proc/$$/stat; "
            + "echo $$ $group $session $terminal >&5"
        let program = try detach(script)
        defer { close(program.descriptor) }
        let numbers = try program.rest().split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
        try #require(numbers.count == 4)
        #expect(numbers[1] == numbers[2] && numbers[0] != numbers[2])
        #expect(numbers[2] != getsid(0))
        #expect(numbers[3] == 0)
    }

    @Test("directory, mask, signals and descriptors are those of a fresh start")
    func surroundings() throws {
        let script =
            "exec >&5 5>&-; pwd; umask; readlink /proc/$$/fd/0; readlink /proc/$$/fd/2; "
            + "while read -r name value; do case $name in SigBlk:|SigIgn:) echo $value; esac; "
            + "done </proc/$$/status; "
            + "for open in /proc/$$/fd/*; do [ -e $open ] && echo ${open##*/}; done"
        let program = try detach(script)
        defer { close(program.descriptor) }
        let none = "0000000000000000"
        let lines = try program.rest().split(separator: "\n")
        #expect(lines.prefix(6) == ["/", "0077", "/dev/null", "/dev/null", none[...], none[...]])
        // The shell may have its script's reading end above 9; 5 was closed, 8 was not kept.
        #expect(lines.dropFirst(6).prefix(3) == ["0", "1", "2"])
        #expect(!lines.dropFirst(6).contains("8"))
    }

    @Test(
        "kept descriptors keep their numbers, also where others lie between",
        arguments: [3, 5, 9] as [Int32]
    )
    func kept(_ number: Int32) throws {
        let program = try detach("echo kept >&\(number)", kept: number)
        defer { close(program.descriptor) }
        #expect(try program.rest() == "kept\n")
    }

    @Test("the launcher returns while the program goes on")
    func goesOn() throws {
        let (gate, report) = (Channel(), Channel())
        defer { for end in [gate.reader, report.reader] { close(end) } }
        let words = [
            try Launcher.path(), "detach", "--keep-fd", "4", "--keep-fd", "3", "--", "/bin/sh", "-c",
        ]
        let launcher = try Running(
            words + ["read -r line <&3; echo got $line >&4"],
            passing: [3: gate.reader, 4: report.writer]
        )
        #expect(try launcher.end() == (.exited(0), ""))
        close(report.writer)
        write(gate.writer, "word\n", 5)
        #expect(try Stream(descriptor: report.reader, name: "the answer").rest() == "got word\n")
        close(gate.writer)
    }

    @Test("the log is made for its owner alone, and added to")
    func log() throws {
        try withFolder { folder in
            let log = "\(folder)/hub.log"
            for word in ["first", "second"] {
                // The kept pipe ends when the program has, so its words are in the log then.
                let program = try detach("echo \(word); echo \(word) failed >&2", options: ["--log", log])
                #expect(try program.rest() == "")
                close(program.descriptor)
            }
            var info = stat()
            #expect(stat(log, &info) == 0 && info.st_mode & 0o777 == 0o600)
            let reader = try Running(["/bin/cat", log])
            #expect(try reader.output.rest() == "first\nfirst failed\nsecond\nsecond failed\n")
            try reader.end()
        }
    }

    @Test("a log that is a link is refused and not followed")
    func linkedLog() throws {
        try withFolder { folder in
            #expect(symlink("\(folder)/target", "\(folder)/log") == 0)
            let words = [try Launcher.path(), "detach", "--log", "\(folder)/log", "--", "/bin/true"]
            let (ending, errors) = try Running(words).end()
            let reason = "\(folder)/log: Too many levels of symbolic links"
            #expect(errors == "belfry-launch: cannot start /bin/true: \(reason)\n")
            #expect(ending == .exited(126))
            #expect(access("\(folder)/target", F_OK) != 0)
        }
    }

    @Test(
        "a program that cannot be started is told",
        arguments: [
            ("/nowhere/hub", "No such file or directory", 127), ("/etc/passwd", "Permission denied", 126),
        ]
    )
    func cannotStart(_ program: String, _ reason: String, _ code: Int32) throws {
        let (ending, errors) = try Running([Launcher.path(), "detach", "--", program]).end()
        #expect(errors == "belfry-launch: cannot start \(program): \(reason)\n")
        #expect(ending == .exited(code))
    }
}
