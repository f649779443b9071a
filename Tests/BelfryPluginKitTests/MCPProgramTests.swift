// What a plugin in Swift says by MCP to a hub, which understands more than other hosts do, seen from outside.

import BelfryCore
import Glibc
import Subprocess
import SystemPackage
import Testing

@Suite("A plugin as an MCP server", .timeLimit(.minutes(1)))
struct MCPProgramTests {
    /// Params of a call as the hub makes it.
    private static func call(
        _ tool: String,
        _ arguments: JSONValue = [:],
        checkpoint: JSONValue? = nil,
        fromHub: Bool = true
    ) -> JSONObject {
        var meta: JSONObject = [
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": [:], "progressToken": 1,
        ]
        if fromHub {
            meta["belfry/taskId"] = "0190b6f0-0000-7000-8000-000000000001"
            meta["belfry/attempt"] = 2
            meta["belfry/fence"] = 7
            meta["belfry/outputDir"] = "/tmp/out"
            meta["belfry/environment"] = ["CUDA_VISIBLE_DEVICES": "0"]
        }
        meta.set("belfry/checkpoint", checkpoint)
        return ["name": .string(tool), "arguments": arguments, "_meta": .object(meta)]
    }

    private static func request(_ id: Int64, _ params: JSONObject) -> JSONValue {
        ["jsonrpc": "2.0", "id": .int(id), "method": "tools/call", "params": .object(params)]
    }

    /// Sends requests with the ids 1, 2, … and what `react` says to lines that come back, until as many are answered.
    /// SIGTERM comes with the progress `message`.
    private func run(
        _ calls: [JSONObject],
        stopAt message: String? = nil,
        react: @escaping @Sendable (JSONValue) -> [JSONValue] = { _ in [] }
    ) async throws -> (lines: [JSONValue], status: TerminationStatus, log: String) {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let writeEnd = ends[1]
        let send: @Sendable (JSONValue) -> Void = { json in
            let line = json.encoded + [0x0A]
            #expect(write(writeEnd, line, line.count) == line.count)
        }
        for (index, params) in calls.enumerated() { send(Self.request(Int64(index + 1), params)) }
        let log = FilePath("/tmp/plugin-kit-\(UInt64.random(in: 0...(.max))).log")
        let errors = try FileDescriptor.open(
            log,
            .readWrite,
            options: [.create, .truncate],
            permissions: .ownerReadWrite
        )
        unlink(log.string)
        let result = try await Subprocess.run(
            .path(FilePath(ExecProgramTests.program)),
            input: .fileDescriptor(FileDescriptor(rawValue: ends[0]), closeAfterSpawningProcess: true),
            output: .sequence,
            error: .fileDescriptor(errors, closeAfterSpawningProcess: false)
        ) { execution in
            var lines: [JSONValue] = []
            var open = calls.count
            for try await line in execution.standardOutput.strings() {
                let json = try JSONValue(parsing: String(line.prefix { $0 != "\n" }))
                lines.append(json)
                if let message, json["params"]?["message"]?.string == message {
                    try execution.send(signal: .terminate)
                }
                if let message, json["params"]?["message"]?.string == message {
                    try execution.send(signal: .terminate)
                }
                for answer in react(json) { send(answer) }
                if json["id"] != nil { open -= 1 }
                if open == 0 { close(writeEnd) }
            }
            return lines
        }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = try bytes.withUnsafeMutableBytes { try errors.read(fromAbsoluteOffset: 0, into: $0) }
        try errors.close()
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return (result.closureResult, result.terminationStatus, text)
    }

    private func answer(_ id: Int64, _ lines: [JSONValue]) -> JSONValue? {
        lines.first { $0["id"]?.int == id }?["result"]
    }

    @Test("answers several tasks of one process, each with its progress, and ends with its input")
    func several() async throws {
        let ran = try await run([Self.call("shout", ["text": "a"]), Self.call("shout", ["text": "b"])])
        #expect(ran.status == .exited(0))
        #expect(answer(1, ran.lines)?["structuredContent"] == ["text": "A"])
        #expect(answer(2, ran.lines)?["structuredContent"] == ["text": "B"])
        let progress = ran.lines.first { $0["method"] == "notifications/progress" }?["params"]
        #expect(progress == ["progressToken": 1, "progress": 50, "total": 100, "message": "taking a breath"])
    }

