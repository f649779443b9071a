// What people type that cannot be meant, or is nearly right: told at once, in the words of the command.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Testing

@Suite("Command input", .timeLimit(.minutes(2)))
struct CommandInputTests {
    @Test("a task that could never start in time is refused; a start in the past means at once, and is told")
    func times() async throws {
        let sandbox = try Sandbox()
        let never = try await sandbox.belfry("add", "--delay", "1h", "--within", "5m", "--", "true")
        #expect(never.status == 64)
        #expect(never.errors.contains("before the task may start"), "\(never.errors)")
        let past = try await sandbox.belfry("run", "--at", "2020-01-01", "--", "true")
        #expect(past.status == 0)
        #expect(
            past.errors.contains("--at 2020-01-01 is past; it starts as soon as it can"),
            "\(past.errors)"
        )
        try await sandbox.belfry("add", "--stash", "--within", "1h", "--", "true")
        let edited = try await sandbox.belfry("edit", "2", "--delay", "2h")
        #expect(edited.status == 64)
        #expect(edited.errors.contains("before the task may start"), "\(edited.errors)")
    }

    @Test("--then wants something after it")
    func thenNothing() async throws {
        let sandbox = try Sandbox()
        for words in [
            ["add", "text-to-image", "prompt=x", "--then"], ["run", "shell", "--then", "shell", "--then"],
            ["add", "shell", "--then", "--", "echo", "--then"],
        ] {
            let ran = try await sandbox.run(Sandbox.programs + "/belfry", words)
            #expect(ran.status == 64)
            #expect(ran.errors.contains("--then wants"), "\(ran.errors)")
        }
        #expect(try await sandbox.belfry("run", "--", "echo", "--then").output == "--then\n")
    }

    @Test("a negative priority needs no equals sign")
    func negativePriority() async throws {
        let sandbox = try Sandbox()
        let added = try await sandbox.belfry("add", "--priority", "-3", "--stash", "--", "true")
        #expect(added.status == 0, "\(added.errors)")
        #expect(try await sandbox.belfry("show", "1", "--json").json["priority"]?.int == -3)
        #expect(try await sandbox.belfry("edit", "1", "--priority", "-4").status == 0)
        #expect(try await sandbox.belfry("show", "1", "--json").json["priority"]?.int == -4)
    }

    @Test("errors call a task by its number, and show the usage of their own command")
    func errors() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let cancelled = try await sandbox.belfry("cancel", "1")
        #expect(cancelled.status == 1)
        #expect(cancelled.errors.contains("#1 is completed"), "\(cancelled.errors)")
        let odd = try await sandbox.belfry("add", "--delay", "soon", "--", "true")
        #expect(odd.status == 64)
        #expect(odd.errors.contains("belfry add FEATURE key=value"), "\(odd.errors)")
        #expect(!odd.errors.contains("<subcommand>"), "\(odd.errors)")
    }

    @Test("show tells of every task that is there, and of each that is not")
    func show() async throws {
        let sandbox = try Sandbox()
        for word in ["one", "two"] { try await sandbox.belfry("run", "--", "echo", word) }
        let shown = try await sandbox.belfry("show", "1", "99999", "2")
        #expect(shown.status == 1)
        #expect(shown.output.contains("echo one") && shown.output.contains("echo two"), "\(shown.output)")
        #expect(shown.errors.contains("no task '99999'"), "\(shown.errors)")
    }

    @Test("without a hub nothing is shown as running")
    func interrupted() async throws {
        let sandbox = try Sandbox()
        let fifo = sandbox.root + "/here"
        try await sandbox.run("/usr/bin/mkfifo", [fifo])
        try await sandbox.belfry("add", "--", "sh", "-c", "echo > here; exec sleep 1000")
        try await sandbox.run("/bin/cat", [fifo])
        #expect(try await sandbox.belfry("list").output.contains("▶ processing"))
        try await sandbox.killHub()
        let list = try await sandbox.belfry("list")
        #expect(list.output.contains("○ interrupted"), "\(list.output)")
        #expect(list.errors.contains("No hub runs"), "\(list.errors)")
        #expect(try await sandbox.belfry("show", "1").output.contains("interrupted: no hub runs"))
    }

    @Test("a word that lists show for pending tasks is answered with the status to ask for")
    func shownStatus() async throws {
        let sandbox = try Sandbox()
        let list = try await sandbox.belfry("list", "--status", "stashed")
        #expect(list.status == 64)
        #expect(list.errors.contains("use --status pending"), "\(list.errors)")
    }

    @Test("a label that is given twice is kept once")
    func labels() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry(
            "add",
            "--label",
            "b",
            "--label",
            "a",
            "--label",
            "b",
            "--stash",
            "--",
            "true"
        )
        #expect(try await sandbox.belfry("show", "1", "--json").json["labels"] == ["b", "a"])
        try await sandbox.belfry("edit", "1", "--label", "c", "--label", "c")
        #expect(try await sandbox.belfry("show", "1", "--json").json["labels"] == ["c"])
    }

    @Test(
        "--every takes durations as all options do",
        arguments: [("90", "every 1m30s"), ("1.5h", "every 1h30m"), ("2 weeks", "every 2w")]
    )
    func intervals(_ every: String, _ rule: String) async throws {
        let sandbox = try Sandbox()
        let added = try await sandbox.belfry("schedule", "add", "x", "--every", every, "--", "true")
        #expect(added.status == 0, "\(added.errors)")
        #expect(try await sandbox.belfry("schedule", "show", "x").json["rule"]?.string == rule)
        let odd = try await sandbox.belfry("schedule", "add", "y", "--every", "1.5s", "--", "true")
        #expect(odd.status == 64)
        #expect(odd.errors.contains("whole seconds"), "\(odd.errors)")
    }
}
