// Faults that a real MCP server does not make on demand: the server is a FAKE that does as it is told. Its process
// and belfry-launch are real.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import PythonTesting
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("Faults of MCP servers", .timeLimit(.minutes(5)))
struct MCPFaultTests {
    private static let tools: JSONValue = [
        "result": ["tools": [["name": "one", "inputSchema": ["type": "object"]]]]
    ]
    private static let discovered: JSONValue = [
        "result": ["supportedVersions": ["2026-07-28"], "capabilities": ["tools": ["listChanged": true]]]
    ]
    private static let initialized: JSONValue = [
        "result": ["protocolVersion": "2025-06-18", "capabilities": ["tools": ["listChanged": true]]]
    ]
    private static let said: JSONValue = ["result": ["content": [["type": "text", "text": "here"]]]]

    private let servers: Servers
    private let context: FeatureContext

    init() throws {
        servers = try Servers()
        context = try Attempts().context()
    }

    /// A script in which what is not named does as a server of the modern era does.
    private static func script(_ changes: JSONObject) -> JSONValue {
        var script: JSONObject = [
            "server/discover": discovered, "tools/list": tools, "tools/call": said,
            "subscriptions/listen": "ignore",
        ]
        for (method, action) in changes { script[method] = action }
        return .object(script)
    }

    private func call(
        _ changes: JSONObject,
        change: (inout PluginManifest) -> Void = { _ in }
    ) async throws -> TaskResult {
        let host = try servers.fake(Self.script(changes), change: change)
        return try await servers.run(host) { [context] in try await host.call("one", [:], context) }
    }

    // MARK: Eras

