// The server's side of MCP over stdio, for programs of ours that offer tools. It speaks both eras: since 2026-07-28
// each request says its revision itself, before that `initialize` agreed on one.

import BelfryCore
import Synchronization

/// Serves tools to one client.
public final class MCPToolServer: Sendable {
    /// How the server calls itself.
    public struct Identity: Sendable {
        public var name: String
        public var version: String
        /// What a model is to know before it uses the tools. Defaults to nothing.
        public var instructions: String?

        public init(name: String, version: String, instructions: String? = nil) {
            self.name = name
            self.version = version
            self.instructions = instructions
        }

        var json: JSONValue { ["name": .string(name), "version": .string(version)] }
    }

    /// A request that is being answered. A client may use its id again once it has cancelled it, so the id alone does
    /// not tell whose an answer is.
    private struct Call: Sendable {
        let id: RPCID
        let serial: Int
        let cancellation = WorkCancellation()
    }

    private struct State {
        var isInitialized = false
        var nextSerial = 0
        var calls: [RPCID: Call] = [:]

        func isOpen(_ call: Call) -> Bool { calls[call.id]?.serial == call.serial }
    }

    private enum Era { case handshake, modern }

    /// Calls at once; more are refused.
    static let maxCalls = 256

    private let identity: Identity
    private let provider: any MCPToolProvider
    private let input: LineInput
    private let output: LineOutput
    private let state = Mutex(State())

    public init(_ identity: Identity, tools: any MCPToolProvider, input: LineInput, output: LineOutput) {
        self.identity = identity
        provider = tools
        self.input = input
        self.output = output
    }

    /// Serves until the input ends; then calls that still run are cancelled, and waited for.
    public func run() async {
        await withDiscardingTaskGroup { group in
            while let line = await input.next() {
                guard let call = take(line) else { continue }
                group.addTask { await call() }
            }
            cancelCalls()
        }
    }

    /// Cancels every call that runs. What still comes to a result is answered.
    public func cancelCalls() {
        for call in state.withLock({ Array($0.calls.values) }) { call.cancellation.cancel() }
    }

    // MARK: What comes in

