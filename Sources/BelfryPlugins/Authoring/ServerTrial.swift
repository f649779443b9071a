// An MCP server without a hub: started, called, and seen to its end, with every line watched.

public import BelfryCore
import BelfryMCP
import Glibc
import Synchronization

/// Runs the server of one plugin as the hub would, once.
public struct ServerTrial: Sendable {
    private let parts: MCPHost.Parts
    /// Never started: what it offers is asked of it.
    private let host: MCPHost
    /// What relative file parameters start from.
    private let workingDirectory: String

    public init(
        _ plugin: InstalledPlugin,
        launcher: String,
        environment: [String: String],
        secrets: PluginSecrets = PluginSecrets(),
        workingDirectory: String,
        trace: PluginTrace? = nil
    ) {
        var parts = MCPHost.Parts(
            launcher: launcher,
            environment: ExecEnvironment.ofProcess(of: plugin, from: environment, secrets: secrets),
            clocks: Clocks(),
            spawn: { _ in }
        )
        parts.trace = trace
        self.parts = parts
        self.workingDirectory = workingDirectory
        host = MCPHost(plugin: plugin, parts: parts)
    }

    /// Calls one tool, in a server that is started for it.
    ///
    /// - Parameters:
    ///   - featureID: its id or the tool's name; may be left out when there is only one.
    ///   - arguments: its parameters as `key=value`.
    ///   - outputDirectory: absolute; made when it is not there.
    /// - Throws: ``TaskFailure``; ``BelfryError`` for a feature that is not there, and parameters that are refused.
    public func run(
        _ featureID: String?,
        _ arguments: [(key: String, value: String)],
        outputDirectory: String,
        onProgress: @escaping @Sendable (Double?, String?) -> Void = { _, _ in },
        onLog: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) async throws -> TaskResult {
        let served = try await serve { server in
            let feature = try feature(featureID, try await server.ready().tools)
            let params = try feature.params(from: arguments)
            let context = try Trial.context(feature, outputDirectory, onProgress: onProgress, onLog: onLog)
            return try await call(feature, params, context, in: server)
        }
        return try served.answer.get()
    }

    private func feature(_ id: String?, _ tools: [MCPTool]) throws -> MCPFeature {
        let features = offer(tools).features
        if let id, let found = features.first(where: { $0.descriptor.id == id || $0.tool == id }) {
            return found
        }
        if id == nil, features.count == 1 { return features[0] }
        throw BelfryError(
            .unknownFeature,
            id.map { "The server has no feature '\($0)'." }
                ?? "The server has not one feature but \(features.count).",
            fix: "Name one: --feature " + features.map(\.descriptor.id).joined(separator: "|")
        )
    }

    // MARK: For tests

    /// The features that tools make, and why others of the manifest are none.
    func offer(_ tools: [MCPTool]) -> (features: [MCPFeature], missing: [String: PluginSnapshot.Problem]) {
        MCPOffer(host: host, tools: tools).features()
    }

    /// Calls a feature as a task would.
    ///
    /// - Parameter onDone: told once, when the call occupies the server no longer.
    func call(
        _ feature: MCPFeature,
        _ params: JSONValue,
        _ context: FeatureContext,
        in server: MCPServer,
        onDone: @escaping @Sendable () -> Void = {}
    ) async throws -> TaskResult {
        let accepted = try feature.accept(
            params,
            from: SubmissionContext(workingDirectory: workingDirectory)
        )
        guard try await server.takesCalls() else {
            throw TaskFailure("server_ended", "The server was ended: it takes no more calls.")
        }
        return try await server.call(feature.tool, SecretParams.opened(accepted), context, onDone: onDone)
    }

    /// What became of a server that was started for something.
    struct Served<Answer: Sendable>: Sendable {
        var answer: Result<Answer, any Error>
        /// How long it took to end after its input had ended; nil when it had ended before.
        var farewell: Duration?
    }

    /// Does something with a server, ends its input, and waits until it is gone.
    ///
    /// - Parameter onRemark: told of what is odd, as a sentence.
    /// - Throws: `CancellationError`.
    func serve<Answer: Sendable>(
        onRemark: @escaping @Sendable (String) -> Void = { _ in },
        _ body: (MCPServer) async throws -> Answer
    ) async throws -> Served<Answer> {
        var configuration = MCPHost.configuration(of: host.plugin, parts)
        configuration.onRemark = onRemark
        let server = MCPServer(configuration)
        return try await withThrowingTaskGroup(of: MCPServer.End.self) { group in
            group.addTask { await server.run() }
            var answer: Result<Answer, any Error>
            do { answer = .success(try await body(server)) } catch { answer = .failure(error) }
            try Task.checkCancellation()
            let start = parts.clocks.lease.now
            server.stop(.politely)
            guard case .stopped? = try await group.next() else { return Served(answer: answer) }
            return Served(answer: answer, farewell: parts.clocks.lease.now - start)
        }
    }
}

/// What goes over a server's stdout, as a test wants to know it.
final class ServerTap: Sendable {
    private struct State {
        var garbage: (count: Int, first: String?) = (0, nil)
        var progress: [Double] = []
        var excess: String?
        var cancelledID: RPCID?
        var answer = CancelledAnswer.notCancelled
    }

    /// What came of the call that was cancelled.
    enum CancelledAnswer: Sendable {
        case notCancelled
        case nothing
        case failure
        case result
    }

    private let state = Mutex(State())

    /// What the server answered to the first call that it was told to cancel.
    var cancelled: CancelledAnswer { state.withLock { $0.answer } }

    @Sendable func take(_ frame: PluginFrame, _ line: String) {
        guard !line.allSatisfy(\.isWhitespace) else { return }
        let message = try? RPCMessage(line: line.utf8)
        noteCancelling(frame, message)
        guard frame == .received else { return }
        state.withLock { state in
            guard let message else {
                state.garbage.first = state.garbage.first ?? line.truncated(toUTF8: 200)
                state.garbage.count += 1
                return
            }
            guard case .notification(MCP.Method.progress, let params) = message,
                let done = params?["progress"]?.double
            else { return }
            state.progress.append(done)
            if let total = params?["total"]?.double, done > total { state.excess = "\(done) of \(total)" }
        }
    }

    private func noteCancelling(_ frame: PluginFrame, _ message: RPCMessage?) {
        state.withLock { state in
            switch (frame, message) {
            case (.sent, .notification(MCP.Method.cancelled, let params)?) where state.cancelledID == nil:
                state.cancelledID = params?["requestId"].flatMap { RPCID($0) }
                state.answer = .nothing
            case (.received, .result(let id, let result)?) where id == state.cancelledID:
                state.answer = result["isError"] == true ? .failure : .result
            case (.received, .failure(let id, _)?) where id != nil && id == state.cancelledID:
                state.answer = .failure
            default: break
            }
        }
    }

    var garbage: (count: Int, first: String?) { state.withLock { $0.garbage } }

    /// The progress since the last time, and what went past its total.
    func takeProgress() -> (values: [Double], excess: String?) {
        state.withLock { state in
            defer { (state.progress, state.excess) = ([], nil) }
            return (state.progress, state.excess)
        }
    }
}
