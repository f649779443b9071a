// Tasks that come after others: dependencies, chains, results that are handed over, and rules that keep
// the same from being there twice.

import BelfryAPI
import BelfryCore
import DesktopTesting
import FoundationEssentials
import Glibc
import Testing

@Suite("Chains", .timeLimit(.minutes(3)))
struct ChainTests {
    private let picture = ["text-to-image", "prompt=x", "width=64", "height=64"]

    private func belfry(_ words: [String], _ sandbox: Sandbox) async throws -> Ran {
        try await sandbox.run(Sandbox.programs + "/belfry", words)
    }

    private func task(_ name: String, _ sandbox: Sandbox) async throws -> JSONValue {
        try await sandbox.belfry("show", name, "--json").json
    }

    @Test(
        "a task that fails takes along what comes after it, unless that runs all the same; a retry brings it back"
    )
    func dependencies() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--stash", "--", "test", "-e", "ready")
        try await sandbox.belfry("add", "--after", "1", "--", "true")
        try await sandbox.belfry("add", "--after", "1", "--if-failed", "run", "--", "true")
        try await sandbox.belfry("add", "--after", "2", "--after", "3", "--", "true")
        try await sandbox.belfry("release", "1")
        let waited = try await sandbox.belfry("wait", "1-4")
        #expect(waited.status == 1)
        #expect(waited.errors == "belfry: 3 of 4 tasks did not complete\n")
        #expect(try await task("2", sandbox)["error"]?["code"] == "dependency_failed")
        #expect(try await task("3", sandbox)["status"] == "completed")
        try sandbox.write("", to: "ready")
        #expect(try await sandbox.belfry("retry", "1").status == 0)
        #expect(try await sandbox.belfry("wait", "1-4").status == 0)
        let none = try await sandbox.belfry("add", "--after", "99", "--", "true")
        #expect(none.status == 1)
        #expect(none.errors.contains("no task '99'"), "\(none.errors)")
        let odd = try await sandbox.belfry("add", "--after", "1", "--if-failed", "cry", "--", "true")
        #expect(odd.status == 64)
    }

    @Test("run follows a chain, hands the file of each task to the next, and prints the last one's result")
    func handedOver() async throws {
        let sandbox = try Sandbox()
        let copy = [
            "--then", "--", "sh", "-c", "cp \"$1\" out.png; echo copied", "sh", "${task.result.path}",
        ]
        let ran = try await belfry(["run"] + picture + copy, sandbox)
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.output == "copied\n")
        let bytes = try Data(contentsOf: URL(filePath: sandbox.root + "/out.png"))
        #expect(Array(bytes.prefix(4)) == [0x89, 0x50, 0x4E, 0x47])

        let film = [
            "--then", "video", "operation=thumbnail", "input=${task.result.path}", "--title", "small",
        ]
        let second = try await belfry(["run", "--json"] + picture + film, sandbox)
        #expect(second.json["title"] == "small", "\(second.errors)")
        #expect(second.json["dependencies"] == nil && second.json["status"] == "completed")

        let added = try await belfry(
            ["add"] + picture + ["--then", "--", "echo", "--", "${task.number}"],
            sandbox
        )
        #expect(added.lines.map { $0.prefix(2) } == ["5\t", "6\t"], "\(added.errors)")
        #expect(try await sandbox.belfry("wait", "6").status == 0)
        #expect(try await sandbox.belfry("log", "6").output == "-- 5\n")
    }

    @Test("a chain that breaks is told by the task that it broke at; one that runs all the same goes on")
    func broken() async throws {
        let sandbox = try Sandbox()
        let ran = try await belfry(
            ["run"] + picture + ["--then", "--", "false", "--then", "--", "true"],
            sandbox
        )
        #expect(ran.status == 1)
        #expect(ran.errors.contains("#2 shell failed"), "\(ran.errors)")
        #expect(try await task("3", sandbox)["error"]?["code"] == "dependency_failed")
        let on = ["--then", "--", "false", "--then", "--if-failed", "run", "--", "echo", "on"]
        let second = try await belfry(["run", "-q"] + picture + on, sandbox)
        #expect(second.status == 0, "\(second.errors)")
        #expect(second.output == "on\n")
    }

    @Test("mistakes in a chain are told with the part that they are in, and nothing is submitted")
    func mistakes() async throws {
        let sandbox = try Sandbox()
        for (words, told) in [
            (
                ["--then", "video", "operation=thumbnail", "input=x", "--json"],
                "come before the first --then"
            ),
            (["--then", "video", "thumbnail"], "'thumbnail' is not of the form key=value"),
            (["--then", "vidio", "input=${task.result.path}"], "did you mean 'video'"),
            (["--then", "--", "echo", "${task2.result.path}"], "speaks of task 2"),
            (["--then", "--", "echo", "${task.result.file}"], "nothing that a task has"),
        ] {
            let ran = try await belfry(["add"] + picture + words, sandbox)
            #expect(ran.status == 64, "\(ran.errors)")
            #expect(ran.errors.contains(told), "\(ran.errors)")
        }
        #expect(try await sandbox.belfry("list", "--json").json["tasks"] == [])
    }

    @Test("Ctrl-C lets go of a chain, which goes on")
    func interrupt() async throws {
        let sandbox = try Sandbox()
        mkfifo(sandbox.root + "/here", 0o600)
        mkfifo(sandbox.root + "/go", 0o600)
        let chain = (["run", "-q"] + picture).joined(separator: " ")
        let script = """
            echo $$ > pid
            exec \(Sandbox.programs)/belfry \(chain) --then -- sh -c 'echo > here; read word < go' --then -- true
            """
        async let followed = sandbox.run("/bin/sh", ["-c", script])
        try await sandbox.run("/bin/cat", ["here"])
        let pid = try #require(
            pid_t(try String(contentsOfFile: sandbox.root + "/pid", encoding: .utf8).dropLast())
        )
        kill(pid, SIGINT)
        let ran = try await followed
        #expect(ran.status == 130)
        #expect(
            ran.errors.contains("#1, #2, #3 go on in the background. Cancel it: belfry cancel 1 2 3"),
            "\(ran.errors)"
        )
        try await sandbox.run("/bin/sh", ["-c", "echo on > go"])
        #expect(try await sandbox.belfry("wait", "1-3").status == 0)
    }

    // MARK: The same again

    @Test(
        "with a unique rule the same task is refused, answered with the one that is there, or takes its place"
    )
    func unique() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--unique", "--stash", "--", "echo", "a")
        let refused = try await sandbox.belfry("add", "--unique", "--", "echo", "a")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("#1"), "\(refused.errors)")
        #expect(
            try await sandbox.belfry("add", "--unique", "--stash", "--", "echo", "b").output.hasPrefix("2\t")
        )
        let kept = try await sandbox.belfry("add", "--if-same", "keep", "--", "echo", "a")
        #expect(kept.output.hasPrefix("1\t"), "\(kept.errors)")
        let replaced = try await sandbox.belfry("add", "--if-same", "replace", "--", "echo", "a")
        #expect(replaced.output.hasPrefix("3\t"), "\(replaced.errors)")
        #expect(try await task("1", sandbox)["status"] == "cancelled")
        #expect(try await sandbox.belfry("wait", "3").status == 0)
        let again = try await sandbox.belfry("add", "--unique", "--stash", "--", "echo", "a")
        #expect(again.output.hasPrefix("4\t"), "one that has ended is in nobody's way: \(again.errors)")
        try await sandbox.belfry("cancel", "4")
        let soon = try await sandbox.belfry("add", "--unique-for", "1h", "--", "echo", "a")
        #expect(soon.status == 1, "but it is with --unique-for")
        let odd = try await sandbox.belfry("add", "--if-same", "shrug", "--", "echo", "a")
        #expect(odd.status == 64)
        #expect(odd.errors.contains("reject, keep or replace"), "\(odd.errors)")
    }

    @Test("--unique-params names the parameters that count")
    func uniqueParams() async throws {
        let sandbox = try Sandbox()
        let rule = ["add", "--stash", "--unique-params", "prompt,width"]
        #expect(try await belfry(rule + picture + ["seed=1"], sandbox).status == 0)
        #expect(try await belfry(rule + picture + ["seed=2"], sandbox).status == 1)
        #expect(
            try await belfry(rule + ["text-to-image", "prompt=x", "width=128", "height=64"], sandbox).status
                == 0
        )
    }

    // MARK: Bounds and attempts

    @Test("attempts and tasks that take too long fail with the bound's name")
    func bounds() async throws {
        let sandbox = try Sandbox()
        for (option, code) in [
            ("--timeout", "timeout"), ("--idle-timeout", "idle_timeout"), ("--within", "deadline"),
        ] {
            let ran = try await sandbox.belfry("run", option, "0.2s", "--", "sleep", "1000")
            #expect(ran.status == 1)
            #expect(try await task("last", sandbox)["error"]?["code"]?.string == code, "\(ran.errors)")
        }
        let past = try await sandbox.belfry("add", "--deadline", "2020-01-01", "--", "true")
        #expect(past.status == 64)
        #expect(past.errors.contains("has passed already"), "\(past.errors)")
        let long = try await sandbox.belfry(
            "add",
            "--retry-delay",
            "99999999999999999999999999d",
            "--",
            "true"
        )
        #expect(long.status == 64)
        #expect(long.errors.contains("--retry-delay takes at most ten years"), "\(long.errors)")
    }

    @Test("a task is tried again as often as it says, for the errors that it says; show lists the attempts")
    func attempts() async throws {
        let sandbox = try Sandbox()
        let policy = ["--attempts", "3", "--retry-delay", "0.01s"]
        let third = ["--", "sh", "-c", "test $BELFRY_ATTEMPT = 3"]
        #expect(
            try await belfry(["run"] + policy + ["--retry-on", "exit_status"] + third, sandbox).status == 0
        )
        let shown = try await sandbox.belfry("show", "1").output
        #expect(shown.contains("attempt     3 of 3"), "\(shown)")
        #expect(shown.matches(of: #/failed: /#).count == 2, "\(shown)")
        #expect(
            try await belfry(["run"] + policy + third, sandbox).status == 1,
            "exit_status is not retryable"
        )
        #expect(try await task("2", sandbox)["attempt"] == 1)
        let final = ["--retry-on", "*", "--give-up-on", "exit_status"]
        #expect(try await belfry(["run"] + policy + final + third, sandbox).status == 1)
        #expect(try await task("3", sandbox)["attempt"] == 1)
    }

    // MARK: Many at once

    @Test("cancel and retry take filters; --dry-run changes nothing, also where tasks are named")
    func many() async throws {
        let sandbox = try Sandbox()
        let held = ["add", "--stash", "--label", "x", "--", "true"]
        for _ in 1...3 { #expect(try await belfry(held, sandbox).status == 0) }
        try await sandbox.belfry("add", "--stash", "--", "true")
        #expect(
            try await sandbox.belfry("cancel", "--label", "x", "--dry-run").output
                == "3 tasks would be cancelled\n"
        )
        #expect(
            try await sandbox.belfry("cancel", "1-2", "--dry-run").output == "2 tasks would be cancelled\n"
        )
        #expect(
            try await sandbox.belfry("list", "--status", "pending", "--json").json["tasks"]?.array?.count == 4
        )
        for mixed in [
            ["cancel", "4", "--label", "x"], ["cancel", "4", "--all"], ["retry", "4", "--failed"],
            ["clear", "4", "--batch", "x"],
        ] {
            #expect(try await belfry(mixed, sandbox).status == 64, "\(mixed)")
        }
        #expect(try await sandbox.belfry("cancel", "1").output == "#1 cancelled\n")
        #expect(
            try await sandbox.belfry("cancel", "1-2", "--dry-run").output == "1 task would be cancelled\n"
        )
        #expect(try await sandbox.belfry("cancel", "--label", "x").output == "2 tasks cancelled\n")
        #expect(try await task("4", sandbox)["status"] == "pending")
        #expect(
            try await sandbox.belfry("retry", "1", "4", "--dry-run").output == "1 task would be retried\n"
        )
        #expect(
            try await sandbox.belfry("clear", "--status", "cancelled", "--keep", "1", "--dry-run").output
                .hasPrefix("2 tasks would")
        )
        #expect(
            try await sandbox.belfry("clear", "--status", "cancelled", "--older-than", "1d", "--yes").output
                == "0 tasks removed\n"
        )
        #expect(try await sandbox.belfry("clear", "--status", "pending", "--yes").status == 64)
    }

    @Test("retry --failed --batch runs again what failed of one batch, and nothing else")
    func retryBatch() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "false")
        let lines = "{\"command\":[\"test\",\"-e\",\"ready\"]}\n{\"command\":[\"true\"]}\n"
        let batch = try await sandbox.belfry("batch", "shell", "--from", "-", "--wait", input: lines)
        #expect(batch.status == 1)
        #expect(batch.errors == "belfry: 1 of 2 tasks did not complete\n")
        let id = try #require(batch.output.dropLast().split(separator: "\t").last)
        try sandbox.write("", to: "ready")
        let retried = try await sandbox.belfry("retry", "--failed", "--batch", String(id))
        #expect(retried.output == "1 task retried\n", "\(retried.errors)")
        #expect(try await sandbox.belfry("wait", "2-3").status == 0)
        #expect(try await task("1", sandbox)["status"] == "failed")
    }
}
