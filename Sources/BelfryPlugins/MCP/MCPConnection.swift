// Requests and answers over the lines of one process: who asked gets its answer, progress goes to whoever waits
// for it, and what is no message is counted and skipped.

import BelfryCore
import BelfryMCP
import Synchronization

/// The client's side of JSON-RPC with one server.
final class MCPConnection: Sendable {
    /// What the params of each notification of a request's progress are told to, one after the other.
    typealias OnProgress = @Sendable (JSONValue) -> Void

    /// What the server says on its own account.
    enum Remark: Sendable {
        case toolsChanged
        /// A log message, as text.
        case message(String)
        /// A line that is no message of JSON-RPC.
        case garbage(String)
    }

    private typealias Waiting = CheckedContinuation<JSONValue, any Error>

    /// Where a request stands that its caller has not left.
    private enum Open {
        case asked(OnProgress?)
        case waiting(Waiting, OnProgress?)
        /// Settled before anybody waited, or when it was waited for.
        case settled(Result<JSONValue, any Error>)

        /// Until it is settled, from when it was asked: the server may be faster than who waits.
        var onProgress: OnProgress? {
            switch self {
            case .asked(let onProgress), .waiting(_, let onProgress): onProgress
            case .settled: nil
            }
        }
    }

    private struct State {
        var nextID: Int64 = 0
        var open: [Int64: Open] = [:]
        var end: TaskFailure?
        var garbage = 0
    }

    let channel = PluginChannel()
    private let onRemark: @Sendable (Remark) -> Void
    /// Told of each answer that nobody waits for any more, by the request's number.
    private let onLate: @Sendable (Int64) -> Void
    private let state = Mutex(State())

    init(
        onRemark: @escaping @Sendable (Remark) -> Void = { _ in },
        onLate: @escaping @Sendable (Int64) -> Void = { _ in }
    ) {
        self.onRemark = onRemark
        self.onLate = onLate
    }

    /// Lines that were no messages.
    var garbage: Int { state.withLock { $0.garbage } }

    /// Asks, and waits for the answer.
    ///
    /// - Parameters:
    ///   - params: gets the request's number and gives its params.
    ///   - onCancel: told, with the request's number, when the caller was cancelled after the server was asked.
    /// - Throws: ``RPCError`` when the server answers with one; the ``TaskFailure`` of ``end(_:)``;
    ///   `CancellationError`, at once when cancelled: the answer is ignored.
    func request(
        _ method: String,
        onProgress: OnProgress? = nil,
        onCancel: @escaping @Sendable (Int64) -> Void = { _ in },
        params: (Int64) -> JSONValue?
    ) async throws -> JSONValue {
        let id = state.withLock { state in
            state.nextID += 1
            state.open[state.nextID] = .asked(onProgress)
            return state.nextID
        }
        defer { state.withLock { $0.open[id] = nil } }
        let line = RPCMessage.request(id: .int(id), method: method, params: params(id)).json.encoded
        // Beside each other: an answer, or the end, may come before the whole request is in the pipe.
        let (outcome, wasSent) = await withTaskGroup(of: Part.self) { group in
            group.addTask { [self] in .sent((try? await channel.send(line)) != nil) }
            group.addTask { [self] in .answer(await self.answer(to: id)) }
            var answer: Result<JSONValue, any Error> = .failure(CancellationError())
            var wasSent = false
            for await part in group {
                switch part {
                case .sent(let value): wasSent = value
                case .answer(let value):
                    answer = value
                    group.cancelAll()
                }
            }
            return (answer, wasSent)
        }
        if case .failure(let error) = outcome, error is CancellationError, wasSent { onCancel(id) }
        return try outcome.get()
    }

    private enum Part: Sendable {
        case sent(Bool)
        case answer(Result<JSONValue, any Error>)
    }

    private func answer(to id: Int64) async -> Result<JSONValue, any Error> {
        do {
            return .success(
                try await withTaskCancellationHandler {
                    try await withCheckedThrowingContinuation { wait(id, $0) }
                } onCancel: {
                    settle(id, .failure(CancellationError()))
                }
            )
        } catch { return .failure(error) }
    }

    /// Tells without asking.
    func notify(_ method: String, _ params: JSONValue? = nil) {
        channel.post(RPCMessage.notification(method: method, params: params).json.encoded)
    }

    /// Lets a request fail.
    func fail(_ id: Int64, _ error: any Error) { settle(id, .failure(error)) }

    /// The server is gone: every request fails with this, also those to come.
    func end(_ failure: TaskFailure) {
        let open = state.withLock { state in
            state.end = failure
            return state.open.keys
        }
        for id in open { settle(id, .failure(failure)) }
    }

    // MARK: What comes in

    /// Takes one line of the server's stdout.
    func take(_ line: String) {
        guard let message = try? RPCMessage(line: line.utf8) else {
            guard !line.allSatisfy(\.isWhitespace) else { return }
            state.withLock { $0.garbage += 1 }
            return onRemark(.garbage(line))
        }
        switch message {
        case .result(.int(let id), let result): settle(id, .success(result))
        case .failure(.int(let id), let error): settle(id, .failure(error))
        case .result, .failure: break
        case .notification(let method, let params): heard(method, params)
        case .request(let id, let method, _): answer(id, method)
        }
    }

    /// The first word about a request counts.
    private func settle(_ id: Int64, _ answer: Result<JSONValue, any Error>) {
        let (waiting, isLate): (Waiting?, Bool) = state.withLock { state in
            let open = state.open[id]
            switch open {
            case .waiting, .asked: state.open[id] = .settled(answer)
            case .settled, nil: return (nil, true)
            }
            guard case .waiting(let waiting, _) = open else { return (nil, false) }
            return (waiting, false)
        }
        waiting?.resume(with: answer)
        if isLate { onLate(id) }
    }

    private func heard(_ method: String, _ params: JSONValue?) {
        switch method {
        case MCP.Method.progress: progressed(params ?? [:])
        case MCP.Method.toolsChanged: onRemark(.toolsChanged)
        case MCP.Method.message:
            let data = params?["data"]
            if let text = data?.string ?? data?.text { onRemark(.message(text)) }
        default: break
        }
    }

    private func progressed(_ params: JSONValue) {
        guard let id = params[MCP.Meta.progressToken]?.int else { return }
        state.withLock { $0.open[id]?.onProgress }?(params)
    }

    /// A server may ask whether we are there; all else we said that we cannot do.
    private func answer(_ id: RPCID, _ method: String) {
        let message: RPCMessage =
            method == MCP.Method.ping
            ? .result(id: id, [:])
            : .failure(id: id, RPCError(RPCError.Code.methodNotFound, "Belfry does not answer \(method)."))
        channel.post(message.json.encoded)
    }

    private func wait(_ id: Int64, _ waiting: Waiting) {
        let answer: Result<JSONValue, any Error>? = state.withLock { state in
            if case .settled(let answer) = state.open[id] { return answer }
            if let end = state.end { return .failure(end) }
            state.open[id] = .waiting(waiting, state.open[id]?.onProgress)
            return nil
        }
        if let answer { waiting.resume(with: answer) }
    }
}
