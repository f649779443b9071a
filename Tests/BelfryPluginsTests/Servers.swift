// Hosts of MCP servers for tests: the servers are real, the clock stands still.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import Glibc
import PythonTesting
import Synchronization
import Testing

@testable import BelfryPlugins

/// A plugin with a server, and what was heard of it.
final class Servers: Sendable {
    let directory: TestDirectory
    let clock = ManualLeaseClock()
    private let state = Mutex<(tools: [[MCPTool]], quarantines: Int)>(([], 0))
    let remarks = Heard()
    private let jobs: AsyncStream<@Sendable () async -> Void>
    private let addJob: AsyncStream<@Sendable () async -> Void>.Continuation

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        directory = try TestDirectory()
        (jobs, addJob) = AsyncStream.makeStream()
    }

    var tools: [[MCPTool]] { state.withLock { $0.tools } }
    var quarantines: Int { state.withLock { $0.quarantines } }

    /// A plugin for a server.
    func plugin(
        _ command: String,
        _ arguments: [String],
        change: (inout PluginManifest) -> Void = { _ in }
    ) throws -> InstalledPlugin {
        var manifest = PluginManifest(
            id: "tools",
            version: try #require(PluginVersion("1.0.0")),
            runner: PluginManifest.Runner(wire: .mcp, command: command, arguments: arguments)
        )
        manifest.limits.maxLineBytes = 16 << 20
        change(&manifest)
        return try InstalledPlugin(binding: manifest, directory: directory.path, searchPath: "/usr/bin:/bin")
    }

    /// - Parameter sleep: nil sleeps for real.
    func host(
        _ plugin: InstalledPlugin,
        environment: [String: String] = [:],
        sleep: (@Sendable (Duration) async throws -> Void)? = nil
    ) -> MCPHost {
        var clocks = Clocks(lease: clock)
        if let sleep { clocks.sleep = sleep }
        return MCPHost(
            plugin: plugin,
            parts: MCPHost.Parts(
                launcher: Attempts.launcher,
                environment: ["PATH": "/usr/bin:/bin", "HOME": directory.path, "WORD": "given"]
                    .merging(environment) { _, new in new },
                clocks: clocks,
                spawn: { [addJob] job in addJob.yield(job) },
                onTools: { [self] tools in state.withLock { $0.tools.append(tools) } },
                onQuarantine: { [self] in state.withLock { $0.quarantines += 1 } },
                onRemark: { [remarks] in remarks.take($0) }
            )
        )
    }

    /// The host of the server with the small tools.
    func tools(
        on packages: PythonTools.Packages,
        sleep: (@Sendable (Duration) async throws -> Void)? = nil,
        change: (inout PluginManifest) -> Void = { _ in }
    ) async throws -> MCPHost {
        let python = try await PythonTools.python(packages)
        return host(try plugin(python, [PythonTools.server("tools.py")], change: change), sleep: sleep)
    }

    /// The host of a server that makes faults as told. FAKE.
    func fake(
        _ script: JSONValue,
        sleep: (@Sendable (Duration) async throws -> Void)? = nil,
        change: (inout PluginManifest) -> Void = { _ in }
    ) throws -> MCPHost {
        let arguments = [PythonTools.server("fake-server.py"), script.text]
        return host(
            try plugin("/usr/bin/python3", arguments, change: change),
            environment: ["FAKE_LOG": directory.path + "/log"],
            sleep: sleep
        )
    }

    /// What the fake server read, a message a line.
    var fakeLog: [JSONValue] {
        ((try? String(contentsOfFile: directory.path + "/log", encoding: .utf8)) ?? "")
            .split(separator: "\n").compactMap { try? JSONValue(parsing: String($0)) }
    }

    /// Does `work` while the hosts' servers run; they are stopped after it.
    func run<Answer: Sendable>(_ host: MCPHost, _ work: @Sendable () async throws -> Answer) async throws
        -> Answer
    {
        async let running: Void = withDiscardingTaskGroup { group in
            for await job in jobs { group.addTask { await job() } }
        }
        let answer: Result<Answer, any Error>
        do { answer = .success(try await work()) } catch { answer = .failure(error) }
        addJob.finish()
        host.stop()
        await running
        return try answer.get()
    }
}
