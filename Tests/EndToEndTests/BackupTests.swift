// Keeping and giving away: backups, restoring them, what retention removes, and what is done when all is done.

import BelfryAPI
import BelfryCore
import DesktopTesting
import FoundationEssentials
import GRDB
import Glibc
import Testing

@Suite("Backup, retention and the end of the queue", .timeLimit(.minutes(3)))
struct BackupTests {
    private func statuses(_ sandbox: Sandbox) async throws -> [String] {
        let tasks = try await sandbox.belfry("list", "--json").json["tasks"]?.array ?? []
        return tasks.reversed().compactMap { $0["status"]?.string }
    }

    private func epoch(_ sandbox: Sandbox) async throws -> String? {
        try await sandbox.belfry("status", "--json").json["store"]?["epoch"]?.string
    }

    @Test(
        "a backup that was made while tasks ran brings them back as they were, with a new epoch; what was there is kept"
    )
    func backupAndRestore() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\ndrain_seconds = 0\n", to: "config.toml")
        mkfifo(sandbox.root + "/here", 0o600)
        mkfifo(sandbox.root + "/go", 0o600)
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("add", "--stash", "--", "true")
        try await sandbox.belfry("group", "set", "film", "--slots", "3")
        try await sandbox.belfry("schedule", "add", "daily", "--cron", "@daily", "--", "true")
        let script = "test -e seen && exit 0; touch seen; echo > here; read word < go"
        try await sandbox.belfry("add", "--rerun", "--", "sh", "-c", script)
        try await sandbox.run("/bin/cat", ["here"])
        let before = try await epoch(sandbox)
        let backup = try await sandbox.belfry("backup", "copy.sqlite")
        #expect(backup.output == "\(sandbox.root)/copy.sqlite\n", "\(backup.errors)")
        var info = stat()
        #expect(stat(sandbox.root + "/copy.sqlite", &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
        let again = try await sandbox.belfry("backup", "copy.sqlite")
        #expect(again.status == 64)
        #expect(again.errors.contains("something at"), "\(again.errors)")
        let nowhere = try await sandbox.belfry("backup", "no/such/copy.sqlite")
        #expect(nowhere.status == 77, "\(nowhere.errors)")

        let running = try await sandbox.belfry("restore", "copy.sqlite", "--yes")
        #expect(running.status == 1)
        #expect(running.errors.contains("belfry stop"), "\(running.errors)")
        try await sandbox.belfry("cancel", "2-3")
        try await sandbox.belfry("schedule", "remove", "daily")
        try await sandbox.belfry("stop")
        let unasked = try await sandbox.belfry("restore", "copy.sqlite")
        #expect(unasked.status == 64, "without a terminal it wants --yes: \(unasked.errors)")
        let restored = try await sandbox.belfry("restore", "copy.sqlite", "--yes")
        #expect(restored.status == 0, "\(restored.errors)")
        let kept = try #require(restored.errors.dropLast().split(separator: " ").last)
        #expect(FileManager.default.fileExists(atPath: String(kept)), "\(restored.errors)")

