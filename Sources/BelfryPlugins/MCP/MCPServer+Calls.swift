// One call of a tool: what the server is told of the attempt, and what its answer makes of it.

import BelfryCore
import BelfryMCP
import Synchronization

extension MCPServer {
    /// Calls a tool for one attempt.
    ///
    /// - Parameter onDone: told once, when the call occupies the server no longer. That is after this returns when
    ///   the attempt was cancelled and the tool goes on.
    /// - Throws: ``TaskFailure`` as Docs/PluginProtocol.md lists them, ``TaskSnooze``; `CancellationError` at once when cancelled.
    func call(
        _ tool: String,
        _ params: JSONValue,
        _ context: FeatureContext,
        onDone: @escaping @Sendable () -> Void
    ) async throws -> TaskResult {
        var meta: JSONObject
        do { meta = try await ready().agreement.meta } catch {
            onDone()
            throw error
        }
        meta.add(context)
        let number = Mutex<Int64>(0)
        defer { settled(number.withLock { $0 }, unlessAbandoned: true) }
        do {
            let answer = try await connection.request(
                MCP.Method.callTool,
                onProgress: { MCPProgress(params: $0).tell(context) },
                onCancel: { [self] in abandon($0) },
                params: { [meta] id in
                    number.withLock { $0 = id }
                    begin(id, Call(log: { context.log($0) }, onDone: onDone))
                    var meta = meta
                    meta[MCP.Meta.progressToken] = .int(id)
                    return ["name": .string(tool), "arguments": params, "_meta": .object(meta)]
                }
            )
            return try MCPResult(
                result: answer,
                outputDirectory: context.outputDirectory,
                onRemark: { context.logLine($0) }
            ).taskResult()
        } catch let error as RPCError {
            throw Self.failure(error, doing: "the tool \(tool)")
        }
    }

    static func failure(_ error: RPCError, doing what: String) -> TaskFailure {
        let data = error.data.map { " \($0.text.truncated(toUTF8: 500))" } ?? ""
        return TaskFailure(
            "protocol_error",
            "The server answered \(what) with \(error.code): \(error.message)\(data)"
        )
    }

    private func begin(_ id: Int64, _ call: Call) {
        state.withLock { state in
            state.calls[id] = call
            state.reserved -= 1
            state.begun += 1
        }
    }
}

extension JSONObject {
    /// What a tool is told of the attempt that it works for.
    fileprivate mutating func add(_ context: FeatureContext) {
        self[MCP.Meta.taskID] = .string(context.taskID.rawValue)
        self[MCP.Meta.attempt] = .int(Int64(context.attempt))
        self[MCP.Meta.fence] = .int(context.fence)
        if !context.outputDirectory.isEmpty {
            self[MCP.Meta.outputDirectory] = .string(context.outputDirectory)
        }
        set(MCP.Meta.checkpoint, context.checkpoint)
        guard !context.deviceEnvironment.isEmpty else { return }
        var environment = JSONObject()
        for (name, value) in context.deviceEnvironment { environment[name] = .string(value) }
        self[MCP.Meta.environment] = .object(environment)
    }
}
