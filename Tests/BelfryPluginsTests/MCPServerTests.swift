// Tools of real MCP servers, on the SDK of both eras, as features. belfry-launch is real too.

import BelfryCore
import FoundationEssentials
import Glibc
import PythonTesting
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("MCP servers", .timeLimit(.minutes(5)))
struct MCPServerTests {
    typealias Packages = PythonTools.Packages
    private static let both = [Packages.mcp2, .mcp1]

    private let servers: Servers
    private let attempts: Attempts

    init() throws {
        servers = try Servers()
        attempts = try Attempts()
    }

    /// Calls one tool on a server of its own.
    private func call(_ tool: String, _ params: JSONValue = [:], on packages: Packages) async throws
        -> TaskResult
    {
        let host = try await servers.tools(on: packages)
        let context = try attempts.context()
        return try await servers.run(host) { try await host.call(tool, params, context) }
    }

    private func failure(_ tool: String, _ params: JSONValue = [:], on packages: Packages) async throws
        -> TaskFailure
    {
        try await #require(throws: TaskFailure.self) { try await call(tool, params, on: packages) }
    }

    // MARK: Results

    @Test("progress comes as percent with its message, and structured content is the value", arguments: both)
    func progress(packages: Packages) async throws {
        let host = try await servers.tools(on: packages)
        let heard = Heard()
        let context = FeatureContext(
            taskID: TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab"),
            featureID: "tools/slow",
            attempt: 1,
            fence: 1,
            outputDirectory: "",
            onProgress: { percent, message in
                heard.take("\(percent.map { String(Int($0)) } ?? "-") \(message ?? "-")")
            }
        )
        let result = try await servers.run(host) { () in
            _ = try await host.call("counting", [:], context)
            return try await host.call("slow", ["n": 4], context)
        }
        #expect(heard.lines == ["- 7", "25 step 1/4", "50 step 2/4", "75 step 3/4", "100 step 4/4"])
        #expect(result.value == ["counted": 4])
    }

    @Test("text alone is the value's text", arguments: both)
    func text(packages: Packages) async throws {
        #expect(try await call("text", ["word": "hello"], on: packages).value == ["text": "you said hello"])
    }

    @Test(
        "the tool is told of its attempt, and runs in the plugin's directory and environment",
        arguments: both
    )
    func meta(packages: Packages) async throws {
        let value = try await call("whoami", on: packages).value
        #expect(value?["belfry/taskId"]?.string == "0198c0de-7a3b-7cc1-9d2f-0123456789ab")
        #expect(value?["belfry/outputDir"]?.string == attempts.directory.path + "/out")
        #expect(value?["belfry/attempt"]?.string == "1")
        #expect(value?["cwd"]?.string == servers.directory.path)
        #expect(value?["word"]?.string == "given")
    }