        try sandbox.startHub()
        #expect(try await sandbox.belfry("wait", "3").status == 0, "what ran runs again")
        #expect(try await statuses(sandbox) == ["completed", "pending", "completed"])
        #expect(try await epoch(sandbox) != before)
        #expect(try await sandbox.belfry("schedule").output.contains("daily"))
        #expect(try await sandbox.belfry("group").output.contains(#/film +open +3/#))
        // The file that was kept is a store too.
        try await sandbox.belfry("stop")
        #expect(try await sandbox.belfry("restore", String(kept), "--yes").status == 0)
        #expect(try await statuses(sandbox) == ["completed", "cancelled", "cancelled"])
    }

    @Test("what is no store of Belfry, or a newer one's, is not restored, and the store stays")
    func refusedRestores() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("backup", "newer.sqlite")
        try await sandbox.belfry("stop")
        try sandbox.write("not a database at all\n", to: "text.sqlite")
        try await DatabaseQueue(path: sandbox.root + "/other.sqlite").write { db in
            try db.execute(sql: "CREATE TABLE letters (text TEXT)")
        }
        try await DatabaseQueue(path: sandbox.root + "/newer.sqlite").write { db in
            try db.execute(sql: "PRAGMA user_version = 999")
        }
        for (file, words) in [
            ("text.sqlite", "no sound store"), ("other.sqlite", "no sound store"),
            ("none.sqlite", "Cannot read"),
            ("newer.sqlite", "newer"),
        ] {
            let ran = try await sandbox.belfry("restore", file, "--yes")
            #expect(ran.status != 0, "\(file)")
            #expect(ran.errors.contains(words), "\(ran.errors)")
        }
        #expect(try await statuses(sandbox) == ["completed"])
        let left = try FileManager.default.contentsOfDirectory(atPath: sandbox.places.state)
        #expect(!left.contains { $0.contains("restoring") || $0.contains("before") }, "\(left)")
    }

    @Test("retention removes what is more than it says, with the results")
    func retention() async throws {
        let sandbox = try Sandbox()
        let picture = try await sandbox.belfry("run", "text-to-image", "prompt=x", "width=64", "height=64")
        let file = try #require(picture.lines.first.map(String.init))
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("run", "--", "false")
        try await sandbox.belfry("stop")
        try sandbox.write("[retention]\ntasks = 2\n", to: "config.toml")
        try sandbox.startHub()
        try await eventually("the oldest task to go") {
            try await statuses(sandbox) == ["completed", "failed"] ? true : nil
        }
        #expect(!FileManager.default.fileExists(atPath: file))
        try await sandbox.belfry("stop")
        try sandbox.write("[retention]\nfailed_days = 0.0000001\n", to: "config.toml")
        try sandbox.startHub()
        try await eventually("the failed task to go") {
            try await statuses(sandbox) == ["completed"] ? true : nil
        }
    }

    @Test("wait --when-done acts once nothing is left to do, whatever became of it")
    func whenDone() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--stash", "--", "true")
        try await sandbox.belfry("add", "--", "false")
        let ran = try await sandbox.belfry("wait", "--when-done", "echo acted; exit 7", "--grace", "0s")
        #expect(ran.output == "acted\n", "\(ran.errors)")
        #expect(ran.status == 7)
        #expect(try await statuses(sandbox) == ["pending", "failed"])
        #expect(try await sandbox.belfry("wait", "1", "--when-done", "true").status == 64)
        #expect(try await sandbox.belfry("wait", "--when-done", "true", "--grace", "soon").status == 64)
    }

    @Test("a task that is submitted within the grace calls it off")
    func calledOff() async throws {
        let sandbox = try Sandbox()
        mkfifo(sandbox.root + "/go", 0o600)
        try sandbox.startHub()
        let script =
            "echo $$ > pid; exec \(Sandbox.programs)/belfry wait --when-done 'touch acted' --grace 1h 2> notes"
        async let waiting = sandbox.run("/bin/sh", ["-c", script])
        func notes(have words: String) async throws {
            try await eventually("the note: \(words)") {
                let notes = try? String(contentsOfFile: sandbox.root + "/notes", encoding: .utf8)
                return notes?.contains(words) == true ? true : nil
            }
        }
        try await notes(have: "all done; running: touch acted in 1 h 0 min. Ctrl-C calls it off.")
        try await sandbox.belfry("add", "--", "sh", "-c", "read word < go")
        try await notes(have: "there is more to do; waiting on")
        try await sandbox.run("/bin/sh", ["-c", "echo on > go"])
        let pid = try #require(
            pid_t(try String(contentsOfFile: sandbox.root + "/pid", encoding: .utf8).dropLast())
        )
        kill(pid, SIGINT)
        #expect(try await waiting.status == 130)
        #expect(!FileManager.default.fileExists(atPath: sandbox.root + "/acted"))
    }
}
