// The life of an MCP server as its user sees it, with the real programs: it crashes too often, takes too much
// memory, is updated under its tasks, and ends with its hub.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import PythonTesting
import Testing

@Suite("The life of an MCP server", .timeLimit(.minutes(5)))
struct MCPLifeTests {
    private let sandbox: Sandbox
    private let python: String

    init() async throws {
        sandbox = try Sandbox()
        python = try await PythonTools.python(.mcp2)
    }

    /// Writes a plugin with the small tools as its server, and gives its directory.
    private func write(version: String = "1.0.0", word: String = "", _ more: JSONObject = [:]) throws
        -> String
    {
        var manifest: JSONObject = [
            "manifest_version": 1, "id": "tools", "version": .string(version), "kind": "feature",
            "runner": [
                "protocol": "mcp", "command": .string(python), "args": ["${plugin_dir}/tools.py"],
                "env": ["WORD": .string(word)],
            ],
            "cancel_grace_s": 1,
        ]
        for (key, value) in more { manifest[key] = value }
        try sandbox.write(JSONValue.object(manifest).text, to: "authored/tools/plugin.json")
        let server = try String(contentsOfFile: PythonTools.server("tools.py"), encoding: .utf8)
        try sandbox.write(server, to: "authored/tools/tools.py")
        return sandbox.root + "/authored/tools"
    }

    private func add(_ directory: String) async throws {
        let added = try await sandbox.belfry("plugin", "add", "--yes", directory)
        try #require(added.status == 0, "\(added.errors)")
    }

    private func plugin() async throws -> JSONValue {
        try await sandbox.belfry("plugin", "show", "--json", "tools").json
    }

    private func task(_ number: Int) async throws -> JSONValue {
        try await sandbox.belfry("show", String(number), "--json").json
    }

    /// The server's own process.
    private func server() async throws -> pid_t {
        let known = try await sandbox.belfry("run", "tools/whoami")
        return try #require(pid_t(known.json["pid"]?.string ?? ""), "\(known.errors)")
    }

    /// Waits until so many calls are in the server's hands.
    private func waitUntilBusy(_ count: Int64) async throws {
        while try await plugin()["process"]?["running"]?.int != count {}
    }

    private func isGone(_ pid: pid_t) -> Bool { kill(pid, 0) != 0 && errno == ESRCH }