    @Test("a picture in the answer is saved as a file", arguments: both)
    func picture(packages: Packages) async throws {
        let artifact = try #require(try await call("picture", on: packages).artifacts.first)
        #expect(artifact.mime == "image/png")
        #expect(artifact.uri.hasSuffix("/out/image.png"))
        let bytes = try FileSystem.contents(of: attempts.directory.path + "/out/image.png", limit: 100)
        #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    }

    @Test("a link into the output directory is an artifact, any other only a link", arguments: both)
    func links(packages: Packages) async throws {
        let host = try await servers.tools(on: packages)
        let context = try attempts.context()
        let (made, other) = try await servers.run(host) { () in
            (try await host.call("writes", [:], context), try await host.call("links", [:], context))
        }
        #expect(made.artifacts.map(\.uri) == [FileURI.make(attempts.directory.path + "/out/out.txt")])
        #expect(made.artifacts.first?.size == 4)
        #expect(other.artifacts.isEmpty)
        #expect(other.value?["links"]?.array?.first?["uri"]?.string == "file:///etc/passwd")
    }

    // MARK: Failures

    @Test("an error of the tool is the task's, and not retryable", arguments: both)
    func toolError(packages: Packages) async throws {
        let failure = try await failure("fails", on: packages)
        #expect(failure.code == "tool_error")
        #expect(failure.message.contains("fails"))
        #expect(!failure.isRetryable)
    }

    @Test(
        "a crash fails every attempt with the signal and its last words, and may be retried",
        arguments: both
    )
    func crash(packages: Packages) async throws {
        let host = try await servers.tools(on: packages)
        let context = try attempts.context()
        let failures = try await servers.run(host) { () -> [TaskFailure] in
            await withTaskGroup(of: TaskFailure?.self) { group in
                let (waiting, progress) = attempts.reporting()
                group.addTask { await Self.failure { try await host.call("waits", [:], waiting) } }
                for await _ in progress { break }
                group.addTask { await Self.failure { try await host.call("crashes", [:], context) } }
                return await group.reduce(into: []) { all, one in if let one { all.append(one) } }
            }
        }
        #expect(failures.map(\.code) == ["crashed", "crashed"])
        for failure in failures {
            #expect(failure.isRetryable)
            #expect(failure.message.contains("signal 11"))
            #expect(failure.logTail?.contains("these were my last words") == true)
        }
        #expect(host.status.crashes == 1)
        #expect(host.status.condition == .backoff)
    }

    private static func failure(_ work: () async throws -> TaskResult) async -> TaskFailure? {
        do {
            _ = try await work()
            return nil
        } catch { return error as? TaskFailure }
    }

    @Test("a server that ends in order without its answer has given no result", arguments: both)
    func leaves(packages: Packages) async throws {
        #expect(try await failure("leaves", on: packages).code == "no_result")
    }

    @Test(
        "a tool that is not there is a protocol's or the tool's error, with what the server says",
        arguments: both
    )
    func unknownTool(packages: Packages) async throws {
        let failure = try await failure("nothing", on: packages)
        #expect(["protocol_error", "tool_error"].contains(failure.code))
        #expect(failure.message.contains("nothing"))
    }

    @Test("what is printed to stdout is counted, logged and skipped; stderr is the task's log")
    func chatty() async throws {
        // The SDK 2.x keeps stdout for itself; this one does not.
        let host = try await servers.tools(on: .mcp1)
        let context = try attempts.context()
        let (result, status) = try await servers.run(host) { () in
            let result = try await host.call("chatty", [:], context)
            // What came before on stderr need not have been read before the answer.
            await attempts.waitForLog("to the log")
            return (result, host.status)
        }
        #expect(result.value == ["result": "done"])
        #expect(attempts.log.contains("Loading model... 100%\n"))
        #expect(status.garbage == 1)
        #expect(servers.remarks.lines == ["prints what is not MCP to stdout: Loading model... 100%"])
    }

    // MARK: Many at once

    @Test("one process serves many tasks at once", arguments: both)
    func many(packages: Packages) async throws {
        let host = try await servers.tools(on: packages)
        let context = try attempts.context()
        let pids = try await servers.run(host) { () in
            try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<20 {
                    group.addTask { try await host.call("whoami", [:], context).value?["pid"]?.string }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
        }
        #expect(pids.count == 1)
        #expect(servers.tools.count == 1)
    }

    @Test("the plugin's concurrency holds over all of its tools, and in order")
    func concurrency() async throws {
        let host = try await servers.tools(on: .mcp2, change: { $0.limits.concurrency = 1 })
        let file = servers.directory.path + "/block"
        try servers.directory.write("", to: "block")
        let context = try attempts.context()
        let order = Heard()
        try await servers.run(host) { () in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await host.call("blocks", ["path": .string(file)], context)
                    order.take("first")
                }
                await attempts.waitForLog("blocking")
                group.addTask {
                    _ = try await host.call("text", ["word": "x"], context)
                    order.take("second")
                }
                #expect(host.status.running == 1)
                unlink(file)
                try await group.waitForAll()
            }
        }
        #expect(order.lines == ["first", "second"])
    }

    // MARK: Others' servers

    @Test("mcp-server-time tells the time")
    func time() async throws {
        let program = try await PythonTools.program("mcp-server-time", of: .mcp2)
        let host = servers.host(try servers.plugin(program, ["--local-timezone", "UTC"]))
        let context = try attempts.context()
        let result = try await servers.run(host) {
            try await host.call(
                "convert_time",
                ["source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"],
                context
            )
        }
        #expect(result.value?.text.contains("21:00") == true)
    }

    @Test("mcp-server-git reads a repository")
    func git() async throws {
        let program = try await PythonTools.program("mcp-server-git", of: .mcp2)
        let repository = servers.directory.path + "/repository"
        try servers.directory.write(
            "#!/bin/sh\nset -e\ngit init -q \"$1\"\ncd \"$1\"\necho one > a.txt\ngit add a.txt\n",
            to: "make",
            mode: 0o755
        )
        let made = PluginProcess(
            launch: Launch(
                launcher: Attempts.launcher,
                executable: servers.directory.path + "/make",
                arguments: [repository],
                environment: ["PATH": "/usr/bin:/bin"],
                workingDirectory: servers.directory.path
            )
        )
        _ = try await made.run(PluginChannel(), onLine: { _ in })
        let host = servers.host(try servers.plugin(program, ["--repository", repository]))
        let context = try attempts.context()
        let result = try await servers.run(host) {
            try await host.call("git_status", ["repo_path": .string(repository)], context)
        }
        #expect(result.value?["text"]?.string?.contains("a.txt") == true)
    }

    @Test("mcp-server-sqlite and mcp-server-calculator, which need the SDK 1.x, work as well")
    func olderServers() async throws {
        let calculator = try await PythonTools.program("mcp-server-calculator", of: .mcp1)
        let context = try attempts.context()
        let host = servers.host(try servers.plugin(calculator, []))
        let sum = try await servers.run(host) {
            try await host.call("calculate", ["expression": "6*7"], context)
        }
        #expect(sum.value?.text.contains("42") == true)
        let others = try Servers()
        let database = try await PythonTools.program("mcp-server-sqlite", of: .mcp1)
        let second = others.host(try others.plugin(database, ["--db-path", others.directory.path + "/x.db"]))
        let table = try await others.run(second) { () in
            _ = try await second.call("create_table", ["query": "CREATE TABLE t (a TEXT)"], context)
            _ = try await second.call("write_query", ["query": "INSERT INTO t VALUES ('found')"], context)
            return try await second.call("read_query", ["query": "SELECT a FROM t"], context)
        }
        #expect(table.value?["text"]?.string?.contains("found") == true)
    }
}
