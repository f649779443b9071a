// What a program that serves tools over MCP says of them, and what it is asked and answers.

public import BelfryCore

/// A tool as `tools/list` shows it.
public struct MCPTool: Sendable, Hashable {
    public var name: String
    /// For people. Defaults to none.
    public var title: String?
    public var description: String
    /// A JSON Schema of an object.
    public var inputSchema: JSONValue
    /// Hints to the client, such as `readOnlyHint`. Defaults to none.
    public var annotations: JSONObject = [:]

    public init(_ name: String, title: String? = nil, _ description: String, inputSchema: JSONValue) {
        self.name = name
        self.title = title
        self.description = description
        self.inputSchema = inputSchema
    }

    var json: JSONValue {
        var object: JSONObject = ["name": .string(name)]
        object.set("title", title.map { .string($0) })
        object["description"] = .string(description)
        object["inputSchema"] = inputSchema
        if !annotations.isEmpty { object["annotations"] = .object(annotations) }
        return .object(object)
    }
}

/// One call of a tool.
public struct MCPToolCall: Sendable {
    public let name: String
    /// An object.
    public let arguments: JSONValue
    /// The request's `_meta`.
    public let meta: JSONValue
    private let onProgress: @Sendable (JSONObject) -> Void

    init(
        name: String,
        arguments: JSONValue,
        meta: JSONValue,
        onProgress: @escaping @Sendable (JSONObject) -> Void
    ) {
        self.name = name
        self.arguments = arguments
        self.meta = meta
        self.onProgress = onProgress
    }

    /// Tells how far the call is, if the client asked for that.
    ///
    /// - Parameter meta: goes with the notification as its `_meta`.
    public func progress(_ progress: Double, of total: Double?, _ message: String?, meta: JSONObject = [:]) {
        var params: JSONObject = ["progress": .double(progress)]
        params.set("total", total.map { .double($0) })
        params.set("message", message.map { .string($0) })
        if !meta.isEmpty { params["_meta"] = .object(meta) }
        onProgress(params)
    }
}

/// What a call came to.
public struct MCPToolResult: Sendable, Hashable {
    /// Blocks of content, such as `{"type":"text","text":…}`.
    public var content: [JSONValue]
    /// An object for programs. Defaults to none.
    public var structured: JSONValue?
    /// Whether the tool failed; the content says how. Defaults to false.
    public var isError = false
    /// Defaults to nothing.
    public var meta: JSONObject = [:]

    public init(content: [JSONValue], structured: JSONValue? = nil) {
        self.content = content
        self.structured = structured
    }

    public static func text(_ text: String) -> JSONValue { ["type": "text", "text": .string(text)] }

    /// A failure, in a sentence that the caller can act on.
    public static func error(_ sentence: String) -> MCPToolResult {
        var result = MCPToolResult(content: [text(sentence)])
        result.isError = true
        return result
    }

    var json: JSONObject {
        var object: JSONObject = ["content": .array(content)]
        object.set("structuredContent", structured)
        object["isError"] = .bool(isError)
        if !meta.isEmpty { object["_meta"] = .object(meta) }
        return object
    }
}

/// Whoever has the tools that an ``MCPToolServer`` serves.
public protocol MCPToolProvider: Sendable {
    func tools() async throws -> [MCPTool]

    /// Does what a tool is for. Several calls may run at once. Cancellation is Swift's own; the result of a call
    /// that its client cancelled is not sent.
    ///
    /// - Throws: ``RPCError`` when the call itself is wrong. What a tool fails at is a result with `isError`.
    func call(_ call: MCPToolCall) async throws -> MCPToolResult
}
