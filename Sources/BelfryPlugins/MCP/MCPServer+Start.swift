// How a server comes to be called: it agrees on a revision and lists its tools.

import BelfryCore
import BelfryMCP
import Synchronization

extension MCPServer {
    func open() async {
        do {
            let ready = try await withinStartTimeout { [self] in
                let agreement = try await MCPHandshake(
                    connection: connection,
                    sleep: configuration.process.sleep
                ).agree()
                return Ready(agreement: agreement, tools: try await tools(agreement))
            }
            readiness.settle(.success(ready))
            configuration.onTools(ready.tools)
            await keepTools(ready.agreement)
        } catch let failure as TaskFailure {
            giveUp(failure)
        } catch let error as RPCError {
            giveUp(Self.failure(error, doing: "listing its tools"))
        } catch {
            // Cancelled: it ends, and its end says why.
        }
    }

    private func giveUp(_ failure: TaskFailure) {
        state.withLock { $0.fault = $0.fault ?? failure }
        readiness.settle(.failure(failure))
        connection.channel.stop(.now)
    }

    private func withinStartTimeout(_ work: @escaping @Sendable () async throws -> Ready) async throws
        -> Ready
    {
        try await withThrowingTaskGroup(of: Ready.self) { group in
            group.addTask(operation: work)
            group.addTask { [configuration] in
                try await configuration.process.sleep(configuration.startTimeout)
                throw TaskFailure(
                    "start_timeout",
                    "\(configuration.name) did not answer within \(configuration.startTimeout) of its start.",
                    fix: "Run it in a terminal to see what it waits for.",
                    isRetryable: true
                )
            }
            defer { group.cancelAll() }
            guard let ready = try await group.next() else { throw CancellationError() }
            return ready
        }
    }

    /// All pages of the list of tools.
    private func tools(_ agreement: MCPAgreement) async throws -> [MCPTool] {
        var tools: [MCPTool] = []
        var cursor: JSONValue?
        // A server that never comes to an end of its list has no more than this.
        for _ in 0..<100 {
            let page = try await connection.request(MCP.Method.listTools) { _ in
                var params = JSONObject()
                if !agreement.meta.isEmpty { params["_meta"] = .object(agreement.meta) }
                params.set("cursor", cursor)
                return .object(params)
            }
            tools += (page["tools"]?.array ?? []).compactMap(MCPTool.init)
            cursor = page["nextCursor"]
            guard cursor?.string != nil else { break }
        }
        return tools
    }

    /// Lists the tools anew whenever the server says that they have changed.
    private func keepTools(_ agreement: MCPAgreement) async {
        guard agreement.tellsOfChangedTools else { return }
        await withTaskGroup(of: Void.self) { group in
            if agreement.era == .modern {
                // Answered only when the server hears no more.
                group.addTask { [connection] in
                    _ = try? await connection.request(MCP.Method.listen) { _ in
                        ["notifications": ["toolsListChanged": true], "_meta": .object(agreement.meta)]
                    }
                }
            }
            group.addTask { [self] in
                for await _ in hears.changes {
                    if let tools = try? await tools(agreement) { configuration.onTools(tools) }
                }
            }
        }
    }
}