    @Test(
        "whatever a server answers to server/discover but a result of that era, it is asked to initialize",
        arguments: [
            ["error": ["code": -32601, "message": "no such method"]],
            ["error": ["code": -32602, "message": "invalid params"]],
            ["error": ["code": -32022, "message": "version", "data": ["supported": ["2025-11-25"]]]],
            ["error": ["code": 7, "message": "who are you?"]],
            ["result": ["supportedVersions": ["2025-11-25"], "capabilities": [:]]], ["result": [:]],
        ] as [JSONValue]
    )
    func fallBack(answer: JSONValue) async throws {
        let result = try await call(["server/discover": answer, "initialize": Self.initialized])
        #expect(result.value == ["text": "here"])
        let methods = servers.fakeLog.compactMap { $0["method"]?.string }
        #expect(
            methods == [
                "server/discover", "initialize", "notifications/initialized", "tools/list", "tools/call",
            ]
        )
        let call = servers.fakeLog.last?["params"]
        #expect(call?["_meta"]?["io.modelcontextprotocol/protocolVersion"] == nil)
        #expect(call?["_meta"]?["progressToken"] == servers.fakeLog.last?["id"])
    }

    @Test("one that ignores server/discover is asked to initialize after a while")
    func silence() async throws {
        let waits = Mutex<[Duration]>([])
        let host = try servers.fake(
            Self.script(["server/discover": "ignore", "initialize": Self.initialized]),
            sleep: { duration in
                waits.withLock { $0.append(duration) }
                if duration > .seconds(3) { try await Task.sleep(for: duration) }
            }
        )
        let result = try await servers.run(host) { [context] in try await host.call("one", [:], context) }
        #expect(result.value == ["text": "here"])
        #expect(waits.withLock { $0.contains(.seconds(3)) })
    }

    @Test("in the modern era every request says its revision")
    func modernMeta() async throws {
        _ = try await call([:])
        let requests = servers.fakeLog.filter { $0["id"] != nil && $0["params"]?["requestId"] == nil }
        #expect(
            Set(requests.compactMap { $0["method"]?.string }) == [
                "server/discover", "tools/list", "subscriptions/listen", "tools/call",
            ]
        )
        for request in requests {
            let meta = request["params"]?["_meta"]
            #expect(meta?["io.modelcontextprotocol/protocolVersion"]?.string == "2026-07-28")
            #expect(meta?["io.modelcontextprotocol/clientInfo"]?["name"]?.string == "belfry")
            #expect(meta?["io.modelcontextprotocol/clientCapabilities"] == [:])
        }
    }

    @Test("one that speaks neither is told of with what it said")
    func neither() async throws {
        let failure = try await #require(throws: TaskFailure.self) {
            try await call([
                "server/discover": ["error": ["code": -1, "message": "what?"]],
                "initialize": ["result": ["protocolVersion": "1999-01-01"]],
            ])
        }
        #expect(failure.code == "protocol_error")
        #expect(failure.message.contains("what? (-1)"))
        #expect(failure.message.contains("1999-01-01"))
    }

    // MARK: Answers

    @Test("an error of the protocol fails the task with its code and words")
    func protocolError() async throws {
        let failure = try await #require(throws: TaskFailure.self) {
            try await call(["tools/call": ["error": ["code": -32602, "message": "Unknown tool"]]])
        }
        #expect(failure.code == "protocol_error")
        #expect(failure.message.contains("-32602: Unknown tool"))
    }

    @Test("a tool that asks for input is not supported")
    func inputRequired() async throws {
        let failure = try await #require(throws: TaskFailure.self) {
            try await call(["tools/call": ["result": ["resultType": "input_required", "content": []]]])
        }
        #expect(failure.code == "unsupported")
    }

    @Test("an answer longer than a line may be fails its task, and the server goes on")
    func bigAnswer() async throws {
        let host = try servers.fake(
            Self.script(["tools/call": [["big": 200_000], Self.said]]),
            change: { $0.limits.maxLineBytes = 100_000 }
        )
        let (failure, next) = try await servers.run(host) { [context] in
            let failure = await #expect(throws: TaskFailure.self) { try await host.call("one", [:], context) }
            return (failure, try await host.call("one", [:], context))
        }
        #expect(failure?.code == "line_too_long")
        #expect(next.value == ["text": "here"])
    }

    @Test("a request of the server is answered, if only with a refusal")
    func serverAsks() async throws {
        let ping = #"{"jsonrpc":"2.0","id":"s1","method":"ping"}"#
        let roots = #"{"jsonrpc":"2.0","id":2,"method":"roots/list"}"#
        _ = try await call(["tools/list": ["line": .string(ping + "\n" + roots), "then": Self.tools]])
        let answers = servers.fakeLog.filter { $0["method"] == nil }
        #expect(answers.map { $0["id"] } == ["s1", 2])
        #expect(answers.first?["result"] == [:])
        #expect(answers.last?["error"]?["code"]?.int == -32601)
    }

    @Test("tools are listed page by page, and anew when they have changed")
    func toolsChange() async throws {
        let more: JSONValue = ["result": ["tools": [["name": "two"]], "nextCursor": "p2"]]
        let host = try servers.fake(
            Self.script([
                "tools/list": [more, Self.tools, Self.tools],
                "tools/call": ["notify": "notifications/tools/list_changed", "then": Self.said],
            ])
        )
        try await servers.run(host) { [context, servers] in
            _ = try await host.call("one", [:], context)
            while servers.tools.count < 2 { await Task.yield() }
        }
        #expect(servers.tools.map { $0.map(\.name) } == [["two", "one"], ["one"]])
    }

    // MARK: Life

    @Test("after a crash it is not started again before the wait is over; after too many, not at all")
    func restarts() async throws {
        let waits = Mutex<[Duration]>([])
        let clock = servers.clock
        let host = try servers.fake(
            Self.script(["tools/call": ["exit": 3]]),
            sleep: { duration in
                guard duration <= .seconds(2) else { return try await Task.sleep(for: duration) }
                waits.withLock { $0.append(duration) }
                clock.advance(by: duration)
            }
        )
        let failures = try await servers.run(host) { [context] in
            var failures: [TaskFailure?] = []
            for _ in 0..<4 {
                failures.append(
                    await #expect(throws: TaskFailure.self) { try await host.call("one", [:], context) }
                )
                while host.status.condition == .ready || host.status.condition == .busy { await Task.yield() }
            }
            return failures
        }
        #expect(failures.map { $0?.code } == ["crashed", "crashed", "crashed", "quarantined"])
        #expect(failures.map { $0?.isRetryable } == [true, true, true, false])
        #expect(waits.withLock { $0 } == [.seconds(1), .seconds(2)])
        #expect(servers.quarantines == 1)
        #expect(host.status.condition == .quarantined)
        #expect(failures.last??.fix == "Mend it, then: belfry plugin enable tools")
        host.forgive()
        #expect(host.status.condition == .stopped)
        #expect(host.status.crashes == 0)
    }

    @Test("one that nobody wants is ended, and started again when somebody does")
    func idle() async throws {
        let isIdle = Gate()
        let host = try servers.fake(
            Self.script([:]),
            sleep: { duration in
                guard duration == .seconds(77) else { return try await Task.sleep(for: duration) }
                await isIdle.wait()
            },
            change: { $0.runner.idleStop = .seconds(77) }
        )
        try await servers.run(host) { [context, servers] in
            _ = try await host.call("one", [:], context)
            isIdle.open()
            while host.status.condition != .stopped { await Task.yield() }
            _ = try await host.call("one", [:], context)
            // It may have been ended again meanwhile: nobody wants it for longer than no time.
            #expect(servers.fakeLog.count { $0["method"]?.string == "server/discover" } >= 2)
        }
        #expect(host.status.crashes == 0)
    }

    @Test("one that does not answer in time is given up, with the reason")
    func startTimeout() async throws {
        let host = try servers.fake(
            Self.script(["server/discover": "ignore", "initialize": "ignore"]),
            sleep: { duration in
                // The patience, the start's timeout, and the grace that its end has.
                if duration > .seconds(200) { try await Task.sleep(for: duration) }
            }
        )
        let failure = try await #require(throws: TaskFailure.self) {
            try await servers.run(host) { [context] in try await host.call("one", [:], context) }
        }
        #expect(failure.code == "start_timeout")
        #expect(failure.isRetryable)
    }
}
