// What comes from outside and is not what it should be is refused by name: passed over, it would silently be without
// effect, or cut.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import PythonTesting
import Testing

@Suite("Strict input", .timeLimit(.minutes(3)))
struct StrictInputTests {
    /// A request with something wrong in its body, and the pointer to it.
    private struct Wrong {
        var method = "POST"
        var path: String
        var body: String
        var pointer: String

        init(_ path: String, _ body: String, _ pointer: String, method: String = "POST") {
            (self.method, self.path, self.body, self.pointer) = (method, path, body, pointer)
        }
    }

    private static let shell = #""featureId":"shell","params":{"command":["/bin/true"]}"#
    private static let task = "{\(shell)}"

    private static let wrong = [
        Wrong("tasks", #"{\#(shell),"title":"a\u0000b"}"#, "/title"),
        Wrong(
            "tasks",
            #"{"featureId":"shell","params":{"command":["/bin/true","a\u0000b"]}}"#,
            "/params/command/1"
        ),
        Wrong(
            "tasks",
            #"{"featureId":"shell","arguments":[["command","/bin/t\u0000rue"]]}"#,
            "/params/command/0"
        ),
        Wrong("tasks", #"{\#(shell),"context":{"workingDirectory":"/\u0000"}}"#, "/context/workingDirectory"),
        Wrong("tasks", #"{\#(shell),"after":[{}]}"#, "/after/0"),
        Wrong("tasks", #"{\#(shell),"retry":{"attempts":2}}"#, "/retry/attempts"),
        Wrong("batches", #"{"tasks":[\#(task)],"title":3}"#, "/title"),
        Wrong("batches", #"{"tasks":[\#(task)],"title":"a\u0000"}"#, "/title"),
        Wrong("batches", #"{"tasks":[\#(task)],"name":"x"}"#, "/name"),
        Wrong(
            "batches",
            #"{"tasks":[\#(task)],"context":{"workingDirectory":3}}"#,
            "/context/workingDirectory"
        ),
        Wrong("tasks/1/retry", #"{"attempts":2}"#, "/attempts"),
        Wrong("tasks/1/retry", #"{"context":{"workingDirectory":"/","env":{}}}"#, "/context/env"),
        Wrong("tasks/1", #"{"context":3}"#, "/context", method: "PATCH"),
        Wrong("tasks:bulk", #"{"action":"remove","dryRun":"true"}"#, "/dryRun"),
        Wrong("tasks:bulk", #"{"action":"remove","dryrun":true}"#, "/dryrun"),
        Wrong("tasks:bulk", #"{"action":"remove","filter":{"tasks":[{}]}}"#, "/filter/tasks"),
        Wrong("plugins", #"{"directory":"/tmp","link":"yes"}"#, "/link"),
        Wrong("plugins", #"{"directory":"/tmp","digest":7}"#, "/digest"),
        Wrong("plugins", #"{"directory":"/tmp","linked":true}"#, "/linked"),
        Wrong("plugins/inspect", #"{"directory":"/tmp\u0000x"}"#, "/directory"),
        Wrong("plugins/video/enable", #"{"confirmed":"yes"}"#, "/confirmed"),
        Wrong("plugins/video/disable", #"{"force":true}"#, "/force"),
        Wrong("sinks/file/parked/drop", #"{"all":"true"}"#, "/all"),
        Wrong("sinks/file/parked/drop", #"{"all":true,"position":[3]}"#, "/position"),
        Wrong("backup", #"{"path":"/tmp/b\u0000"}"#, "/path"),
        Wrong("backup", #"{"path":"/tmp/b","force":true}"#, "/force"),
        Wrong(
            "schedules",
            #"{"name":"n","rule":"0 7 * * *","zone":"UTC","catchUp":3,"task":\#(task)}"#,
            "/catchUp"
        ),
    ]

    @Test(
        "a body's member that is unknown, of another kind or cut by a zero byte is pointed at, and nothing is done"
    )
    func bodies() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let hub = HubClient(socketPath: sandbox.places.socket)
        for wrong in Self.wrong {
            let body = try JSONValue(parsing: wrong.body)
            let error = #expect(throws: BelfryError.self, "\(wrong.path) \(wrong.body)") {
                try hub.send(wrong.method, "/v1/" + wrong.path, body: body)
            }
            #expect(error?.code == .invalidRequest, "\(wrong.path) \(wrong.body): \(error?.message ?? "")")
            #expect(error?.pointer == wrong.pointer, "\(wrong.path) \(wrong.body): \(error?.message ?? "")")
        }
        let tasks = try await sandbox.belfry("list", "--json").json["tasks"]?.array
        #expect(tasks?.count == 1 && tasks?.first?["status"] == "completed")
        #expect(try await sandbox.belfry("feature", "list").output.contains("video"))
    }

    private static let wrongCalls: [(tool: JSONValue, arguments: JSONValue, why: String)] = [
        ("run_command", ["command": ["echo", 3]], "'command' must be a list, each a text"),
        ("run_command", ["command": "echo"], "'command' must be a list, each a text"),
        ("run_command", ["command": []], "'command' must be a list"),
        ("run_command", ["command": ["echo", "a\u{0}b"]], "zero byte"),
        ("run_command", ["command": ["echo"], "title": "a\u{0}"], "zero byte"),
        ("run_command", ["command": ["echo"], "directory": 3], "'directory' must be a text"),
        ("run_command", ["command": ["echo"], "directory": "/tmp\u{0}"], "zero byte"),
        (
            "run_command", ["command": ["echo"], "after": 1],
            "'after' must be a list, each a whole number or a text"
        ),
        ("run_command", ["command": ["echo"], "priority": "3"], "'priority' must be a whole number"),
        ("submit", ["feature": 3], "'feature' must be a text"),
        ("submit", ["feature": "shell", "params": "x"], "'params' must be an object"),
        ("wait", ["task": 1, "seconds": "3"], "'seconds' must be a number from 0 to 55, not \"3\""),
        ("wait", ["task": 1, "seconds": 56], "'seconds' must be a number from 0 to 55, not 56"),
        ("wait", ["task": 1.5], "'task' must be a whole number or a text, not 1.5"),
        ("log", ["task": 1, "lines": "3"], "'lines' must be a whole number from 1 to 1000"),
        ("log", ["task": 1, "lines": 2.5], "'lines' must be a whole number from 1 to 1000"),
        ("result", ["task": 1, "pictures": "yes"], "'pictures' must be true or false"),
        ("list", ["limit": 0], "'limit' must be a whole number from 1 to 100"),
        ("list", ["status": "done"], "'status' must be \"pending\", \"processing\""),
        ("list_features", ["feature": 3], "'feature' must be a text"),
    ]

    @Test("an agent's argument of another kind is told what it should be, and nothing is done")
    func arguments() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let calls = Self.wrongCalls.map { JSONValue.array([$0.tool, $0.arguments]) }
        let right: [JSONValue] = [
            ["wait", ["task": 1, "seconds": 0, "unknown": nil]], ["wait", ["task": "last", "seconds": nil]],
        ]
        let answers = try await AgentTests.Driver.all[2].drive(
            [Sandbox.programs + "/belfry", "mcp", "--allow-shell"],
            .array(calls + right),
            sandbox
        ).dropFirst()
        for (answer, call) in zip(answers, Self.wrongCalls) {
            let text = answer["content"]?.array?.first?["text"]?.string ?? answer.text
            #expect(answer["isError"] == true && text.contains(call.why), "\(call.arguments.text): \(text)")
        }
        let last = Array(answers.suffix(2))
        #expect(last[0]["content"]?.array?.first?["text"]?.string?.contains("no field 'unknown'") == true)
        #expect(last[1]["structuredContent"]?["done"] == true, "\(last[1].text)")
        #expect(try await sandbox.belfry("list", "--json").json["tasks"]?.array?.count == 1)
    }

    @Test("params come from a file, too, and what is no JSON is told how they are given")
    func paramsFile() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(#"{"command": ["echo", "from a file"]}"#, to: "params.json")
        let ran = try await sandbox.belfry("run", "shell", "--params", "@params.json")
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(try await sandbox.belfry("log", "last").output == "from a file\n")
        let piped = try await sandbox.belfry(
            "run",
            "shell",
            "--params",
            "-",
            input: #"{"command": ["true"]}"#
        )
        #expect(piped.status == 0, "\(piped.errors)")
        let named = try await sandbox.belfry("add", "shell", "--params", "params.json")
        #expect(named.status == 64 && named.errors.contains("--params @FILE"), "\(named.errors)")
        let missing = try await sandbox.belfry("add", "shell", "--params", "@nowhere.json")
        #expect(
            missing.status != 0 && missing.errors.contains("Cannot read nowhere.json"),
            "\(missing.errors)"
        )
    }
}