    @Test(
        "one that crashes too often is set aside, is told everywhere with its mend, and that brings it back"
    )
    func quarantined() async throws {
        try await add(try write(["restart": ["max": 2]]))
        // Put aside before: it neither fails nor is lost.
        #expect(try await sandbox.belfry("add", "--stash", "tools/text", "word=later").status == 0)
        for number in [2, 3] {
            let failed = try await sandbox.belfry("run", "tools/crashes")
            #expect(failed.status != 0 && failed.errors.contains("signal 11"), "\(failed.errors)")
            #expect(try await task(number)["error"]?["code"] == "crashed")
            #expect(try await plugin()["state"] == (number == 2 ? "backoff" : "quarantined"))
        }
        let list = try await sandbox.belfry("plugin", "list")
        let said = list.output + list.errors
        #expect(said.contains("quarantined") && said.contains("crashed 2 times within"), "\(said)")
        #expect(said.contains("fix: Mend it, then: belfry plugin enable tools"), "\(said)")
        for words in [["doctor"], ["plugin", "doctor", "tools"]] {
            let doctor = try await sandbox.run(Sandbox.programs + "/belfry", words)
            #expect(
                doctor.output.contains("plugin tools is quarantined: it crashed 2 times"),
                "\(doctor.output)"
            )
            #expect(doctor.output.contains("belfry plugin enable tools"), "\(doctor.output)")
        }
        #expect(try await sandbox.belfry("plugin", "doctor", "tools").status == 1)
        let log = try await sandbox.belfry("plugin", "log", "tools")
        #expect(log.output.contains("belfry plugin enable tools"), "\(log.output)")
        // New tasks are refused, and one that is there waits and says for what.
        let refused = try await sandbox.belfry("run", "tools/text", "word=x")
        #expect(
            refused.status != 0 && refused.errors.contains("belfry plugin enable tools"),
            "\(refused.errors)"
        )
        #expect(try await sandbox.belfry("release", "1").status == 0)
        let waiting = try await task(1)
        #expect(waiting["status"] == "pending", "\(waiting.text)")
        #expect(waiting["waiting"]?.text.contains("crashed 2 times") == true, "\(waiting.text)")
        #expect(try await sandbox.belfry("plugin", "enable", "tools").status == 0)
        #expect(try await sandbox.belfry("wait", "1").status == 0)
        #expect(try await task(1)["result"]?["value"]?["text"] == "you said later")
        #expect(try await plugin()["state"] == "ready")
        #expect(try await plugin()["reason"] == nil)
    }

    @Test(
        "an update while a task runs: it ends on the old server, new tasks take the new one, the old one ends"
    )
    func updated() async throws {
        let file = sandbox.root + "/block"
        try sandbox.write("", to: "block")
        try await add(try write(word: "old"))
        let old = try await server()
        let directory = try #require(try await plugin()["directory"]?.string)
        #expect(try await sandbox.belfry("add", "tools/blocks", "path=\(file)").status == 0)
        try await waitUntilBusy(1)
        _ = try write(version: "2.0.0", word: "new")
        let updated = try await sandbox.belfry("plugin", "update", "--yes", "tools")
        #expect(updated.output == "updated tools to 2.0.0\n", "\(updated.errors)")
        let new = try await sandbox.belfry("run", "tools/whoami").json
        #expect(new["word"] == "new" && new["pid"]?.string != String(old), "\(new.text)")
        #expect(!isGone(old))
        #expect(FileManager.default.fileExists(atPath: directory + "/tools.py"))
        #expect(try await task(2)["status"] == "processing")
        unlink(file)
        #expect(try await sandbox.belfry("wait", "2").status == 0)
        let ended = try await task(2)
        #expect(ended["attempt"] == 1 && ended["result"]?["value"]?["result"] == "at last", "\(ended.text)")
        // Drained, it ends; with it go the files that it was made of.
        while !isGone(old) { _ = try await plugin() }
        while FileManager.default.fileExists(atPath: directory) { _ = try await plugin() }
        #expect(try await sandbox.belfry("run", "tools/whoami").json["pid"] == new["pid"])
    }

    @Test("one from an archive takes tasks as soon as it is enabled; an update that cannot start says so")
    func enabledAndBroken() async throws {
        let directory = try write()
        try await sandbox.run("/bin/tar", ["-czf", "tools.tar.gz", "-C", "authored", "tools"])
        try await add(sandbox.root + "/tools.tar.gz")
        #expect(try await sandbox.belfry("plugin", "enable", "--yes", "tools").status == 0)
        let first = try await sandbox.belfry("run", "tools/text", "word=first")
        #expect(first.json["text"] == "you said first", "\(first.errors)")
        let broken: JSONValue = [
            "protocol": "mcp", "command": "sh", "args": ["-c", "echo lost >&2; exit 3"],
        ]
        _ = try write(version: "2.0.0", ["runner": broken])
        let refused = try await sandbox.belfry("plugin", "update", "--yes", "tools", directory)
        #expect(refused.status == 1, "\(refused)")
        #expect(refused.errors.contains("is updated, and cannot be used"), "\(refused.errors)")
        #expect(refused.errors.contains("exited with 3") && refused.errors.contains("lost"))
        _ = try write(version: "3.0.0")
        #expect(try await sandbox.belfry("plugin", "update", "--yes", "tools", directory).status == 0)
        let third = try await sandbox.belfry("run", "tools/text", "word=third")
        #expect(third.json["text"] == "you said third", "\(third.errors)")
    }

    @Test(
        "a hub that ends gives back what a server is busy with, kills one that will not hear, and leaves nobody",
        arguments: ["belfry stop", "SIGTERM"]
    )
    func hubEnds(by way: String) async throws {
        let file = sandbox.root + "/block"
        try sandbox.write("", to: "block")
        try sandbox.write("[worker]\nconcurrency = 2\ndrain_seconds = 1\n", to: "config.toml")
        // Deaf to TERM, with a child in a session of its own.
        let script = "setsid sleep 1000 & echo $! > \(sandbox.root)/child; trap '' TERM; exec \"$0\" \"$@\""
        let runner: JSONValue = [
            "protocol": "mcp", "command": "sh",
            "args": ["-c", .string(script), .string(python), "${plugin_dir}/tools.py"],
        ]
        try await add(try write(["runner": runner]))
        let pid = try await server()
        let child = try #require(
            pid_t(try String(contentsOfFile: sandbox.root + "/child", encoding: .utf8).prefix { $0 != "\n" })
        )
        for _ in 0..<2 { try await sandbox.belfry("add", "tools/blocks", "path=\(file)") }
        try await waitUntilBusy(2)
        let hub = try #require(sandbox.hubProcess)
        // The drain, and the server's graces for the end of its input and for TERM: a second each.
        let time = try await ContinuousClock().measure {
            if way == "SIGTERM" {
                kill(hub, SIGTERM)
            } else {
                #expect(try await sandbox.belfry("stop").status == 0)
            }
            try await sandbox.run("/usr/bin/flock", [sandbox.places.runtime + "/hub.lock", "true"])
        }
        #expect(time < .seconds(20))
        #expect(isGone(pid) && isGone(child))
        for number in [2, 3] { #expect(try await task(number)["status"] == "pending") }
        let interrupted = try sandbox.eventLog().filter { $0["type"] == "task.interrupted" }
        #expect(interrupted.count == 2)
        unlink(file)
        try sandbox.startHub()
        #expect(try await sandbox.belfry("wait", "2", "3").status == 0)
        #expect(try await task(3)["attempt"] == 2)
    }

    @Test(
        "one that takes more memory than its limit is killed; its task says so, and the next gets a new server"
    )
    func memory() async throws {
        try await add(try write(["limits": ["memory_mb": 256]]))
        let old = try await server()
        let failed = try await sandbox.belfry("run", "tools/hoards", "megabytes=600")
        #expect(failed.status != 0)
        let error = try await task(2)["error"]
        #expect(error?["code"] == "memory_limit", "\(failed.errors)")
        #expect(error?["message"]?.string?.contains("over the memory limit of 256 MiB") == true)
        #expect(error?["fix"]?.string?.contains("limits.memory_mb") == true)
        #expect(isGone(old))
        #expect(try await plugin()["reason"]?.string?.contains("over the memory limit") == true)
        #expect(try await server() != old)
    }
}
