// belfry plugin log: what plugins that stay leave behind, read with a hub and without one.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import PythonTesting
import Testing

@Suite("A plugin's log", .timeLimit(.minutes(1)))
struct PluginLogTests {
    private func add(_ id: String, _ script: String, _ more: JSONObject, _ sandbox: Sandbox) async throws {
        var manifest: JSONObject = ["manifest_version": 1, "id": .string(id), "version": "1.0.0"]
        for (key, value) in more { manifest[key] = value }
        try sandbox.write(JSONValue.object(manifest).text, to: "authored/\(id)/plugin.json")
        try sandbox.write("#!/bin/sh\n\(script)\n", to: "authored/\(id)/main.sh", mode: 0o755)
        let ran = try await sandbox.belfry("plugin", "add", "--yes", "authored/\(id)")
        #expect(ran.status == 0, "\(ran.errors)")
    }

    /// The log's lines without their times, once one of them contains `words`; the time limit ends it.
    private func log(_ id: String, until words: String, _ sandbox: Sandbox) async throws -> [Substring] {
        while true {
            let ran = try await sandbox.belfry("plugin", "log", id)
            try #require(ran.status == 0)
            if ran.output.contains(words) { return ran.lines.map { $0.drop { $0 != " " } } }
        }
    }

    @Test("has an observer's words, its starts, its crashes and that it was set aside")
    func observer() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        try await add(
            "ears",
            "read -r line; printf 'I am\\033[1m ill\\n' >&2; exit 3",
            [
                "kind": "observer", "restart": ["max": 1, "window_s": 60],
                "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"],
            ],
            sandbox
        )
        #expect(try await sandbox.belfry("plugin", "log", "ears").errors == "ears has written nothing yet.\n")
        try await sandbox.belfry("run", "--", "true")
        let lines = try await log("ears", until: "set aside", sandbox)
        #expect(lines.prefix(2) == [" * started", "   I am\\e[1m ill"], "\(lines)")
        #expect(lines.dropFirst(2).first?.hasPrefix(" * crashed: it ended with status 3") == true, "\(lines)")
        #expect(lines.last?.hasSuffix("belfry plugin enable ears") == true)
        var info = stat()
        #expect(stat(sandbox.places.pluginLogs + "/ears.log", &info) == 0 && info.st_mode & 0o777 == 0o600)
        // It is there without a hub too.
        try await sandbox.killHub()
        #expect(try await sandbox.belfry("plugin", "log", "ears").lines.count == lines.count)
        #expect(sandbox.hubProcess == nil)
    }

    @Test("has what an MCP server says on stderr, also when no task runs")
    func server() async throws {
        let sandbox = try Sandbox()
        let script: JSONValue = [
            "server/discover": [
                "result": ["supportedVersions": ["2026-07-28"], "capabilities": ["tools": [:]]]
            ],
            "tools/list": ["result": ["tools": [["name": "one"]]]],
        ]
        // FAKE: it answers as it is told.
        let server = "exec /usr/bin/python3 '\(PythonTools.server("fake-server.py"))' '\(script.text)'"
        try await add(
            "tools",
            "echo loading a model >&2; \(server)",
            ["kind": "feature", "runner": ["protocol": "mcp", "command": "${plugin_dir}/main.sh"]],
            sandbox
        )
        let lines = try await log("tools", until: "loading", sandbox)
        #expect(lines.prefix(2) == [" * started, to list its tools", "   loading a model"])
    }

    @Test("is kept within bounds: a full one makes room, and the older one is read first")
    func rotation() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let old = String(repeating: "old\n", count: 1 << 18)
        try sandbox.write(old, to: sandbox.places.pluginLogs + "/ears.log")
        try await add(
            "ears",
            "echo one >&2; while read -r line; do p=${line#*'\"position\":'}; p=${p%%,*}; echo two >&2; echo ::ack $p; done",
            [
                "kind": "observer", "events": ["completed"],
                "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"],
            ],
            sandbox
        )
        try await sandbox.belfry("run", "--", "true")
        let lines = try await log("ears", until: "two", sandbox)
        #expect(lines.count == 1 << 18 + 3 && lines.suffix(2) == ["   one", "   two"])
        let new = try String(contentsOfFile: sandbox.places.pluginLogs + "/ears.log", encoding: .utf8)
        #expect(new.split(separator: "\n").count == 2, "\(new.utf8.count)")
    }

    @Test("is followed until the reader goes away")
    func follow() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        try await add(
            "ears",
            "while read -r line; do p=${line#*'\"position\":'}; p=${p%%,*}; echo heard $p >&2; echo ::ack $p; done",
            [
                "kind": "observer", "events": ["completed"],
                "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"],
            ],
            sandbox
        )
        let script = "'\(Sandbox.programs)/belfry' plugin log -f ears | head -2"
        async let followed = sandbox.run("/bin/sh", ["-c", script])
        try await sandbox.belfry("run", "--", "true")
        let lines = try await followed.lines.map { $0.drop { $0 != " " } }
        #expect(lines == [" * started", "   heard 6"])
    }

    @Test("of a plugin with a process for each task is that of its tasks; of none there is none")
    func others() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("plugin", "new", "greeter")
        try await sandbox.belfry("plugin", "add", "--yes", "greeter")
        let ran = try await sandbox.belfry("plugin", "log", "greeter")
        #expect(ran.status == 0 && ran.errors.contains("each task its log: belfry log TASK"), "\(ran)")
        #expect(try await sandbox.belfry("plugin", "log", "../belfryd").status != 0)
    }
}
