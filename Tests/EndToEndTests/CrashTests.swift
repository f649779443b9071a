// Processes that die, stop, or are told to end in the middle of work: no outcome is written twice, none by
// who has lost the right to, and what was not done is done later.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage
import Testing

@Suite("Crashes", .serialized, .timeLimit(.minutes(3)))
struct CrashTests {
    /// An attempt that says it is there and waits until the FIFO `go` is opened; later attempts end at once.
    private func waitingScript(_ sandbox: Sandbox) -> String {
        mkfifo(sandbox.root + "/here", 0o600)
        mkfifo(sandbox.root + "/go", 0o600)
        return """
            echo attempt $BELFRY_ATTEMPT
            test -e \(sandbox.root)/seen && exit 0
            touch \(sandbox.root)/seen; echo here > \(sandbox.root)/here; read word < \(sandbox.root)/go
            """
    }

    private func waitForAttempt(_ sandbox: Sandbox) async throws {
        let ran = try await sandbox.run("/bin/cat", [sandbox.root + "/here"])
        #expect(ran.output == "here\n")
    }

    private func types(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.eventLog().compactMap { $0["type"]?.string }
    }

    @Test("kill -9 of the hub in the middle of a task: it runs again at the next start, and ends once")
    func hubKilled() async throws {
        let sandbox = try Sandbox()
        let script = waitingScript(sandbox)
        let added = try await sandbox.belfry("add", "--rerun", "--", "sh", "-c", script)
        #expect(added.status == 0, "\(added.errors)")
        try await waitForAttempt(sandbox)
        try await sandbox.killHub()
        try sandbox.startHub()
        #expect(try await sandbox.belfry("wait", "1").status == 0)
        let shown = try await sandbox.belfry("show", "1", "--json").json
        #expect(shown["status"]?.string == "completed")
        #expect(shown["attempt"]?.int == 2)
        try await sandbox.belfry("stop")
        #expect(
            try types(sandbox) == [
                "task.added", "task.started", "task.interrupted", "task.started", "task.completed",
            ]
        )
    }

    @Test("a hub that is stopped keeps its store; when it goes on, its task ends once")
    func hubStopped() async throws {
        let sandbox = try Sandbox()
        let script = waitingScript(sandbox)
        try await sandbox.belfry("add", "--", "sh", "-c", script)
        try await waitForAttempt(sandbox)
        let pid = try #require(sandbox.hubProcess)
        kill(pid, SIGSTOP)
        let second = try await sandbox.run(
            Sandbox.programs + "/belfryd",
            [],
            adding: ["BELFRY_RUNTIME_DIR": sandbox.root + "/run2"]
        )
        #expect(second.status == 1)
        #expect(second.errors.contains("Another process has the store: process \(pid)"), "\(second.errors)")
        try await sandbox.run("/bin/sh", ["-c", "echo go > \(sandbox.root)/go"])
        kill(pid, SIGCONT)
        #expect(try await sandbox.belfry("wait", "1").status == 0)
        #expect(try await sandbox.belfry("show", "1", "--json").json["attempt"]?.int == 1)
        try await sandbox.belfry("stop")
        #expect(try types(sandbox) == ["task.added", "task.started", "task.completed"])
    }

    @Test("a hub that slept while another took its work over is refused by the fence when it wakes")
    func staleHub() async throws {
        // Two hubs on one store are what the lock is there for, so it is taken away between them.
        let sandbox = try Sandbox()
        let script = waitingScript(sandbox)
        try sandbox.write("[sinks.file]\nenabled = false\n", to: "config.toml")
        try await sandbox.belfry("add", "--rerun", "--", "sh", "-c", script)
        try await waitForAttempt(sandbox)
        let sleeper = try #require(sandbox.hubProcess)
        let firstLog = try String(contentsOfFile: sandbox.places.hubLog, encoding: .utf8)
        kill(sleeper, SIGSTOP)
        unlink(sandbox.places.store + ".lock")
        var other = sandbox.environment
        other["BELFRY_RUNTIME_DIR"] = sandbox.root + "/run2"
        let runtime = ["BELFRY_RUNTIME_DIR": sandbox.root + "/run2"]
        try HubStarter(
            places: Places(environment: other),
            programs: Sandbox.programs,
            environment: other
        ).start()
        #expect(try await sandbox.belfry("wait", "1", adding: runtime).status == 0)
        let before = try await sandbox.belfry("show", "1", "--json", adding: runtime).json
        #expect(before["attempt"]?.int == 2)

        kill(sleeper, SIGCONT)
        try await sandbox.run("/bin/sh", ["-c", "echo go > \(sandbox.root)/go"])
        // Asked to stop, the sleeper waits for its attempt and then tells how it ended.
        #expect(try await sandbox.belfry("stop").status == 0)
        let after = try await sandbox.belfry("show", "1", "--json", adding: runtime).json
        #expect(after == before)
        let events = try await sandbox.belfry("tail", "-n", "all", "--no-follow", "--json", adding: runtime)
        let types = try events.lines.compactMap { try JSONValue(parsing: String($0))["type"]?.string }
        #expect(types.filter { $0 == "task.completed" }.count == 1)
        #expect(types.count == 5)
        let log = try String(contentsOfFile: sandbox.places.hubLog, encoding: .utf8).dropFirst(firstLog.count)
        #expect(log.contains("an outcome was refused"), "\(log)")
        #expect(try await sandbox.belfry("stop", adding: runtime).status == 0)
    }

    @Test("SIGTERM under load drains to its deadline, gives back the rest, and ends with status 0")
    func drains() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\nconcurrency = 2\ndrain_seconds = 1\n", to: "config.toml")
        let script = waitingScript(sandbox)
        let hub = try await foregroundHub(sandbox) { pid in
            try await sandbox.belfry("add", "--rerun", "--", "sh", "-c", script)
            try await waitForAttempt(sandbox)
            let load = String(repeating: "{\"command\":[\"true\"]}\n", count: 200)
            try await sandbox.belfry("batch", "shell", "--from", "-", input: load)
            kill(pid, SIGTERM)
        }
        #expect(hub.status == 0, "\(hub.errors)")
        try sandbox.startHub()
        #expect(try await sandbox.belfry("wait").status == 0)
        #expect(try await sandbox.belfry("show", "1", "--json").json["attempt"]?.int == 2)
        #expect(try await sandbox.belfry("status", "--json").json["tasks"]?["completed"]?.int == 201)
        try await sandbox.belfry("stop")
        let events = try sandbox.eventLog()
        #expect(events.compactMap { $0["position"]?.int } == (1...Int64(events.count)).map { $0 })
        let ends = events.filter { $0["type"]?.string == "task.completed" }
        #expect(Set(ends.compactMap { $0["task"]?["id"]?.string }).count == ends.count)
    }

    @Test("a second SIGTERM ends the hub at once with status 143, and nothing is lost")
    func secondSignal() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\ndrain_seconds = 3600\n", to: "config.toml")
        let script = waitingScript(sandbox)
        let hub = try await foregroundHub(sandbox) { pid in
            try await sandbox.belfry("add", "--rerun", "--", "sh", "-c", script)
            try await waitForAttempt(sandbox)
            kill(pid, SIGTERM)
            // Once nobody listens any more the first signal has been taken.
            while (try? HubClient(socketPath: sandbox.places.socket).send("GET", "/healthz")) != nil {
                await Task.yield()
            }
            #expect(kill(pid, 0) == 0)
            kill(pid, SIGTERM)
        }
        #expect(hub.status == 143, "\(hub.errors)")
        #expect(hub.errors.contains("a second signal"), "\(hub.errors)")
        try sandbox.startHub()
        #expect(try await sandbox.belfry("wait", "1").status == 0)
        #expect(try await sandbox.belfry("show", "1", "--json").json["attempt"]?.int == 2)
        try await sandbox.belfry("stop")
    }

    /// Runs `belfryd` in the foreground beside `work`, which ends it.
    private func foregroundHub(
        _ sandbox: Sandbox,
        _ work: @Sendable (pid_t) async throws -> Void
    ) async throws -> Ran {
        async let hub = sandbox.run(Sandbox.programs + "/belfryd", [])
        while (try? HubClient(socketPath: sandbox.places.socket).send("GET", "/healthz")) == nil {
            await Task.yield()
        }
        try await work(try #require(sandbox.hubProcess))
        return try await hub
    }

    @Test(
        "kill -9 around the event log's rotation leaves a log without gap or repeat",
        .enabled(if: StracedHub.isThere, "strace is not installed"),
        arguments: ["rename", "write", "fdatasync", "ftruncate"]
    )
    func killedInRotation(call: String) async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[sinks.file]\nrotate_mb = 1\nkeep = 1000\n", to: "config.toml")
        var isKilled = false
        for count in 1...2 {
            let only = call == "rename" ? [] : ["-P", sandbox.places.eventLog]
            // The mending of a torn line is one call at each start.
            let rule = "inject=\(call):signal=SIGKILL:when=\(call == "ftruncate" ? 1 : count)"
            let hub = StracedHub(sandbox, only + ["-e", "trace=\(call)", "-e", rule])
            let result = try await hub.run { await fillLog(sandbox) }
            isKilled = isKilled || !result.wasAlive
            // A line that the next start has to mend, and the end of which may be a whole one.
            if call == "ftruncate" { try sandbox.append("{\"position\":", to: sandbox.places.eventLog) }
        }
        #expect(isKilled)
        try sandbox.startHub()
        await fillLog(sandbox)
        let newest = try await sandbox.belfry("status", "--json").json["store"]?["newest"]?.int ?? 0
        try await sandbox.belfry("stop")
        try #require(newest > 600)
        #expect(try await sandbox.wholeEventLog() == Array(1...newest))
    }

    /// Submits tasks with large events that wait, until the log has begun a new file or the hub is gone.
    private func fillLog(_ sandbox: Sandbox) async {
        let task: JSONValue = [
            "featureId": "shell", "notBefore": "2100-01-01T00:00:00Z",
            "title": .string(String(repeating: "t", count: 800)),
            "labels": .array((0..<16).map { .string("\($0)" + String(repeating: "l", count: 60)) }),
            "params": ["command": ["/bin/true"]],
            "context": ["workingDirectory": "/", "environment": ["PATH": "/usr/bin:/bin"]],
        ]
        let body: JSONValue = ["tasks": .array(Array(repeating: task, count: 150))]
        let hub = HubClient(socketPath: sandbox.places.socket)
        for _ in 0..<4 where (try? hub.send("POST", "/v1/batches", body: body)) == nil { return }
        while let sinks = try? hub.send("GET", "/v1/sinks")["sinks"]?.array {
            if sinks.first?["lag"] == 0 { return }
            await Task.yield()
        }
    }

    @Test("a torn last line is mended at the next start, and what is missing comes again")
    func tornLine() async throws {
        let sandbox = try Sandbox()
        for _ in 0..<3 { try await sandbox.belfry("run", "--", "true") }
        let newest = try await sandbox.belfry("status", "--json").json["store"]?["newest"]?.int ?? 0
        try await sandbox.killHub()
        let whole = try Data(contentsOf: URL(filePath: sandbox.places.eventLog))
        for (cut, rubbish) in [(700, ""), (40, ""), (1, ""), (300, "{\"position\":"), (0, "\0\0\0\0")] {
            let torn = whole.dropLast(cut) + Data(rubbish.utf8)
            try torn.write(to: URL(filePath: sandbox.places.eventLog))
            try sandbox.startHub()
            while try await sandbox.belfry("sink", "list", "--json").json["sinks"]?.array?.first?["lag"] != 0
            {}
            #expect(try sandbox.eventLog().compactMap { $0["position"]?.int } == Array(1...newest))
            try await sandbox.killHub()
        }
        #expect(try Data(contentsOf: URL(filePath: sandbox.places.eventLog)) == whole)
    }
}
