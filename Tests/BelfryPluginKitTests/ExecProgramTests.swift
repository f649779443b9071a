// What a plugin in Swift says to the hub by exec/1, seen from outside: its lines and its exit status.

import BelfryCore
import FoundationEssentials
import Subprocess
import SystemPackage
import Testing

@Suite("A plugin as a program of exec/1", .timeLimit(.minutes(1)))
struct ExecProgramTests {
    static let program: String = {
        let executable = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let directory = executable.split(separator: "/").dropLast().joined(separator: "/")
        return "/\(directory)/plugin-kit-probe"
    }()

    private static func request(
        _ feature: String,
        _ params: JSONValue = [:],
        checkpoint: JSONValue? = nil
    ) -> String {
        var request: JSONObject = [
            "protocol": "exec/1", "taskId": "0190b6f0-0000-7000-8000-000000000001", "fence": 7, "attempt": 2,
            "featureId": .string(feature), "params": params, "inputs": [:], "outputDir": "/tmp/out",
        ]
        request.set("checkpoint", checkpoint)
        return JSONValue.object(request).text + "\n"
    }

    private func run(_ input: String) async throws -> (status: Int32, lines: [JSONValue], log: String) {
        let result = try await Subprocess.run(
            .path(FilePath(Self.program)),
            arguments: ["--exec"],
            input: .string(input),
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        )
        guard case .exited(let status) = result.terminationStatus else { return (-1, [], "") }
        let lines = try result.standardOutput.split(separator: "\n").map {
            try JSONValue(parsing: String($0))
        }
        return (status, lines, result.standardError)
    }

    @Test("the guide's feature gets its params and answers with progress and a result")
    func shout() async throws {
        let ran = try await run(Self.request("shout", ["text": "hello"]))
        #expect(ran.status == 0)
        #expect(ran.lines.first?["percent"] == 50)
        #expect(ran.lines.last == ["type": "result", "value": ["text": "HELLO"], "artifacts": []])
    }

    @Test("what a feature throws is the error line, with its fix and whether another try may help")
    func failure() async throws {
        let ran = try await run(Self.request("fails"))
        #expect(ran.status == 1)
        #expect(
            ran.lines == [
                [
                    "type": "error", "code": "busy", "message": "The machine is busy.", "fix": "Wait.",
                    "retryable": true,
                ]
            ]
        )
    }

    @Test("print goes to the log, not between the lines of the protocol")
    func printing() async throws {
        let ran = try await run(Self.request("prints"))
        #expect(ran.status == 0)
        #expect(ran.lines.count == 1)
        #expect(ran.lines.first?["artifacts"]?.array?.first?["path"] == "/tmp/out/a b.txt")
        #expect(ran.log == "::result {}\nnoted\n" || ran.log == "noted\n::result {}\n")
    }

    @Test("a checkpoint is a line of its own, and the next attempt is given it")
    func checkpoint() async throws {
        let first = try await run(Self.request("count", ["pages": 1]))
        #expect(first.status == 0)
        #expect(
            first.lines == [
                ["type": "checkpoint", "value": 1],
                ["type": "result", "value": ["pages": 1], "artifacts": []],
            ]
        )
        let next = try await run(Self.request("count", ["pages": 3], checkpoint: 3))
        #expect(next.lines == [["type": "result", "value": ["pages": 3], "artifacts": []]])
    }

    @Test(
        "of many checkpoints in a moment a few are written, and the last one always, before the outcome",
        arguments: ["end", "fail", "snooze"]
    )
    func manyCheckpoints(then end: String) async throws {
        let ran = try await run(Self.request("saves", ["times": 20_000, "then": .string(end)]))
        let checkpoints = ran.lines.dropLast()
        #expect(checkpoints.allSatisfy { $0["type"] == "checkpoint" })
        #expect(checkpoints.first?["value"] == 1)
        #expect(checkpoints.last?["value"] == 20_000)
        #expect(checkpoints.count < 10_000)
        #expect(
            ran.lines.last?["type"]?.string == ["end": "result", "fail": "error", "snooze": "snooze"][end]
        )
    }

    @Test("forgetting a checkpoint is a line too")
    func forget() async throws {
        let ran = try await run(Self.request("saves", ["then": "forget"], checkpoint: "old"))
        #expect(ran.lines.dropLast().last == ["type": "checkpoint", "value": nil])
        #expect(ran.lines.last?["value"] == "old")
    }

    @Test("a snooze is a line and a good end")
    func snooze() async throws {
        let ran = try await run(Self.request("count", ["busy": true]))
        #expect(ran.status == 0)
        #expect(ran.lines == [["type": "snooze", "seconds": 60, "message": "The printer is busy."]])
        let silent = try await run(Self.request("saves", ["then": "snooze"]))
        #expect(silent.lines.last == ["type": "snooze", "seconds": 1.5])
    }

    @Test(
        "input that is no request is an error with the way out",
        arguments: [("", "bad_request"), ("hello", "bad_request"), (request("sings"), "unknown_feature")]
    )
    func badInput(_ input: String, code: String) async throws {
        let ran = try await run(input)
        #expect(ran.status == 1)
        #expect(ran.lines.count == 1)
        #expect(ran.lines.first?["code"]?.string == code)
    }

    @Test("the newest progress arrives however fast it came, and SIGTERM cancels the work")
    func progressAndCancel() async throws {
        let result = try await Subprocess.run(
            .path(FilePath(Self.program)),
            arguments: ["--exec"],
            input: .string(Self.request("waits")),
            output: .sequence,
            error: .discarded
        ) { execution in
            var lines: [JSONValue] = []
            for try await line in execution.standardOutput.strings() {
                lines.append(try JSONValue(parsing: String(line.prefix { $0 != "\n" })))
                if lines.last?["message"] == "third" { try execution.send(signal: .terminate) }
            }
            return lines
        }
        #expect(result.terminationStatus == .exited(1))
        let lines = result.closureResult
        #expect(lines.first == ["type": "progress", "percent": 10, "message": "first"])
        #expect(lines.contains(["type": "progress", "percent": 20, "message": "third"]))
        #expect(lines.last?["code"] == "cancelled")
    }

    @Test("the guide shows the features as they are compiled here", arguments: ["Shout", "Count"])
    func guide(feature: String) throws {
        let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let source = try String(contentsOfFile: tests + "/PluginKitProbe/\(feature).swift", encoding: .utf8)
        let guide = try String(contentsOfFile: tests + "/../Docs/WritingAPlugin.md", encoding: .utf8)
        let start = try #require(source.firstRange(of: "struct ")).lowerBound
        #expect(guide.contains(source[start...]))
        #expect(guide.contains("import BelfryCore\nimport BelfryPluginKit\n\nstruct Shout"))
    }
}
