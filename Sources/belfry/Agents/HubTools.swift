// What an agent can do with the hub. The descriptions are read by models with every request: short, and exact.

import BelfryAPI
import BelfryCore
import BelfryMCP

/// The hub's tools.
struct HubTools: MCPToolProvider {
    /// Whether commands may be run, which can do everything that the user can.
    let allowsShell: Bool

    static let instructions = """
        Belfry runs long jobs in the background. submit returns at once with a task number; then call wait until it is \
        done. Tasks go on when this conversation ends; list finds them again.
        """

    func tools() -> [MCPTool] { Tool.allCases.filter { allowsShell || $0 != .runCommand }.map(\.definition) }

    func call(_ call: MCPToolCall) async throws -> MCPToolResult {
        guard let tool = Tool(rawValue: call.name), allowsShell || tool != .runCommand else {
            throw RPCError(RPCError.Code.invalidParams, "There is no tool '\(call.name)'.")
        }
        let stop = StopFlag()
        return try await withTaskCancellationHandler {
            // The hub's client blocks, as the rest of the command line does.
            try await BlockingThread.run { try answer(tool, call, stop) }
        } onCancel: {
            stop.set()
        }
    }

    private func answer(_ tool: Tool, _ call: MCPToolCall, _ stop: StopFlag) throws -> MCPToolResult {
        do {
            let arguments = try ToolArguments(call.arguments, of: tool)
            let session = Session()
            switch tool {
            case .listFeatures: return try listFeatures(arguments, session)
            case .submit: return try submit(arguments, session)
            case .runCommand: return try runCommand(arguments, session)
            case .status: return try status(arguments, session)
            case .wait: return try TaskWaiting(session: session, call: call, stop: stop).wait(arguments)
            case .result: return try result(arguments, session)
            case .log: return try log(arguments, session)
            case .cancel: return try cancel(arguments, session)
            case .list: return try list(arguments, session)
            }
        } catch let error as BelfryError { return .error(error) }
    }

    // MARK: Features

    private func listFeatures(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        if let id = arguments.string("feature") {
            return .object(try described(id, session))
        }
        let answer = try session.ask("GET", "/v1/features")
        let features = try (answer["features"]?.array ?? []).compactMap { feature -> JSONValue? in
            guard let id = feature["id"]?.string, allowsShell || id != Self.shell else { return nil }
            guard feature["state"]?.string == "ready" else {
                return ["id": .string(id), "unavailable": feature["reason"] ?? true]
            }
            return .object(try described(id, session))
        }
        return .object(["features": .array(features)])
    }

    private func described(_ id: String, _ session: Session) throws -> JSONObject {
        let feature = try session.ask("GET", "/v1/features/\(URLText.encode(id))")
        var object: JSONObject = ["id": .string(id)]
        for key in ["title", "summary", "params"] {
            object.set(key, feature[key].flatMap { $0 == "" ? nil : $0 })
        }
        return object
    }

    // MARK: Submitting

    static let shell = "shell"

    private func submit(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        let feature = try arguments.required("feature")
        guard allowsShell || feature != Self.shell else {
            throw BelfryError(
                .notAllowedNow,
                "Running commands is not allowed here.",
                fix: "The user can allow it: belfry mcp --allow-shell."
            )
        }
        var object: JSONObject = ["featureId": .string(feature)]
        object["params"] = arguments["params"] ?? [:]
        return try add(object, arguments, session, withEnvironment: feature == Self.shell)
    }

    private func runCommand(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        let words = arguments.strings("command")
        guard !words.isEmpty else {
            throw BelfryError(
                .invalidParams,
                "There is no command.",
                fix: "Give the program and its arguments, such as [\"make\", \"-j8\"].",
                pointer: "/command"
            )
        }
        let params: JSONValue = ["command": .array(words.map { .string($0) })]
        return try add(
            ["featureId": .string(Self.shell), "params": params],
            arguments,
            session,
            withEnvironment: true
        )
    }

    private func add(
        _ task: JSONObject,
        _ arguments: ToolArguments,
        _ session: Session,
        withEnvironment: Bool
    ) throws -> MCPToolResult {
        var object = task
        object["id"] = Session.newTaskID()
        var context = try session.context(withEnvironment: withEnvironment)
        if let directory = arguments.string("directory") {
            guard directory.hasPrefix("/") else {
                throw BelfryError(
                    .invalidParams,
                    "'directory' must be an absolute path.",
                    pointer: "/directory"
                )
            }
            context.workingDirectory = directory
        }
        object["context"] = context.json
        for key in ["title", "priority"] { object.set(key, arguments[key]) }
        object.set("after", arguments["after"])
        let answer = try session.submit("POST", "/v1/tasks", body: .object(object)).answer
        return .object(TaskView.brief(answer))
    }

    // MARK: Looking and changing

    private func status(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        .object(TaskView.full(try session.ask("GET", try arguments.taskPath())))
    }

    private func cancel(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        let path = try arguments.taskPath()
        return .object(TaskView.brief(try session.ask("POST", path + "/cancel")))
    }

    private func list(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        let path = URLText.make(
            "/v1/tasks",
            [
                ("status", arguments.string("status")), ("feature", arguments.string("feature")),
                ("limit", String(arguments.int("limit") ?? 20)),
            ]
        )
        let tasks = (try session.ask("GET", path)["tasks"]?.array ?? []).map {
            JSONValue.object(TaskView.full($0))
        }
        return .object(["tasks": .array(tasks)])
    }
}

extension MCPToolResult {
    /// JSON for programs, and the same as text for those that do not look there.
    static func object(_ object: JSONObject) -> MCPToolResult {
        let json = JSONValue.object(object)
        return MCPToolResult(content: [text(json.text)], structured: json)
    }

    static func error(_ error: BelfryError) -> MCPToolResult {
        var words = error.message
        if let pointer = error.pointer, !pointer.isEmpty { words += " (at \(pointer))" }
        let fix = error.code == .unknownFeature ? "Call list_features." : error.fix
        if let fix { words += "\nFix: \(fix)" }
        return .error(words)
    }
}

/// What a model is told of a task: no more than it needs.
enum TaskView {
    static func brief(_ task: JSONValue) -> JSONObject {
        var object: JSONObject = ["task": task["number"] ?? .null]
        object.set("feature", task["featureId"])
        object.set("status", task["status"])
        if task["cancelRequested"]?.bool == true { object["cancelling"] = true }
        return object
    }

    static func full(_ task: JSONValue) -> JSONObject {
        var object = brief(task)
        if task["title"] != "" { object.set("title", task["title"]) }
        switch task["status"]?.string {
        case "processing":
            object.set("percent", task["progress"])
            object.set("message", task["message"])
        case "pending": object.set("waiting", task["waiting"]?["text"])
        default: break
        }
        if let error = task["error"] {
            object["error"] = .string(error["message"]?.string ?? "")
            object.set("fix", error["fix"])
        }
        for key in ["createdAt", "startedAt", "finishedAt"] { object.set(key, task[key]) }
        let files = TaskFilesView.paths(of: task)
        if !files.isEmpty { object["files"] = .array(files.map { .string($0) }) }
        return object
    }
}
