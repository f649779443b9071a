// A server on two pipes, and a client of ours that says exactly what a test wants said.

import BelfryCore
import BelfryMCP
import Glibc
import Synchronization

/// Tools whose ends a test decides.
struct ProbeTools: MCPToolProvider {
    let gate = Gate()

    func tools() -> [MCPTool] {
        [MCPTool("echo", title: "Echo", "Gives back what it gets.", inputSchema: ["type": "object"])]
    }

    func call(_ call: MCPToolCall) async throws -> MCPToolResult {
        switch call.name {
        case "echo":
            return MCPToolResult(
                content: [MCPToolResult.text(call.arguments.text)],
                structured: call.arguments
            )
        case "reports":
            call.progress(1, of: 2, "half", meta: ["belfry/log": "a line"])
            call.progress(2, of: nil, nil)
            return MCPToolResult(content: [])
        case "waits":
            call.progress(0, of: nil, "waiting")
            await gate.wait()
            try Task.checkCancellation()
            return MCPToolResult(content: [])
        case "stubborn":
            call.progress(0, of: nil, "waiting")
            await gate.wait()
            return MCPToolResult(content: [])
        case "breaks": throw BelfryError(.internalError, "It broke.")
        default: throw RPCError(RPCError.Code.invalidParams, "There is no tool '\(call.name)'.")
        }
    }
}

/// Closed until somebody opens it; waiting ends also by cancellation.
struct Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}

/// The client's ends of the pipes.
struct ProbeClient: Sendable {
    let tools = ProbeTools()
    private let toServer: [Int32]
    var serverInput: Int32 { toServer[0] }
    private let fromServer: [Int32]
    private let lines: LineInput

    init() {
        (toServer, fromServer) = (Self.makePipe(), Self.makePipe())
        lines = LineInput(descriptor: fromServer[0])
    }

    private static func makePipe() -> [Int32] {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        return ends
    }

    /// Runs a server for as long as `body` takes; then its input ends, and `body`'s value is given when it has.
    static func run<Value: Sendable>(
        limit: Int = 1 << 20,
        _ body: @escaping @Sendable (ProbeClient) async throws -> Value
    ) async throws -> Value {
        let client = ProbeClient()
        let server = MCPToolServer(
            MCPToolServer.Identity(name: "probe", version: "1.0.0", instructions: "Echo first."),
            tools: client.tools,
            input: LineInput(descriptor: client.toServer[0], limit: limit),
            output: LineOutput(descriptor: client.fromServer[1])
        )
        async let end: Void = server.run()
        let result: Result<Value, any Error>
        do { result = .success(try await body(client)) } catch { result = .failure(error) }
        client.endInput()
        await end
        for descriptor in [client.toServer[0]] + client.fromServer { close(descriptor) }
        return try result.get()
    }

    private func endInput() { close(toServer[1]) }

    func raw(_ line: String) { LineOutput.writeAll(Array((line + "\n").utf8), to: toServer[1]) }

    func say(_ method: String, id: JSONValue? = nil, _ params: JSONValue? = nil) {
        var object: JSONObject = ["jsonrpc": "2.0"]
        object.set("id", id)
        object["method"] = .string(method)
        object.set("params", params)
        raw(JSONValue.object(object).text)
    }

    func hear() async throws -> JSONValue {
        guard case .line(let bytes) = await lines.next() else { throw CancellationError() }
        return try JSONValue(parsing: bytes)
    }

    func ask(_ method: String, id: JSONValue = 1, _ params: JSONValue? = nil) async throws -> JSONValue {
        say(method, id: id, params)
        return try await hear()
    }

    func initialize(_ version: String = "2025-11-25") async throws -> JSONValue {
        let params: JSONValue = [
            "protocolVersion": .string(version), "capabilities": [:],
            "clientInfo": ["name": "t", "version": "1"],
        ]
        let answer = try await ask("initialize", id: 0, params)
        say("notifications/initialized")
        return answer
    }

    /// Params with the envelope of the modern era.
    static func modern(_ params: JSONObject = [:], version: String = "2026-07-28", token: JSONValue? = nil)
        -> JSONValue
    {
        var params = params
        var meta: JSONObject = [
            "io.modelcontextprotocol/protocolVersion": .string(version),
            "io.modelcontextprotocol/clientCapabilities": [:],
        ]
        meta.set("progressToken", token)
        params["_meta"] = .object(meta)
        return .object(params)
    }
}
