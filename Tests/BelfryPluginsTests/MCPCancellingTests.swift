// Calls that nobody waits for any more, on real MCP servers of both eras: what becomes of the server, and of the
// calls beside them.

import BelfryCore
import PythonTesting
import Testing

@testable import BelfryPlugins

@Suite("Cancelled calls of MCP servers", .timeLimit(.minutes(5)))
struct MCPCancellingTests {
    private let servers: Servers
    private let attempts: Attempts
    /// Opened, the grace of ``deaf(on:)`` is over.
    private let grace = Gate()

    init() throws {
        servers = try Servers()
        attempts = try Attempts()
    }

    /// The host of a server, and the params of its tool `blocks`, which hears no cancelling while a file is there.
    private func deaf(on packages: PythonTools.Packages) async throws -> (host: MCPHost, params: JSONValue) {
        try servers.directory.write("", to: "block")
        let host = try await servers.tools(
            on: packages,
            sleep: { [grace] duration in
                if duration == .seconds(5) { return await grace.wait() }
                // The other waits are bounds, which nothing here reaches.
                try await Task.sleep(for: duration)
            }
        )
        return (host, ["path": .string(servers.directory.path + "/block")])
    }

    /// Calls the tool `waits`, which hears cancelling, and cancels it once it has begun.
    private func cancelWaiting(_ host: MCPHost) async {
        let (context, progress) = attempts.reporting()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: CancellationError.self) { try await host.call("waits", [:], context) }
            }
            for await _ in progress { break }
            group.cancelAll()
        }
    }

    /// Which process answers.
    private func process(of host: MCPHost) async throws -> String? {
        try await host.call("whoami", [:], attempts.context()).value?["pid"]?.string
    }

    @Test(
        "a cancelled attempt ends at once; a tool that does not hear it is ended after the grace",
        arguments: [PythonTools.Packages.mcp2, .mcp1]
    )
    func blocking(packages: PythonTools.Packages) async throws {
        let (host, params) = try await deaf(on: packages)
        let context = try attempts.context()
        try await servers.run(host) { () in
            let first = try await process(of: host)
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) {
                        try await host.call("blocks", params, context)
                    }
                }
                await attempts.waitForLog("blocking")
                group.cancelAll()
            }
            // It is settled, and the server is still busy with it.
            #expect(host.status.running == 1)
            grace.open()
            #expect(try await process(of: host) != first)
        }
        #expect(host.status.crashes == 0)
        #expect(servers.remarks.lines == ["a call goes on after it was cancelled: the server is ended"])
    }

    @Test("a call that is blocked by one that was cancelled fails, and may be retried")
    func blockedByAnother() async throws {
        // A plain function holds up this SDK's whole server.
        let (host, params) = try await deaf(on: .mcp1)
        let context = try attempts.context()
        let failure = try await servers.run(host) { () -> TaskFailure? in
            await withTaskGroup(of: TaskFailure?.self) { group in
                await withTaskGroup(of: Void.self) { blocking in
                    blocking.addTask { _ = try? await host.call("blocks", params, context) }
                    await attempts.waitForLog("blocking")
                    group.addTask {
                        do { _ = try await host.call("text", ["word": "x"], context) } catch {
                            return error as? TaskFailure
                        }
                        return nil
                    }
                    while host.status.running < 2 { await Task.yield() }
                    blocking.cancelAll()
                }
                grace.open()
                return await group.next() ?? nil
            }
        }
        #expect(failure?.code == "server_ended")
        #expect(failure?.isRetryable == true)
        #expect(host.status.crashes == 0)
    }

    @Test("a call that answers within the grace keeps its server; the answer is ignored")
    func answered() async throws {
        // This SDK answers a cancelled call with an error.
        let host = try await servers.tools(on: .mcp1)
        try await servers.run(host) { () in
            let first = try await process(of: host)
            await cancelWaiting(host)
            while host.status.running > 0 { await Task.yield() }
            #expect(try await process(of: host) == first)
        }
        #expect(servers.remarks.lines.isEmpty)
    }

    @Test("where cancelling is known to work, the server is kept though it answers nothing")
    func trusted() async throws {
        let host = try await servers.tools(on: .mcp2, change: { $0.runner.stopsWhenCancelled = true })
        try await servers.run(host) { () in
            let first = try await process(of: host)
            await cancelWaiting(host)
            #expect(host.status.running == 0)
            #expect(try await process(of: host) == first)
        }
    }
}