    @Test(
        "hands over files as links, takes what is printed out of the protocol, and the log goes with its task"
    )
    func files() async throws {
        let ran = try await run([Self.call("prints")])
        let link = answer(1, ran.lines)?["content"]?.array?.first
        #expect(
            link == [
                "type": "resource_link", "uri": "file:///tmp/out/a%20b.txt", "name": "a b.txt",
                "mimeType": "text/plain",
            ]
        )
        let logs = ran.lines.compactMap { $0["params"]?["_meta"]?["belfry/log"] }
        #expect(logs == ["noted\n"])
        #expect(ran.log == "::result {}\n")
    }

    @Test(
        "a checkpoint travels both ways, and the last one comes before the answer",
        arguments: ["end", "fail", "snooze"]
    )
    func checkpoints(then end: String) async throws {
        let ran = try await run([
            Self.call("saves", ["times": 2000, "then": .string(end)], checkpoint: "old")
        ])
        let saved = ran.lines.dropLast().map { $0["params"]?["_meta"]?["belfry/checkpoint"] }
        #expect(saved.first == 1 && saved.last == 2000)
        #expect(saved.count < 1000)
        let result = answer(1, ran.lines)
        switch end {
        case "end":
            #expect(result?["structuredContent"] == "old", "what an earlier attempt saved was handed over")
        case "fail": #expect(result?["_meta"]?["belfry/error"]?["code"] == "full")
        default: #expect(result?["_meta"]?["belfry/snooze"] == ["seconds": 1.5])
        }
    }

    @Test("a failure says in text what to do, and to the hub whether another try may help")
    func failure() async throws {
        let ran = try await run([Self.call("fails"), Self.call("count", ["busy": true])])
        let failed = answer(1, ran.lines)
        #expect(failed?["isError"] == true)
        #expect(failed?["content"]?.array?.first?["text"] == "The machine is busy.\nFix: Wait.")
        #expect(
            failed?["_meta"]?["belfry/error"]
                == ["code": "busy", "message": "The machine is busy.", "fix": "Wait.", "retryable": true]
        )
        let snoozed = answer(2, ran.lines)
        #expect(snoozed?["isError"] == true)
        #expect(
            snoozed?["content"]?.array?.first?["text"] == "Not now: The printer is busy. Try again in 60 s."
        )
        #expect(snoozed?["_meta"]?["belfry/snooze"]?["seconds"] == 60)
    }

    @Test("a call that is cancelled is not answered, and the process goes on")
    func cancel() async throws {
        let ran = try await run([Self.call("waits")]) { line in
            guard line["params"]?["message"] == "third" else { return [] }
            return [
                ["jsonrpc": "2.0", "method": "notifications/cancelled", "params": ["requestId": 1]],
                Self.request(2, Self.call("shout", ["text": "still here"])),
            ]
        }
        #expect(answer(1, ran.lines) == nil)
        #expect(answer(2, ran.lines)?["structuredContent"] == ["text": "STILL HERE"])
    }

    @Test("SIGTERM cancels what runs, and the process ends well")
    func terminate() async throws {
        let ran = try await run([Self.call("waits")], stopAt: "third")
        #expect(ran.status == .exited(0))
        let error = answer(1, ran.lines)?["_meta"]?["belfry/error"]
        #expect(error?["code"] == "cancelled", "\(ran.lines)")
    }

    @Test(
        "another host than the hub gets no more than MCP has words for, and a directory of its own for files"
    )
    func otherHosts() async throws {
        let ran = try await run([
            Self.call("saves", ["times": 3], fromHub: false), Self.call("prints", fromHub: false),
        ])
        #expect(!ran.lines.contains { $0["method"] == "notifications/progress" })
        let uri = try #require(answer(2, ran.lines)?["content"]?.array?.first?["uri"]?.string)
        let path = try #require(FileURI.path(uri))
        #expect(path.contains("/belfry-plugin-"))
        #expect(ran.log.contains("noted\n"))
        rmdir(String(path[..<path.lastIndex(of: "/")!]))
    }
}
