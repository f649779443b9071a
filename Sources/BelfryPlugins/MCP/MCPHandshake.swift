// Finding out which era a server is of. Both ways of asking may be under way at once, because a server that is
// slow to start and one that ignores what it does not know look alike for a while.

import BelfryCore
import BelfryMCP

/// What was agreed with a server.
struct MCPAgreement: Sendable {
    enum Era: Sendable { case modern, handshake }

    var era: Era
    /// Such as `2026-07-28`.
    var revision: String
    var capabilities: JSONValue

    /// What a request's `_meta` must hold in any case.
    var meta: JSONObject { era == .modern ? MCPHandshake.modernMeta : [:] }

    var tellsOfChangedTools: Bool { capabilities["tools"]?["listChanged"]?.bool == true }
}

struct MCPHandshake: Sendable {
    let connection: MCPConnection
    /// How long `server/discover` may go unanswered before `initialize` is sent as well. Defaults to 3 seconds.
    var patience = Duration.seconds(3)
    var sleep: @Sendable (Duration) async throws -> Void

    static var modernMeta: JSONObject {
        [
            MCP.Meta.protocolVersion: .string(MCP.Revision.modern), MCP.Meta.clientCapabilities: [:],
            MCP.Meta.clientInfo: MCP.implementation,
        ]
    }

    private enum Answer: Sendable {
        case agreed(MCPAgreement)
        /// Not of that era, whatever the reason.
        case foreign(String)
        case isPatienceOver
    }

    /// Agrees with the server.
    ///
    /// A server that answers `server/discover` with anything but a result of that era, or not in time, is asked
    /// to `initialize`; whatever is agreed first counts.
    ///
    /// - Throws: ``TaskFailure`` `protocol_error` when it does neither; what the connection throws.
    func agree() async throws -> MCPAgreement {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            group.addTask { try await discover() }
            group.addTask {
                try await sleep(patience)
                return .isPatienceOver
            }
            defer { group.cancelAll() }
            var reasons: [String] = []
            var isInitializing = false
            while let answer = try await group.next() {
                switch answer {
                case .agreed(let agreement):
                    if agreement.era == .handshake { connection.notify(MCP.Method.initialized) }
                    return agreement
                case .foreign(let reason): reasons.append(reason)
                case .isPatienceOver: break
                }
                // Both said no; or only the patience still runs.
                guard reasons.count < 2 else { break }
                if !isInitializing { group.addTask { try await initialize() } }
                isInitializing = true
            }
            throw TaskFailure(
                "protocol_error",
                "The program does not speak MCP as Belfry does. \(reasons.joined(separator: " "))",
                fix: "See that it is an MCP server for stdio, and update it or Belfry."
            )
        }
    }

    private func discover() async throws -> Answer {
        do {
            let result = try await connection.request(MCP.Method.discover) { _ in
                ["_meta": .object(Self.modernMeta)]
            }
            let versions = (result["supportedVersions"]?.array ?? []).compactMap(\.string)
            guard versions.contains(MCP.Revision.modern), let capabilities = result["capabilities"] else {
                return .foreign("It supports the revisions \(versions.joined(separator: ", ")).")
            }
            return .agreed(
                MCPAgreement(era: .modern, revision: MCP.Revision.modern, capabilities: capabilities)
            )
        } catch let error as RPCError {
            return .foreign("To \(MCP.Method.discover) it said: \(error.message) (\(error.code)).")
        }
    }

    private func initialize() async throws -> Answer {
        do {
            let result = try await connection.request(MCP.Method.initialize) { _ in
                [
                    "protocolVersion": .string(MCP.Revision.handshake), "capabilities": [:],
                    "clientInfo": MCP.implementation,
                ]
            }
            let version = result["protocolVersion"]?.string ?? "none"
            guard MCP.Revision.ofHandshake.contains(version) else {
                return .foreign("It answers \(MCP.Method.initialize) with the revision \(version).")
            }
            return .agreed(
                MCPAgreement(
                    era: .handshake,
                    revision: version,
                    capabilities: result["capabilities"] ?? [:]
                )
            )
        } catch let error as RPCError {
            return .foreign("To \(MCP.Method.initialize) it said: \(error.message) (\(error.code)).")
        }
    }
}
