// Calls that nobody waits for any more: the server is told, and is ended when it does not heed that.

import BelfryCore
import BelfryMCP
import Synchronization

extension MCPServer {
    /// The server is told that nobody waits for the call any more. That is only a request, and there need not be
    /// an answer.
    func abandon(_ id: Int64) {
        connection.notify(MCP.Method.cancelled, ["requestId": .int(id), "reason": "cancelled"])
        let isKnown = state.withLock { state in
            state.calls[id]?.isAbandoned = true
            if state.hasAbandoned, !configuration.stopsWhenCancelled, state.verdict == nil {
                state.verdict = Latch()
            }
            return state.calls[id] != nil
        }
        if configuration.stopsWhenCancelled {
            settled(id)
        } else if isKnown {
            hears.abandoned.yield(id)
        }
    }

    /// A call is answered, whether or not anybody still wants to know.
    func settled(_ id: Int64, unlessAbandoned: Bool = false) {
        let (call, stop, verdict): (Call?, PluginChannel.Stop?, Latch<Void>?) = state.withLock { state in
            guard let call = state.calls[id], !(unlessAbandoned && call.isAbandoned) else {
                return (nil, nil, nil)
            }
            state.calls[id] = nil
            let isLast = state.isRetired && state.onlyAbandoned
            let stop: PluginChannel.Stop = state.hasAbandoned ? .now : .politely
            return (call, isLast ? stop : nil, state.hasAbandoned ? nil : state.verdict.take())
        }
        call?.onDone()
        if let stop { self.stop(stop) }
        verdict?.settle(.success(()))
    }

    /// Ends the server when a call may go on after the grace although it was cancelled. Other calls end first,
    /// unless it answers nothing at all: then that call blocks them.
    func watchAbandoned() async {
        let (sleep, grace) = (configuration.process.sleep, configuration.process.launch.cancelGrace)
        await withDiscardingTaskGroup { group in
            for await id in hears.abandonments {
                group.addTask { [self] in
                    try? await sleep(grace)
                    guard !Task.isCancelled, state.withLock({ $0.calls[id] != nil }) else { return }
                    configuration.onRemark("a call goes on after it was cancelled: the server is ended")
                    retire()
                    if state.withLock({ !$0.onlyAbandoned }), await !answers(within: grace) { blocked() }
                }
            }
        }
    }

    private func answers(within time: Duration) async -> Bool {
        guard case .success(let ready) = readiness.outcome else { return false }
        let isModern = ready.agreement.era == .modern
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { [connection] in
                do {
                    _ = try await connection.request(isModern ? MCP.Method.discover : MCP.Method.ping) { _ in
                        isModern ? ["_meta": .object(ready.agreement.meta)] : nil
                    }
                } catch { return error is RPCError }
                return true
            }
            group.addTask { [configuration] in
                try? await configuration.process.sleep(time)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    private func blocked() {
        state.withLock { state in
            state.fault = TaskFailure(
                "server_ended",
                "\(configuration.name) was ended, because another call that was cancelled blocked it.",
                fix: "Retry the task.",
                isRetryable: true
            )
        }
        stop(.now)
    }
}
