// The words of the Model Context Protocol that both of its sides use. Source: the specification's revisions
// 2024-11-05 to 2026-07-28 (modelcontextprotocol.io).

public import BelfryCore

/// The Model Context Protocol.
public enum MCP {
    /// The revisions. Those of the handshake era agree on one by `initialize`, once for a connection; since
    /// 2026-07-28 there is no connection to speak of: each request says its revision itself.
    public enum Revision {
        public static let modern = "2026-07-28"
        /// The newest one of the handshake era.
        public static let handshake = "2025-11-25"
        public static let ofHandshake = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
    }

    public enum Method {
        public static let discover = "server/discover"
        public static let initialize = "initialize"
        public static let initialized = "notifications/initialized"
        public static let ping = "ping"
        public static let listTools = "tools/list"
        public static let callTool = "tools/call"
        public static let listen = "subscriptions/listen"
        public static let toolsChanged = "notifications/tools/list_changed"
        public static let progress = "notifications/progress"
        public static let cancelled = "notifications/cancelled"
        public static let message = "notifications/message"
    }

    /// Keys of `_meta`.
    public enum Meta {
        public static let progressToken = "progressToken"
        // What every request of the modern era carries.
        public static let protocolVersion = "io.modelcontextprotocol/protocolVersion"
        public static let clientCapabilities = "io.modelcontextprotocol/clientCapabilities"
        public static let clientInfo = "io.modelcontextprotocol/clientInfo"
        public static let serverInfo = "io.modelcontextprotocol/serverInfo"
        // What Belfry adds to `tools/call`; Docs/PluginProtocol.md says what each means.
        public static let taskID = "belfry/taskId"
        public static let attempt = "belfry/attempt"
        public static let fence = "belfry/fence"
        public static let outputDirectory = "belfry/outputDir"
        public static let checkpoint = "belfry/checkpoint"
        public static let environment = "belfry/environment"
    }

    /// The server does not speak the revision of a request; `data.supported` lists those that it does.
    public static let unsupportedVersion: Int64 = -32022

    /// How Belfry calls itself to the other side.
    public static var implementation: JSONValue {
        ["name": "belfry", "version": .string(BelfryVersion.current)]
    }
}
