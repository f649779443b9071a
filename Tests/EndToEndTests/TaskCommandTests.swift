// The commands that submit, watch and change tasks.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Commands")
struct TaskCommandTests {
    @Test("add prints number and id, and lets go of the pipe it is read through")
    func add() async throws {
        let sandbox = try Sandbox()
        // Collecting the output ends only when nobody has the pipe: the hub must not keep it.
        let ran = try await sandbox.run(
            "/bin/sh",
            ["-c", "id=$(\(Sandbox.programs)/belfry add -- true); echo \"got $id\""]
        )
        #expect(ran.output.hasPrefix("got 1\t"))
        let waited = try await sandbox.belfry("wait", "1")
        #expect(waited.status == 0, "\(waited.errors)")
    }

    @Test("a task that was named by last or by its id is called by its number")
    func named() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--", "true")
        let added = try await sandbox.belfry("add", "--stash", "--", "true")
        let id = try #require(added.output.split { $0.isWhitespace }.last).description
        #expect(try await sandbox.belfry("release", "last").output == "#2 may start\n")
        try await sandbox.belfry("wait", "last")
        #expect(try await sandbox.belfry("retry", id).output == "#2 is pending again\n")
        try await sandbox.belfry("wait", "last")
        try await sandbox.belfry("add", "--delay", "1h", "--", "true")
        #expect(try await sandbox.belfry("move", "last").output == "#3 is next\n")
        #expect(try await sandbox.belfry("stash", "last").output == "#3 is put aside\n")
        #expect(try await sandbox.belfry("cancel", "last").output == "#3 cancelled\n")
    }

    @Test("a task tells who submitted it, and what is to be shown of it")
    func origin() async throws {
        let sandbox = try Sandbox()
        let options = ["add", "--origin", "org.gimp.GIMP", "--notify", "outcome", "--", "true"]
        let added = try await sandbox.run(Sandbox.programs + "/belfry", options)
        #expect(added.status == 0, "\(added.errors)")
        let shown = try await sandbox.belfry("show", "1", "--json").json
        #expect(shown["origin"]?.string == "org.gimp.GIMP")
        #expect(shown["notify"]?.string == "outcome")
    }

    @Test("the same id submitted twice makes one task; for something else it is a conflict")
    func idempotence() async throws {
        let sandbox = try Sandbox()
        let id = "0198c0de-7a3b-7cc1-9d2f-0123456789ab"
        let first = try await sandbox.belfry("add", "--id", id, "--", "true")
        let second = try await sandbox.belfry("add", "--id", id, "--", "true")
        #expect(first.output == second.output)
        let other = try await sandbox.belfry("add", "--id", id, "--", "false")
        #expect(other.status == 1)
        #expect(other.errors.contains(id))
    }

    @Test("cancel ends a running task and its whole process tree")
    func cancelRunning() async throws {
        let sandbox = try Sandbox()
        let fifo = sandbox.root + "/alive"
        mkfifo(fifo, 0o600)
        // Both hold the FIFO's write end; it reads as closed only when both are gone.
        let added = try await sandbox.belfry(
            "add",
            "--",
            "sh",
            "-c",
            "exec 3>\(fifo); (setsid sleep 1000) & echo started >&3; sleep 1000"
        )
        #expect(added.status == 0, "\(added.errors)")
        async let said = sandbox.run("/bin/cat", [fifo])
        var shown = try await sandbox.belfry("show", "1", "--json").json
        while shown["status"]?.string == "pending" {
            shown = try await sandbox.belfry("show", "1", "--json").json
        }
        let cancelled = try await sandbox.belfry("cancel", "1")
        #expect(cancelled.status == 0, "\(cancelled.errors)")
        let waited = try await sandbox.belfry("wait", "1")
        #expect(waited.status == 1)
        shown = try await sandbox.belfry("show", "1", "--json").json
        #expect(shown["status"]?.string == "cancelled")
        _ = try await said
    }

    @Test("retry runs a failed task again, with the caller's environment")
    func retry() async throws {
        let sandbox = try Sandbox()
        let script = "test -n \"$READY\""
        #expect(try await sandbox.belfry("run", "--", "sh", "-c", script).status == 1)
        let retried = try await sandbox.belfry("retry", "1", adding: ["READY": "yes"])
        #expect(retried.status == 0, "\(retried.errors)")
        #expect(try await sandbox.belfry("wait", "1").status == 0)
        let shown = try await sandbox.belfry("show", "1", "--json").json
        #expect(shown["attempt"]?.int == 2)
    }

    @Test("a batch is accepted as a whole or not at all")
    func batch() async throws {
        let sandbox = try Sandbox()
        let good = #"{"prompt":"one","width":64,"height":64}"#
        let ran = try await sandbox.belfry(
            "batch",
            "text-to-image",
            "--from",
            "-",
            "--wait",
            input: [good, good, good].joined(separator: "\n")
        )
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.output.hasPrefix("1-3\t"))
        let types = try await sandbox.belfry("tail", "-n", "all", "--no-follow", "--json").lines
            .compactMap { try JSONValue(parsing: String($0))["type"]?.string }
        #expect(types.first == "batch.added")
        #expect(types.filter { $0 == "batch.finished" }.count == 1)

        let bad = try await sandbox.belfry(
            "batch",
            "text-to-image",
            "--from",
            "-",
            input: good + "\n" + #"{"prompt":7}"#
        )
        #expect(bad.status == 64)
        #expect(bad.errors.contains("Task 2 of 2"))
        #expect(try await sandbox.belfry("list", "--json").json["tasks"]?.array?.count == 3)
    }

    @Test("a batch can be given as CSV or as values of one parameter")
    func batchForms() async throws {
        let sandbox = try Sandbox()
        let csv = "prompt,width,height\n\"a \"\"quoted\"\" sea, at noon\",64,64\nhills,64,\n"
        let fromCSV = try await sandbox.belfry("batch", "text-to-image", "--from", "-", "seed=3", input: csv)
        #expect(fromCSV.status == 0, "\(fromCSV.errors)")
        let first = try await sandbox.belfry("show", "1", "--json").json
        #expect(first["params"]?["prompt"]?.string == "a \"quoted\" sea, at noon")
        #expect(first["params"]?["seed"]?.int == 3)
        let each = try await sandbox.belfry(
            "batch",
            "text-to-image",
            "--each",
            "prompt",
            "width=64",
            "height=64",
            "--",
            "dunes",
            "fog"
        )
        #expect(each.output.hasPrefix("3-4\t"), "\(each.errors)")
    }

    @Test("clear removes completed tasks with their files, failed ones when asked")
    func clear() async throws {
        let sandbox = try Sandbox()
        let picture = try await sandbox.belfry("run", "text-to-image", "prompt=x", "width=64", "height=64")
            .lines.first
        try await sandbox.belfry("run", "--", "false")
        let asked = try await sandbox.belfry("clear")
        #expect(asked.status == 64, "without a terminal it wants --yes")
        let cleared = try await sandbox.belfry("clear", "--yes")
        #expect(cleared.output == "1 task removed\n")
        #expect(!FileManager.default.fileExists(atPath: String(try #require(picture))))
        let all = try await sandbox.belfry("clear", "--all", "--yes")
        #expect(all.output == "1 task removed\n")
        #expect(try await sandbox.belfry("show", "1").status == 1)
    }

    @Test("two clients at once on a machine where nothing runs get one hub, both answered")
    func twoClients() async throws {
        let sandbox = try Sandbox()
        async let one = sandbox.belfry("add", "--", "true")
        async let two = sandbox.belfry("add", "--", "true")
        async let three = sandbox.belfry("run", "--", "echo", "hello")
        let ran = try await [one, two, three]
        for result in ran { #expect(result.status == 0, "\(result.errors)") }
        let ready = try String(contentsOfFile: sandbox.places.hubLog, encoding: .utf8)
        #expect(ready.split(separator: "\n").filter { $0.contains("the hub is ready") }.count == 1)
        #expect(try await sandbox.belfry("list", "--json").json["tasks"]?.array?.count == 3)
    }

    @Test("belfry alone shows how things stand, also before any hub has run")
    func summary() async throws {
        let sandbox = try Sandbox()
        let empty = try await sandbox.belfry()
        #expect(empty.status == 0, "\(empty.errors)")
        #expect(empty.errors.contains("No background tasks"))
        try await sandbox.belfry("run", "--", "true")
        let one = try await sandbox.belfry()
        #expect(one.lines.count == 2, "\(one.output)")
        #expect(one.output.contains("✓ completed"))
        #expect(try await sandbox.belfry("--json").json["tasks"]?.array?.count == 1)
        let odd = try await sandbox.belfry("bogus")
        #expect(odd.status == 64)
        #expect(odd.errors.contains("bogus"), "\(odd.errors)")
    }

    @Test("list -n shows so many, however many the hub hands out at once")
    func listLimit() async throws {
        let sandbox = try Sandbox()
        let tasks = String(repeating: "{\"command\":[\"true\"]}\n", count: 1100)
        let added = try await sandbox.belfry("batch", "shell", "--from", "-", input: tasks)
        #expect(added.status == 0, "\(added.errors)")
        let two = try await sandbox.belfry("list", "-n", "2")
        #expect(two.lines.count == 3, "\(two.errors)")
        #expect(two.errors.contains("belfry list -n 4"))
        let many = try await sandbox.belfry("list", "-n", "1050", "--json").json
        let numbers = many["tasks"]?.array?.compactMap { $0["number"]?.int }
        #expect(numbers == (51...1100).reversed().map { Int64($0) })
        #expect(try await sandbox.belfry("list", "-n", "5000", "--json").json["tasks"]?.array?.count == 1100)
        #expect(try await sandbox.belfry("list", "-n", "0").status == 64)
    }

    @Test("log prints what an attempt wrote, also when no hub runs, and names an attempt that was not")
    func log() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "echo", "hello")
        let none = try await sandbox.belfry("log", "1", "--attempt", "5")
        #expect(none.status == 1)
        #expect(none.errors.contains("#1 has had no attempt 5"), "\(none.errors)")
        try await sandbox.belfry("stop")
        for arguments in [["log", "1"], ["log", "-f", "last"]] {
            let ran = try await sandbox.run(Sandbox.programs + "/belfry", arguments)
            #expect(ran.output == "hello\n", "\(ran.errors)")
            #expect(ran.status == 0)
        }
        #expect(sandbox.hubProcess == nil)
    }

    @Test("run prints all that a command writes, in whatever bits it comes")
    func runPrintsAll() async throws {
        let sandbox = try Sandbox()
        let script = "i=0; while [ $i -lt 200 ]; do i=$((i + 1)); echo line $i; done"
        let ran = try await sandbox.belfry("run", "--", "sh", "-c", script)
        #expect(ran.lines.map { String($0) } == (1...200).map { "line \($0)" }, "\(ran.errors)")
    }

    @Test("run follows a command across a crash of the hub, attempt after attempt")
    func runAcrossCrash() async throws {
        let sandbox = try Sandbox()
        let fifo = sandbox.root + "/go"
        mkfifo(fifo, 0o600)
        try sandbox.startHub()
        let pid = try #require(sandbox.hubProcess)
        // The first attempt waits at the FIFO for ever; the second finds its mark and ends.
        let script = "echo attempt $BELFRY_ATTEMPT; test -e seen || { touch seen; cat \(fifo); }"
        async let followed = sandbox.belfry("run", "--rerun", "--", "sh", "-c", script)
        // Opening returns when the attempt stands there. It waits, so it is not for this thread.
        // What it said is in its log before the hub is killed: what is still in the pipe dies with it.
        let logged = "until grep -qs attempt \(sandbox.places.state)/logs/*; do :; done"
        try await sandbox.run("/bin/sh", ["-c", "exec 3> \(fifo); \(logged); kill -KILL \(pid)"])
        #expect(try await sandbox.belfry("add", "--", "true").status == 0)
        let ran = try await followed
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.output == "attempt 1\nattempt 2\n")
    }

    @Test("a hub that a submission started ends in order when nobody needs it")
    func idle() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[hub]\nidle_minutes = 0.01\n", to: "config.toml")
        #expect(try await sandbox.belfry("add", "--", "true").status == 0)
        // The lock is free when the hub is gone.
        let gone = try await sandbox.run("/usr/bin/flock", [sandbox.places.runtime + "/hub.lock", "true"])
        #expect(gone.status == 0, "\(gone.errors)")
        let log = try String(contentsOfFile: sandbox.places.hubLog, encoding: .utf8)
        #expect(log.contains("nobody watches"))
        #expect(log.contains("the hub has ended"))
        #expect(!log.lowercased().contains("error"), "\(log)")
    }

    @Test("a submission while the hub goes away is taken by the next one")
    func submissionAtEnd() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--", "true")
        for _ in 0..<5 {
            async let stopped = sandbox.belfry("stop")
            async let one = sandbox.belfry("add", "--", "true")
            async let two = sandbox.belfry("add", "--", "true")
            for ran in try await [one, two, stopped] { #expect(ran.status == 0, "\(ran.errors)") }
        }
        try await sandbox.belfry("wait")
        #expect(try await sandbox.belfry("list", "--json").json["tasks"]?.array?.count == 11)
    }

    @Test("names reach the hub as they were typed, whatever is in them")
    func oddNames() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        for name in ["../../x", "a b", "%2e%2e", "ü?x=1#y"] {
            let task = try await sandbox.belfry("show", name)
            #expect(task.errors.contains("no task '\(name)'"), "\(task.errors)")
            let feature = try await sandbox.belfry("feature", "show", name)
            #expect(feature.errors.contains("no feature '\(name)'"), "\(feature.errors)")
            let plugin = try await sandbox.belfry("plugin", "disable", name)
            #expect(plugin.errors.contains("no plugin '\(name)'"), "\(plugin.errors)")
        }
    }

    @Test("what is not UTF-8 never reaches a command as something else")
    func notUTF8() async throws {
        let sandbox = try Sandbox()
        func sh(_ script: String) async throws -> Ran {
            let belfry = "belfry() { '\(Sandbox.programs)/belfry' \"$@\"; }; bad=$(printf 'f\\377'); "
            return try await sandbox.run("/bin/bash", ["-c", belfry + script])
        }
        let argument = try await sh(#"belfry add -- echo "$bad""#)
        #expect(argument.status == 64)
        #expect(argument.errors.contains("Argument 4 is not UTF-8"), "\(argument.errors)")
        let directory = try await sh(#"mkdir "$bad" && cd "$bad" && belfry add -- pwd"#)
        #expect(directory.status == 64)
        #expect(directory.errors.contains("not UTF-8"), "\(directory.errors)")
        let variable = try await sh(#"X=$bad Y=good belfry run -- sh -c 'echo "${X-none} $Y"'"#)
        #expect(variable.output == "none good\n")
        #expect(variable.errors.contains("the variable X is not UTF-8 and is left out"), "\(variable.errors)")
        let left = try await sandbox.belfry("list", "--json").json["tasks"]?.array?.count
        #expect(left == 1)
    }

    @Test("the socket and everything in the state directory is the user's alone")
    func modes() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        var files = try FileManager.default.contentsOfDirectory(atPath: sandbox.places.state).map {
            "\(sandbox.places.state)/\($0)"
        }
        files += [sandbox.places.state, sandbox.places.runtime, sandbox.places.socket]
        for file in files {
            var info = stat()
            #expect(stat(file, &info) == 0)
            #expect(info.st_mode & 0o077 == 0, "\(file)")
        }
        var socket = stat()
        #expect(stat(sandbox.places.socket, &socket) == 0)
        #expect(socket.st_mode & 0o777 == 0o600)
    }

    @Test("run ends with its task when the hub is told to stop, whatever becomes of the hub")
    func runAcrossStop() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\ndrain_seconds = 0\n", to: "config.toml")
        let fifo = sandbox.root + "/go"
        mkfifo(fifo, 0o600)
        async let followed = sandbox.belfry("run", "--", "sh", "-c", "echo here; cat \(fifo)")
        // Opening returns when the attempt stands there. It waits, so it is not for this thread.
        try await sandbox.run("/bin/sh", ["-c", "exec 3> \(fifo); \(Sandbox.programs)/belfry stop"])
        let ran = try await followed
        #expect(ran.status == 1, "\(ran.errors)")
        #expect(ran.output == "here\n")
        #expect(ran.errors.contains("belfry retry 1"), "\(ran.errors)")
        #expect(sandbox.hubProcess == nil)
    }

    @Test("what narrows a removal is understood or refused, never passed over")
    func bulkFilter() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let hub = HubClient(socketPath: sandbox.places.socket)
        let filters: [JSONValue] = [
            ["finishedBefore": "last week"], ["finishedBefore": 7], ["tasks": "1"], ["statuses": "failed"],
            ["statuses": ["pending"]], ["lable": "x"],
        ]
        for filter in filters {
            let error = #expect(throws: BelfryError.self) {
                try hub.send("POST", "/v1/tasks:bulk", body: ["action": "remove", "filter": filter])
            }
            #expect(error?.code == .invalidRequest, "\(filter.text)")
        }
        for query in ["activeSince=yesterday", "cursor=x", "limit=x", "status=x", "batch=x"] {
            let error = #expect(throws: BelfryError.self) { try hub.send("GET", "/v1/tasks?" + query) }
            #expect(error?.code == .invalidRequest, "\(query)")
        }
        #expect(try await sandbox.belfry("list", "--json").json["tasks"]?.array?.count == 1)
    }

    @Test("doctor finds nothing wrong on a sound machine")
    func doctor() async throws {
        let sandbox = try Sandbox()
        let before = try await sandbox.belfry("doctor")
        #expect(before.status == 0, "\(before.output)")
        try await sandbox.belfry("run", "--", "true")
        let after = try await sandbox.belfry("doctor", "--json")
        #expect(after.status == 0, "\(after.output)")
        let found = after.json["findings"]?.array ?? []
        #expect(found.contains { $0["text"]?.string?.hasPrefix("hub: ") == true }, "\(after.output)")
        #expect(!found.contains { $0["level"] == "bad" })
        let status = try await sandbox.belfry("status", "--json").json
        #expect(status["tasks"]?["completed"]?.int == 1)
        #expect(try await sandbox.belfry("sink", "list").output.contains("file"))
    }
}
