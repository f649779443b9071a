// The hub for agents, driven by the official Python client in both eras.

import BelfryCore
import FoundationEssentials
import Glibc
import PythonTesting
import Testing

@Suite("The hub for agents", .timeLimit(.minutes(5)))
struct AgentTests {
    /// Who drives: an SDK, and the era that it is to speak.
    struct Driver: Sendable, CustomTestStringConvertible {
        var packages: PythonTools.Packages
        var mode: String
        var revision: String
        var testDescription: String { "\(packages.rawValue) \(mode)" }

        static let all = [
            Driver(packages: .mcp1, mode: "handshake", revision: "2025-11-25"),
            Driver(packages: .mcp2, mode: "handshake", revision: "2025-11-25"),
            Driver(packages: .mcp2, mode: "modern", revision: "2026-07-28"),
        ]

        /// What came of each call, after the revision and the tools.
        func drive(_ command: [String], _ calls: JSONValue, _ sandbox: Sandbox) async throws -> [JSONValue] {
            let python = try await PythonTools.python(packages)
            let script = Sandbox.checkout + "/Tests/EndToEndTests/Agents/client.py"
            let ran = try await sandbox.run(python, [script, mode] + command, input: calls.text)
            #expect(ran.status == 0, "\(ran.errors)")
            let lines = try ran.lines.map { try JSONValue(parsing: String($0)) }
            #expect(lines.first?["revision"]?.string == revision)
            try #require(lines.count == 2 + (calls.array?.count ?? 0))
            return Array(lines.dropFirst())
        }
    }

    private static func server(_ options: String...) -> [String] {
        [Sandbox.programs + "/belfry", "mcp"] + options
    }

    /// A feature that reports twice, and then waits for a file.
    private func addSlow(to sandbox: Sandbox) async throws {
        try sandbox.write(
            """
            #!/bin/sh
            echo "::progress 40 warming up"
            echo "one line" >&2; echo "another line" >&2
            while [ ! -e "\(sandbox.root)/go" ]; do sleep 0.02; done
            echo text > "$BELFRY_OUTPUT_DIR/note.txt"
            echo "::artifact note.txt"
            echo '::result {"ok": true}'
            """,
            to: "slow/main.sh",
            mode: 0o755
        )
        try sandbox.write(
            """
            {"manifest_version": 1, "id": "slow", "version": "1.0.0", "kind": "feature",
             "runner": {"protocol": "exec/1", "command": "${plugin_dir}/main.sh"},
             "features": [{"id": "slow", "title": "Slow"}]}
            """,
            to: "slow/plugin.json"
        )
        let added = try await sandbox.belfry("plugin", "add", "--yes", sandbox.root + "/slow")
        #expect(added.status == 0, "\(added.errors)")
    }

    @Test("is found out, used and waited for by each client, and makes a picture", arguments: Driver.all)
    func picture(_ driver: Driver) async throws {
        let sandbox = try Sandbox()
        let answers = try await driver.drive(
            Self.server(),
            [
                ["list_features", [:]],
                [
                    "submit",
                    ["feature": "text-to-image", "params": ["prompt": "A bell", "width": 64, "height": 64]],
                ],
                ["wait", ["task": "$1.task"]], ["result", ["task": "$1.task", "pictures": true]],
                ["list", ["status": "completed"]],
            ],
            sandbox
        )
        let names = answers[0]["tools"]?.array?.compactMap { $0["name"]?.string } ?? []
        #expect(names == ["list_features", "submit", "status", "wait", "result", "log", "cancel", "list"])
        let features = answers[1]["structuredContent"]?["features"]?.array ?? []
        let painter = try #require(features.first { $0["id"] == "text-to-image" })
        #expect(painter["params"]?["required"] == ["prompt"])
        #expect(!features.contains { $0["id"] == "shell" })
        #expect(answers[2]["structuredContent"]?["task"] == 1)
        let done = try #require(answers[3]["structuredContent"])
        #expect(done["done"] == true && done["status"] == "completed", "\(answers[3].text)")
        let path = try #require(done["files"]?.array?.first?.string)
        #expect(FileManager.default.fileExists(atPath: path))
        let picture = try #require(answers[4]["content"]?.array?.last)
        #expect(picture["type"] == "image" && picture["mimeType"] == "image/png")
        let data = Data(base64Encoded: picture["data"]?.string ?? "")
        #expect(data == (try Data(contentsOf: URL(filePath: path))))
        #expect(answers[5]["structuredContent"]?["tasks"]?.array?.first?["task"] == 1)
    }