    /// - Returns: the rest of the work, when it is not done at once.
    private func take(_ line: LineInput.Line) -> (@Sendable () async -> Void)? {
        guard case .line(let bytes) = line else {
            send(.failure(id: nil, RPCError(RPCError.Code.invalidRequest, "The line is longer than 16 MiB.")))
            return nil
        }
        guard !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) else { return nil }
        do throws(RPCError) {
            switch try RPCMessage(line: bytes) {
            case .request(let id, let method, let params): return request(id, method, params)
            case .notification(MCP.Method.cancelled, let params): cancel(params)
            // Nothing was asked of the client, and what else it tells changes nothing here.
            case .notification, .result, .failure: break
            }
        } catch { send(.failure(id: nil, error)) }
        return nil
    }

    /// The answer to a call is dropped from here on.
    private func cancel(_ params: JSONValue?) {
        guard let id = params?["requestId"].flatMap(RPCID.init) else { return }
        state.withLock { $0.calls.removeValue(forKey: id) }?.cancellation.cancel()
    }

    private func request(_ id: RPCID, _ method: String, _ params: JSONValue?) -> (@Sendable () async -> Void)?
    {
        do throws(RPCError) {
            let era = try era(of: method, params)
            switch (method, era) {
            case (MCP.Method.discover, .modern): send(.result(id: id, discovery()))
            case (MCP.Method.initialize, .handshake): send(.result(id: id, initialize(params)))
            case (MCP.Method.ping, .handshake): send(.result(id: id, [:]))
            case (MCP.Method.listTools, _), (MCP.Method.callTool, _):
                let call = try register(id)
                return { [self] in await answer(call, method, params, era) }
            default: throw RPCError(RPCError.Code.methodNotFound, "There is no method '\(method)' here.")
            }
        } catch { send(.failure(id: id, error)) }
        return nil
    }

    /// Registered before its work begins, so that a cancellation that follows at once finds it.
    private func register(_ id: RPCID) throws(RPCError) -> Call {
        let call: Result<Call, RPCError> = state.withLock { state in
            let code = RPCError.Code.invalidRequest
            if state.calls[id] != nil {
                return .failure(RPCError(code, "A request with this id is still being answered."))
            }
            if state.calls.count >= Self.maxCalls {
                return .failure(RPCError(code, "More than \(Self.maxCalls) requests at once."))
            }
            state.nextSerial += 1
            let call = Call(id: id, serial: state.nextSerial)
            state.calls[id] = call
            return .success(call)
        }
        return try call.get()
    }

    private func era(of method: String, _ params: JSONValue?) throws(RPCError) -> Era {
        guard let version = params?["_meta"]?[MCP.Meta.protocolVersion], method != MCP.Method.initialize
        else {
            let isFree = method == MCP.Method.initialize || method == MCP.Method.ping
            guard isFree || state.withLock({ $0.isInitialized }) else {
                throw RPCError(
                    RPCError.Code.invalidParams,
                    "Send initialize first, or params._meta with '\(MCP.Meta.protocolVersion)'."
                )
            }
            return .handshake
        }
        guard version.string == MCP.Revision.modern else {
            throw RPCError(
                MCP.unsupportedVersion,
                "This revision is not served.",
                data: ["supported": .array(Self.revisions), "requested": version]
            )
        }
        guard params?["_meta"]?[MCP.Meta.clientCapabilities]?.object != nil else {
            throw RPCError(
                RPCError.Code.invalidParams,
                "params._meta must have the object '\(MCP.Meta.clientCapabilities)'."
            )
        }
        return .modern
    }

    // MARK: Answers

    /// Newest first.
    private static var revisions: [JSONValue] {
        ([MCP.Revision.modern] + MCP.Revision.ofHandshake.reversed()).map { .string($0) }
    }

    private func discovery() -> JSONValue {
        var result: JSONObject = [
            "supportedVersions": .array(Self.revisions), "capabilities": ["tools": [:]],
        ]
        result.set("instructions", identity.instructions.map { .string($0) })
        return .object(stamped(uncached(result)))
    }

    private func initialize(_ params: JSONValue?) -> JSONValue {
        state.withLock { $0.isInitialized = true }
        let asked = params?["protocolVersion"]?.string ?? ""
        let version = MCP.Revision.ofHandshake.contains(asked) ? asked : MCP.Revision.handshake
        var result: JSONObject = [
            "protocolVersion": .string(version), "capabilities": ["tools": [:]], "serverInfo": identity.json,
        ]
        result.set("instructions", identity.instructions.map { .string($0) })
        return .object(result)
    }

    private func answer(_ call: Call, _ method: String, _ params: JSONValue?, _ era: Era) async {
        let isList = method == MCP.Method.listTools
        do {
            var result = try await call.cancellation.run { [self] in
                isList ? try await list() : try await use(params, for: call)
            }
            if era == .modern { result = stamped(isList ? uncached(result) : result) }
            settle(call, .result(id: call.id, .object(result)))
        } catch let error as RPCError {
            settle(call, .failure(id: call.id, error))
        } catch is CancellationError {
            // Whoever cancelled waits for no answer.
            settle(call, nil)
        } catch {
            settle(call, .failure(id: call.id, RPCError(RPCError.Code.internalError, "\(error)")))
        }
    }

    private func list() async throws -> JSONObject {
        ["tools": .array(try await provider.tools().map(\.json))]
    }

    private func use(_ params: JSONValue?, for open: Call) async throws -> JSONObject {
        guard let name = params?["name"]?.string else {
            throw RPCError(RPCError.Code.invalidParams, "tools/call needs the name of a tool.")
        }
        let arguments = params?["arguments"] ?? [:]
        guard arguments.object != nil else {
            throw RPCError(RPCError.Code.invalidParams, "The arguments of a tool are an object.")
        }
        let meta = params?["_meta"] ?? [:]
        let call = MCPToolCall(name: name, arguments: arguments, meta: meta) { [self] progress in
            guard let token = meta[MCP.Meta.progressToken] else { return }
            tell(open, token, progress)
        }
        return try await provider.call(call).json
    }

    /// What every result of the modern era says.
    private func stamped(_ result: JSONObject) -> JSONObject {
        var result = result
        result["resultType"] = "complete"
        var meta = result["_meta"]?.object ?? [:]
        meta[MCP.Meta.serverInfo] = identity.json
        result["_meta"] = .object(meta)
        return result
    }

    /// What may be asked again at any time: tools come and go.
    private func uncached(_ result: JSONObject) -> JSONObject {
        var result = result
        result["ttlMs"] = 0
        result["cacheScope"] = "private"
        return result
    }

    // MARK: What goes out

    private func send(_ message: RPCMessage) { output.write(message.line) }

    /// Under the lock, so that no progress comes after the answer.
    private func tell(_ call: Call, _ token: JSONValue, _ progress: JSONObject) {
        var params: JSONObject = [MCP.Meta.progressToken: token]
        for (key, value) in progress { params[key] = value }
        let line = RPCMessage.notification(method: MCP.Method.progress, params: .object(params)).line
        state.withLock { state in
            if state.isOpen(call) { output.write(line) }
        }
    }

    /// Answers unless the client cancelled the call meanwhile.
    private func settle(_ call: Call, _ answer: RPCMessage?) {
        let line = answer?.line
        state.withLock { state in
            guard state.isOpen(call) else { return }
            state.calls[call.id] = nil
            if let line { output.write(line) }
        }
    }
}
