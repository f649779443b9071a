// What a damaged state directory does to the hub: it is said at start or soon after, in the hub's log, by
// status and by doctor, with what to do.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Damage", .serialized, .timeLimit(.minutes(3)))
struct StoreDamageTests {
    /// Runs some tasks and kills the hub; everything is in the main file or the `-wal`.
    private func crash(_ sandbox: Sandbox, afterTasks count: Int) async throws {
        let tasks = String(repeating: "{\"command\":[\"true\"]}\n", count: count)
        let ran = try await sandbox.belfry("batch", "shell", "--from", "-", "--wait", input: tasks)
        #expect(ran.status == 0, "\(ran.errors)")
        // The log is to have everything too: then it shows what the store has lost.
        while try await sandbox.belfry("sink", "list", "--json").json["sinks"]?.array?.first?["lag"] != 0 {}
        try await sandbox.killHub()
    }

    /// Asks until `status` names a problem with the store.
    private func problem(_ sandbox: Sandbox) async throws -> JSONValue {
        while true {
            let status = try await sandbox.belfry("status", "--json")
            if let problem = status.json["store"]?["problems"]?.array?.first { return problem }
            try #require(status.status == 0, "\(status.errors)")
        }
    }

    @Test(
        "a page of zeros after a crash is found and told by log, status and doctor; the command they give recovers"
    )
    func zeroedPage() async throws {
        let sandbox = try Sandbox()
        try await crash(sandbox, afterTasks: 60)
        // Into the main file with all of it, but not closed in order: as after a checkpoint.
        try await sandbox.run("/usr/bin/sqlite3", [sandbox.places.store, "PRAGMA wal_checkpoint(TRUNCATE)"])
        let root = try await sandbox.run(
            "/usr/bin/sqlite3",
            [sandbox.places.store, "SELECT rootpage FROM sqlite_schema WHERE name = 'tasks_by_feature'"]
        )
        let page = try #require(Int(root.output.prefix { $0 != "\n" }))
        let whole = try Data(contentsOf: URL(filePath: sandbox.places.store))
        var damaged = whole
        damaged.replaceSubrange(((page - 1) * 4096)..<(page * 4096), with: Data(count: 4096))
        try damaged.write(to: URL(filePath: sandbox.places.store))
        try sandbox.startHub()
        let found = try await problem(sandbox)
        #expect(found["message"]?.string?.contains("\(sandbox.places.store) is damaged") == true)
        let fix = try #require(found["fix"]?.string)
        let people = try await sandbox.belfry("status")
        #expect(people.output.contains(fix), "\(people.output)")
        let doctor = try await sandbox.belfry("doctor")
        #expect(doctor.status != 0)
        #expect(doctor.output.contains("is damaged") && doctor.output.contains(fix), "\(doctor.output)")
        let log = try String(contentsOfFile: sandbox.places.hubLog, encoding: .utf8)
        #expect(log.contains("is damaged") && log.contains(fix))

        let command = try #require(fix.split(separator: "with: ", maxSplits: 1).last)
        let recovered = try await sandbox.run(
            "/bin/sh",
            ["-c", String(command)],
            adding: ["PATH": "\(Sandbox.programs):/usr/bin:/bin"]
        )
        #expect(recovered.status == 0, "\(recovered.errors)")
        let after = try await sandbox.belfry("run", "--", "echo", "on we go")
        #expect(after.output == "on we go\n", "\(after.errors)")
        #expect(try await sandbox.belfry("status", "--json").json["tasks"]?["completed"]?.int == 61)
        #expect(try await sandbox.belfry("doctor").status == 0)
    }

    @Test("a store that was cut off is refused with the command that recovers it, and stays as it is")
    func truncated() async throws {
        let sandbox = try Sandbox()
        try await crash(sandbox, afterTasks: 60)
        try await sandbox.run("/usr/bin/sqlite3", [sandbox.places.store, "PRAGMA wal_checkpoint(TRUNCATE)"])
        let whole = try Data(contentsOf: URL(filePath: sandbox.places.store))
        let cut = whole.prefix(whole.count / 2)
        for ending in ["-wal", "-shm"] { unlink(sandbox.places.store + ending) }
        try cut.write(to: URL(filePath: sandbox.places.store))
        for command in [["add", "--", "true"], ["list"]] {
            let ran = try await sandbox.run(Sandbox.programs + "/belfry", command)
            #expect(ran.status != 0)
            #expect(ran.errors.contains("\(sandbox.places.store) is damaged"), "\(ran.errors)")
            #expect(ran.errors.contains("fix: Recover what is left with: belfry stop;"), "\(ran.errors)")
        }
        #expect(try Data(contentsOf: URL(filePath: sandbox.places.store)) == cut)
    }

    @Test("a store that lost commits is told by the event log, which goes on in a new file")
    func deletedLog() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("stop")
        try await crash(sandbox, afterTasks: 5)
        let before = try sandbox.eventLog().compactMap { $0["position"]?.int }
        unlink(sandbox.places.store + "-wal")
        unlink(sandbox.places.store + "-shm")
        try sandbox.startHub()
        let found = try await problem(sandbox)
        #expect(found["message"]?.string?.contains("behind the event log") == true)
        #expect(try await sandbox.belfry("doctor").status != 0)
        let ran = try await sandbox.belfry("run", "--", "echo", "on we go")
        #expect(ran.output == "on we go\n", "\(ran.errors)")
        try await sandbox.belfry("stop")
        // Nothing of before is overwritten, nothing of now is taken for a repeat.
        let newest = try #require(try sandbox.eventLog().last?["position"]?.int)
        #expect(try sandbox.eventLog().compactMap { $0["position"]?.int } == Array((newest - 2)...newest))
        #expect(newest < before.last ?? 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: sandbox.places.state)
        #expect(names.filter { $0.hasPrefix("events-") }.count == 1)
        try sandbox.startHub()
        #expect(try await sandbox.belfry("status", "--json").json["store"]?["problems"]?.array == [])
    }

    @Test("after a crash that left the file sound, the check says so and nothing else")
    func sound() async throws {
        let sandbox = try Sandbox()
        try await crash(sandbox, afterTasks: 3)
        try sandbox.startHub()
        while true {
            let log = try String(contentsOfFile: sandbox.places.hubLog, encoding: .utf8)
            if log.contains("the store's file is sound") { break }
            try #require(sandbox.hubProcess != nil)
        }
        #expect(try await sandbox.belfry("status", "--json").json["store"]?["problems"]?.array == [])
        #expect(try await sandbox.belfry("doctor").status == 0)
    }
}