    @Test("waits in slices, tells progress meanwhile, and cancels", arguments: Driver.all)
    func slices(_ driver: Driver) async throws {
        let sandbox = try Sandbox()
        try await addSlow(to: sandbox)
        let answers = try await driver.drive(
            Self.server(),
            [
                ["submit", ["feature": "slow"]], ["wait", ["task": "$0.task", "seconds": 1.5]],
                ["log", ["task": "$0.task", "lines": 1]], ["result", ["task": "last"]],
                ["cancel", ["task": "last"]],
                ["wait", ["task": "$0.task"]],
            ],
            sandbox
        )
        let slice = answers[2]
        #expect(slice["structuredContent"]?["done"] == false, "\(slice.text)")
        #expect(slice["structuredContent"]?["percent"] == 40)
        #expect(slice["structuredContent"]?["message"] == "warming up")
        #expect(slice["structuredContent"]?["next"]?.string?.contains("wait") == true)
        let told = (slice["told"]?.array ?? []).compactMap(\.array)
        #expect(told.contains { $0.first?.double == 40 && $0.last == "warming up" }, "\(slice.text)")
        #expect(answers[3]["content"]?.array?.first?["text"] == "another line")
        #expect(answers[4]["isError"] == true)
        #expect(answers[4]["content"]?.array?.first?["text"]?.string?.contains("Call wait.") == true)
        #expect(answers[5]["isError"] == false)
        #expect(answers[6]["structuredContent"]?["status"] == "cancelled")
    }

    @Test(
        "SIGTERM ends it at once in the middle of a wait, with the status of that signal, and the task goes on"
    )
    func terminated() async throws {
        let sandbox = try Sandbox()
        try await addSlow(to: sandbox)
        #expect(try await sandbox.belfry("add", "slow").status == 0)
        let (input, output) = (sandbox.root + "/requests", sandbox.root + "/answers")
        for fifo in [input, output] { mkfifo(fifo, 0o600) }
        let client = open(input, O_RDWR | O_CLOEXEC)
        defer { close(client) }
        let lines: [JSONValue] = [
            ["jsonrpc": "2.0", "id": 1, "method": "initialize", "params": ["protocolVersion": "2025-11-25"]],
            [
                "jsonrpc": "2.0", "id": 2, "method": "tools/call",
                "params": [
                    "name": "wait", "arguments": ["task": 1, "seconds": 55], "_meta": ["progressToken": "p"],
                ],
            ],
        ]
        let bytes = Array(lines.map { $0.text + "\n" }.joined().utf8)
        #expect(write(client, bytes, bytes.count) == bytes.count)
        let script = "echo $$ > pid; exec \"$0\" mcp < requests > answers"
        async let ended = sandbox.run("/bin/sh", ["-c", script, Sandbox.programs + "/belfry"])
        let told = try await sandbox.run("/bin/grep", ["-m1", "warming up", output])
        #expect(told.output.contains("notifications/progress"), "\(told)")
        let text = try String(contentsOfFile: sandbox.root + "/pid", encoding: .utf8)
        let pid = try #require(pid_t(text.prefix { $0 != "\n" }))
        let start = ContinuousClock.now
        kill(pid, SIGTERM)
        #expect(try await ended.status == 128 + Int(SIGTERM))
        let time = ContinuousClock.now - start
        #expect(time < .seconds(20), "the wait is for 55")
        #expect(try await sandbox.belfry("show", "1", "--json").json["status"] == "processing")
        try sandbox.write("", to: "go")
        #expect(try await sandbox.belfry("wait", "1").status == 0)
    }

    @Test("shows short texts, and chains tasks by what the earlier ones make")
    func chain() async throws {
        let sandbox = try Sandbox()
        try await addSlow(to: sandbox)
        try sandbox.write("", to: "go")
        let answers = try await Driver.all[2].drive(
            Self.server("--allow-shell"),
            [
                ["submit", ["feature": "slow", "title": "first"]],
                ["run_command", ["command": ["cat", "${task.result.path}"], "after": ["$0.task"]]],
                ["wait", ["task": "$1.task"]], ["log", ["task": "$1.task"]], ["result", ["task": "$0.task"]],
            ],
            sandbox
        )
        #expect(answers[3]["structuredContent"]?["status"] == "completed", "\(answers[3].text)")
        #expect(answers[4]["content"]?.array?.first?["text"] == "text")
        let first = answers[5]["structuredContent"]
        #expect(first?["value"] == ["ok": true] && first?["title"] == "first")
        let path = try #require(first?["files"]?.array?.first?.string)
        #expect(first?["texts"]?[path] == "text\n")
    }

    @Test("says in its errors what to do instead, and runs no command unless it may")
    func refusals() async throws {
        let sandbox = try Sandbox()
        let answers = try await Driver.all[2].drive(
            Self.server(),
            [
                ["submit", ["feature": "text-to-imag", "params": [:]]],
                ["submit", ["feature": "text-to-image", "params": ["prompt": ""]]],
                ["submit", ["feature": "shell", "params": ["command": ["true"]]]],
                ["run_command", ["command": ["true"]]], ["status", ["task": 99]], ["wait", ["tusk": 1]],
            ],
            sandbox
        )
        func text(_ index: Int) -> String { answers[index]["content"]?.array?.first?["text"]?.string ?? "" }
        for index in [1, 2, 3, 5, 6] { #expect(answers[index]["isError"] == true, "\(answers[index].text)") }
        #expect(
            text(1).contains("did you mean 'text-to-image'?") && text(1).contains("Fix: Call list_features.")
        )
        #expect(text(2).contains("prompt"))
        #expect(text(3).contains("--allow-shell"))
        #expect(answers[4]["raised"]?.string?.contains("run_command") == true, "\(answers[4].text)")
        #expect(text(5).contains("99"))
        #expect(text(6).contains("did you mean 'task'?"))
        let tasks = try await sandbox.belfry("list", "--json").json["tasks"]?.array
        #expect(tasks == [])
    }
}
