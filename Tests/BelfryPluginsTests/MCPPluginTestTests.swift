// What authors of MCP servers are told, before a hub sees their plugin. The servers are real ones of two SDKs; those
// that make faults on demand are FAKES, as they say.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import Glibc
import PythonTesting
import Testing

@testable import BelfryPlugins

@Suite("The author of an MCP server is told", .timeLimit(.minutes(2)))
struct ServerTestTests {
    private let directory: TestDirectory

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        directory = try TestDirectory()
    }

    /// Tests a server whose manifest names the `features`.
    private func test(
        _ command: String,
        _ arguments: [String],
        features: [JSONValue] = [],
        timeout: Duration = .seconds(60),
        grace: Int64 = 30
    ) async throws -> PluginTestReport {
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "tools", "version": "1.0.0", "kind": "feature",
            "cancel_grace_s": .int(grace),
            "runner": [
                "protocol": "mcp", "command": .string(command),
                "args": .array(arguments.map { .string($0) }),
            ],
            "features": .array(features),
        ]
        try directory.write(manifest.text, to: "tools/plugin.json")
        return try await directory.test("tools") { $0.timeout = timeout }
    }

    private func tools(
        on packages: PythonTools.Packages = .mcp2,
        _ features: [JSONValue],
        timeout: Duration = .seconds(60),
        grace: Int64 = 30
    ) async throws -> PluginTestReport {
        let python = try await PythonTools.python(packages)
        return try await test(
            python,
            [PythonTools.server("tools.py")],
            features: features,
            timeout: timeout,
            grace: grace
        )
    }

    /// FAKE.
    private func fake(
        _ changes: JSONObject,
        features: [JSONValue] = [],
        timeout: Duration = .seconds(60)
    ) async throws -> PluginTestReport {
        var script: JSONObject = [
            "server/discover": [
                "result": ["supportedVersions": ["2026-07-28"], "capabilities": ["tools": [:]]]
            ],
            "tools/list": ["result": ["tools": [["name": "one", "inputSchema": ["type": "object"]]]]],
            "tools/call": ["result": ["content": [["type": "text", "text": "here"]]]],
        ]
        for (method, action) in changes { script[method] = action }
        let arguments = [PythonTools.server("fake-server.py"), JSONValue.object(script).text]
        return try await test("/usr/bin/python3", arguments, features: features, timeout: timeout)
    }

    private static let one: JSONValue = ["id": "tools/one", "examples": [["title": "Plain", "params": [:]]]]

    @Test("which era it speaks, and that all is well", arguments: [PythonTools.Packages.mcp2, .mcp1])
    func sound(packages: PythonTools.Packages) async throws {
        let report = try await tools(
            on: packages,
            [
                ["id": "tools/slow", "examples": [["title": "Two", "params": ["n": 2]]]],
                ["id": "tools/waits", "params": ["type": "object", "required": ["none"]]],
            ]
        )
        #expect(report.failures == 0, "\(report)")
        let revision =
            packages == .mcp2 ? "2026-07-28, agreed by server/discover" : "2025-11-25, agreed by init"
        #expect(report.outcome("speaks MCP \(revision)") == .passed, "\(report)")
        #expect(report.outcome("completes (Two)") == .passed)
        #expect(report.outcome("says progress that only rises, to its total (Two)") == .passed)
        #expect(report.outcome("says only lines") == .passed)
        #expect(report.outcome("ends with the end of its input") == .passed)
        #expect(report.outcome("does what its examples say") == .skipped("it has no examples in plugin.json"))
    }

    @Test("whether a call ends that is cancelled; if not, that its server is ended")
    func cancelling() async throws {
        let file = directory.path + "/blocked"
        try directory.write("", to: "blocked")
        let report = try await tools(
            [["id": "tools/blocks", "examples": [["title": "Deaf", "params": ["path": .string(file)]]]]],
            timeout: .seconds(1),
            grace: 1
        )
        #expect(try report.failure("completes (Deaf)") == "it did not end within 1.0 s", "\(report)")
        guard case .warned(let why, _) = report.outcome("ends a call that is cancelled") else {
            Issue.record("\(report)")
            return
        }
        #expect(why.contains("the server was ended"))
    }

    @Test(
        "of a call that is cancelled only what its answer shows",
        arguments: [
            (#"{"result": {"content": []}}"#, "it had its result all the same"),
            (#"{"result": {"content": [], "isError": true}}"#, nil),
            (#"{"error": {"code": 0, "message": "cancelled"}}"#, nil),
        ] as [(String, String?)]
    )
    func cancelledAnswer(_ answer: String, _ doubt: String?) async throws {
        let report = try await fake(
            [
                // Alone it does not end, so that it is there to be cancelled.
                "tools/call": ["progress": [["progress": 1]], "then": "ignore"],
                "notifications/cancelled": try JSONValue(parsing: answer),
            ],
            features: [Self.one],
            timeout: .milliseconds(200)
        )
        guard let doubt else {
            #expect(report.outcome("ends a call that is cancelled") == .passed, "\(report)")
            return
        }
        guard case .skipped(let why) = report.outcome("ends a call that is cancelled") else {
            Issue.record("\(report)")
            return
        }
        #expect(why.hasPrefix(doubt))
    }

    @Test("the reason when an example fails, and when it takes the server with it")
    func failures() async throws {
        let report = try await tools([
            ["id": "tools/fails", "examples": [["params": [:]]]],
            ["id": "tools/crashes", "examples": [["params": [:]]]],
        ])
        let reasons = report.cases.compactMap { found in
            if case .failed(let why, _) = found.outcome { "\(found.subject): \(why)" } else { nil }
        }
        #expect(reasons.first?.contains("tool_error: Error executing tool fails") == true, "\(report)")
        #expect(reasons.dropFirst().first?.contains("crashes: ") == true, "\(report)")
        #expect(report.outcome("ends with the end of its input") == .skipped("it had ended before"))
    }

    @Test("what it prints besides the protocol, quoted")
    func garbage() async throws {
        // The SDK 2.x keeps stdout for itself.
        let report = try await tools(on: .mcp1, [["id": "tools/chatty", "examples": [["params": [:]]]]])
        let why = "a line means nothing, the first is: Loading model... 100%"
        #expect(try report.failure("says only lines") == why)
    }

    @Test("which tool is not there, and which there are")
    func missing() async throws {
        let report = try await fake([:], features: [["id": "tools/two"]])
        #expect(try report.failure("is a tool of the server") == "its server has no tool 'two'; it has: one")
    }

    @Test("which schema is not checked: a warning")
    func schema() async throws {
        let report = try await fake(
            [
                "tools/list": [
                    "result": [
                        "tools": [
                            [
                                "name": "one",
                                "inputSchema": ["type": "object", "unevaluatedProperties": false],
                            ]
                        ]
                    ]
                ]
            ],
            features: [Self.one]
        )
        #expect(report.warnings == 1 && report.failures == 0, "\(report)")
        #expect(report.summary.hasSuffix("1 warning"))
        #expect(report.junit.contains("<system-out>warning: parameters are passed on unchecked"))
    }

    @Test("that a server speaks no MCP, with what it said")
    func foreign() async throws {
        let report = try await fake(["server/discover": ["error": ["code": -1, "message": "what?"]]])
        #expect(try report.failure("starts, speaks MCP")?.contains("what? (-1)") == true, "\(report)")
        #expect(report.failures == 1)
    }

    @Test("that progress falls, or goes past its total")
    func progress() async throws {
        func note(_ done: Int, _ total: Int) -> String {
            let params: JSONValue = [
                "progressToken": 1, "progress": .int(Int64(done)), "total": .int(Int64(total)),
            ]
            let line: JSONValue = ["jsonrpc": "2.0", "method": "notifications/progress", "params": params]
            return line.text
        }
        let said: JSONValue = ["result": ["content": []]]
        let cases = [
            ([note(5, 9), note(2, 9)], "it fell from 5.0 to 2.0"), ([note(10, 9)], "it said 10.0 of 9.0"),
        ]
        for (lines, why) in cases {
            let call: JSONValue = ["line": .string(lines.joined(separator: "\n")), "then": said]
            let report = try await fake(["tools/call": call], features: [Self.one])
            #expect(try report.failure("says progress") == why, "\(report)")
        }
    }

    @Test("that it stays when its input has ended")
    func stays() async throws {
        try directory.write(
            """
            import subprocess, sys, signal
            server = subprocess.Popen([sys.executable] + sys.argv[1:])
            server.wait()
            signal.pause()
            """,
            to: "stays.py"
        )
        let script: JSONValue = [
            "server/discover": [
                "result": ["supportedVersions": ["2026-07-28"], "capabilities": ["tools": [:]]]
            ],
            "tools/list": ["result": ["tools": [["name": "one"]]]],
        ]
        let arguments = [directory.path + "/stays.py", PythonTools.server("fake-server.py"), script.text]
        let report = try await test("/usr/bin/python3", arguments, grace: 1)
        #expect(
            try report.failure("ends with the end of its input")
                == "it was still there 1.0 s later and got SIGTERM"
        )
    }

    @Test("the frames of a run, and its result")
    func run() async throws {
        let python = try await PythonTools.python(.mcp2)
        _ = try await test(python, [PythonTools.server("tools.py")])
        let heard = Heard()
        let trial = ServerTrial(
            try directory.plugin("tools"),
            launcher: Attempts.launcher,
            environment: ["PATH": "/usr/bin:/bin"],
            workingDirectory: directory.path,
            trace: { heard.take(($0 == .sent ? "→ " : "← ") + $1) }
        )
        let result = try await trial.run("slow", [("n", "2")], outputDirectory: directory.path + "/out")
        #expect(result.value == ["counted": 2])
        #expect(heard.lines.first?.hasPrefix("→ {\"jsonrpc\":\"2.0\"") == true)
        #expect(heard.lines.contains { $0.hasPrefix("← ") && $0.contains("step 2/2") })
        let error = await #expect(throws: BelfryError.self) {
            try await trial.run(nil, [], outputDirectory: directory.path + "/out")
        }
        #expect(error?.code == .unknownFeature && error?.fix?.contains("tools/slow") == true)
    }
}
