// A server of somebody else, added from the shell and used, with the real programs.

import BelfryCore
import FoundationEssentials
import PythonTesting
import Testing

@Suite("MCP servers from the shell", .timeLimit(.minutes(5)))
struct MCPTests {
    @Test("a server is added by its command, its tools are run, and its process is shown")
    func addAndRun() async throws {
        let python = try await PythonTools.python(.mcp2)
        let sandbox = try Sandbox()
        let bin = String(python.dropLast("/python".count))
        let added = try await sandbox.belfry(
            "plugin",
            "add",
            "--yes",
            "--mcp",
            "mcp-server-time --local-timezone UTC",
            "--id",
            "time",
            adding: ["PATH": bin + ":/usr/bin:/bin"]
        )
        #expect(added.output == "added time: time/get_current_time, time/convert_time\n")
        // The PATH of this moment is another: the one of the adding counts.
        let run = try await sandbox.belfry(
            "run",
            "time/convert_time",
            "source_timezone=UTC",
            "time=12:00",
            "target_timezone=Asia/Tokyo"
        )
        #expect(run.status == 0)
        #expect(run.json["time_difference"]?.string == "+9.0h")
        let plugins = try await sandbox.belfry("plugin", "list", "--json").json["plugins"]?.array
        let time = plugins?.first { $0["id"]?.string == "time" }
        #expect(time?["state"]?.string == "ready")
        #expect(time?["process"]?["state"]?.string == "ready")
        let refused = try await sandbox.belfry("run", "time/convert_time", "source_timezone=UTC")
        #expect(refused.status == 64)
        #expect(refused.errors.contains("'time' is missing"))
    }

    @Test("only the chosen tools are features, with the variables that were given")
    func chosenTools() async throws {
        let python = try await PythonTools.python(.mcp1)
        let sandbox = try Sandbox()
        let added = try await sandbox.belfry(
            "plugin",
            "add",
            "--yes",
            "--mcp",
            "'\(python)' '\(PythonTools.server("tools.py"))'",
            "--tools",
            "whoami,text",
            "--env",
            "WORD=secret"
        )
        #expect(added.output == "added tools: tools/whoami, tools/text\n")
        let run = try await sandbox.belfry("run", "tools/whoami")
        #expect(run.json["word"]?.string == "secret")
        #expect(try await sandbox.belfry("run", "tools/slow").status != 0)
    }

    @Test("an mcpServers file is imported; servers at an address are skipped by name")
    func file() async throws {
        let python = try await PythonTools.python(.mcp2)
        let sandbox = try Sandbox()
        let file: JSONValue = [
            "mcpServers": [
                "Small Tools": [
                    "command": .string(python), "args": [.string(PythonTools.server("tools.py"))],
                    "env": ["WORD": "${GIVEN:-fallen back}"],
                ],
                "far": ["url": "https://example.com/mcp"],
            ]
        ]
        try file.text.write(toFile: sandbox.root + "/servers.json", atomically: true, encoding: .utf8)
        let added = try await sandbox.belfry("plugin", "add", "--yes", "servers.json")
        #expect(added.errors.contains("skipped far"))
        #expect(added.output.hasPrefix("added small-tools: small-tools/slow, "))
        #expect(try await sandbox.belfry("run", "small-tools/whoami").json["word"]?.string == "fallen back")
    }

    @Test("of a file the servers that cannot be started are told, the others added; keys are not shown again")
    func partOfAFile() async throws {
        let python = try await PythonTools.python(.mcp2)
        let sandbox = try Sandbox()
        let file: JSONValue = [
            "mcpServers": [
                "gone": ["command": "no-such-program"],
                "tools": [
                    "command": .string(python), "args": [.string(PythonTools.server("tools.py"))],
                    "env": ["WORD": "a key"],
                ],
            ]
        ]
        try sandbox.write(file.text, to: "servers.json")
        let added = try await sandbox.belfry("plugin", "add", "--yes", "servers.json")
        #expect(added.status == 1)
        #expect(added.errors.contains("gone: There is no program 'no-such-program'"), "\(added.errors)")
        #expect(added.output.hasPrefix("added tools: tools/"))
        let shown = try await sandbox.belfry("plugin", "show", "tools")
        #expect(shown.output.contains("with variables:  PATH WORD\n"), "\(shown.output)")
        #expect(try await !sandbox.belfry("plugin", "show", "--json", "tools").output.contains("a key"))
        let updated = try await sandbox.belfry("plugin", "update", "tools")
        #expect(updated.status == 64 && updated.errors.contains("belfry plugin remove tools, then"))
    }

    @Test("a hub that is told to end does not wait for a server that does not tell its tools")
    func endsWhileAdding() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--", "true")
        async let added = sandbox.belfry("plugin", "add", "--yes", "--id", "mute", "--mcp", "sleep 600")
        let log = sandbox.root + "/state/plugins-log/mute.log"
        while !FileManager.default.fileExists(atPath: log) { await Task.yield() }
        #expect(try await sandbox.belfry("stop").status == 0)
        #expect(try await added.status == 1)
        #expect(try await sandbox.belfry("plugin", "show", "mute").status == 1)
    }

    @Test("a command that is not there, or is no server, is refused and leaves nothing")
    func refused() async throws {
        let sandbox = try Sandbox()
        let missing = try await sandbox.belfry("plugin", "add", "--yes", "--mcp", "no-such-program")
        #expect(
            missing.errors.contains("no program 'no-such-program' on the PATH: /usr/local/bin:/usr/bin:/bin")
        )
        let noServer = try await sandbox.belfry(
            "plugin",
            "add",
            "--yes",
            "--mcp",
            "sh -c 'echo lost >&2; exit 3'",
            "--id",
            "x"
        )
        #expect(noServer.status != 0)
        #expect(noServer.errors.contains("exited with 3"))
        #expect(noServer.errors.contains("lost"))
        let plugins = try await sandbox.belfry("plugin", "list", "--json").json["plugins"]?.array
        #expect(plugins?.contains { $0["id"]?.string == "x" } == false)
    }
}
